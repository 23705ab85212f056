package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/trunklog/trunklog/call"
)

// Check implements [call.Keeper]. It reads every file, and then compares the rows with the derived
// keys: first by sums, which takes one pass over everything; where the sums differ, key by key.
//
// It does not read the log: opening has read that into memory.
func (s *Store) Check(ctx context.Context, report func(problem string)) error {
	if err := s.check(ctx, report); err != nil {
		return s.readError("check", err)
	}
	return nil
}

func (s *Store) check(ctx context.Context, report func(problem string)) error {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	said := map[string]bool{}
	say := func(problem error) error {
		if text := s.translate(problem).Error(); !said[text] {
			said[text] = true
			report(text)
		}
		return nil
	}
	if err := firstError(s.checkTables(ctx, say), s.verifyListed(say)); err != nil {
		return err
	}
	snapshot := s.db.NewSnapshot()
	defer func() { _ = snapshot.Close() }() // closing only releases it
	c := &checker{ctx: ctx, snapshot: snapshot, report: report, seed: maphash.MakeSeed(), format: s.format}
	err := c.run()
	if pebble.IsCorruptionError(err) {
		_ = say(err) // report each error once
		report("because of this, rows, ids, index and counts could not be compared to the end")
		return nil
	}
	return err
}

// checkTables verifies every checksum of every table in use. Pebble may merge a table into another
// meanwhile.
func (s *Store) checkTables(ctx context.Context, found func(problem error) error) error {
	names, err := s.tables()
	if err != nil {
		return err
	}
	var gone []string
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := s.checkTable(ctx, name)
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist):
			gone = append(gone, name)
		case pebble.IsCorruptionError(err):
			c := corruption(err)
			c.File = name
			c.Err = errors.New(strings.ReplaceAll(c.Err.Error(), "000000", strings.TrimSuffix(name, ".sst"))) // the table was opened without its number
			if err := found(c); err != nil {
				return err
			}
		default:
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if names, err = s.tables(); err != nil {
		return err
	}
	for _, name := range gone {
		if slices.Contains(names, name) {
			if err := found(&call.CorruptError{File: name, Offset: -1, Err: errMissing}); err != nil {
				return err
			}
		}
	}
	return nil
}

// tables returns the names of the tables in use.
func (s *Store) tables() ([]string, error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, level := range levels {
		for _, t := range level {
			names = append(names, fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum)))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (s *Store) checkTable(ctx context.Context, name string) error {
	f, err := s.fs.Open(s.fs.PathJoin(s.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return firstError(err, f.Close())
	}
	o := s.pebbleOptions()
	o.EnsureDefaults()
	r, err := sstable.NewReader(ctx, readable, o.MakeReaderOptions())
	if err != nil {
		return err // it has closed the file
	}
	return firstError(r.ValidateBlockChecksums(), r.Close())
}

// verifyListed compares the files with the watermark. Writes go on meanwhile: a difference that is
// gone at a second look is no damage.
func (s *Store) verifyListed(found func(problem error) error) error {
	w := &s.guard.marks
	for _, m := range w.list() {
		if !m.isLog() {
			continue
		}
		err := verifyLog(s.fs, s.dir, m)
		listed := func(now mark) bool { return now.isLog() && now.number == m.number }
		if err = reported(err, slices.ContainsFunc(w.list(), listed), found); err != nil {
			return err
		}
	}
	names := func() []mark { return slices.DeleteFunc(w.list(), mark.isLog) }
	for tries := 10; ; tries-- {
		listed := names()
		err := verifyNames(s.fs, s.dir, listed)
		if err != nil && tries > 0 && !slices.Equal(listed, names()) {
			continue
		}
		return firstError(reported(err, true, found), reported(w.verify(s.fs, s.dir), true, found))
	}
}

// reported passes a problem with a file to found if it still stands, and returns any other error.
func reported(err error, stands bool, found func(problem error) error) error {
	var corrupt *call.CorruptError
	switch {
	case err == nil, errors.As(err, &corrupt) && !stands:
		return nil
	case corrupt != nil:
		return found(err)
	}
	return err
}

// A checker compares derived keys with their rows, in one snapshot.
type checker struct {
	ctx      context.Context
	snapshot *pebble.Snapshot
	report   func(string)
	seed     maphash.Seed
	want     [256]uint64 // by kind: the sum of the hashes of the expected keys
	have     [256]uint64 // … of the keys found
	complete bool        // the store says that its cells are
	shapes   shapeList   // the expected ones
	format   int
	buf      []byte
	steps    int
}

// note adds a key and its value to a sum. Sums do not depend on the order.
func (c *checker) note(sum *[256]uint64, key, value []byte) {
	var h maphash.Hash
	h.SetSeed(c.seed)
	_, _ = h.Write(key)
	_ = h.WriteByte(0)
	_, _ = h.Write(value)
	sum[key[0]] += h.Sum64()
}

func (c *checker) run() (err error) {
	if c.complete, err = haveCells(c.snapshot); err != nil {
		return err
	}
	if err := c.rows(); err != nil {
		return err
	}
	if err := c.derived(); err != nil {
		return err
	}
	if err := firstError(c.messages(), c.history(), c.missingShapes()); err != nil {
		return err
	}
	for _, kind := range c.kinds() {
		if c.want[kind] != c.have[kind] {
			if err := firstError(c.missing(kind), c.orphans(kind)); err != nil {
				return err
			}
		}
	}
	if c.want[kindCount] != c.have[kindCount] {
		if err := c.counts(); err != nil {
			return err
		}
	}
	if c.complete && c.want[kindTotals] != c.have[kindTotals] {
		return c.compareCells()
	}
	return nil
}

// kinds returns the kinds of keys that the store derives from rows and has in full.
func (c *checker) kinds() []byte {
	kinds := []byte(string(kindID) + indexKinds)
	if c.format < formatNames {
		kinds = bytes.ReplaceAll(kinds, []byte{kindPrincipal}, nil)
	}
	return kinds
}

// each calls do with every key of a kind.
func (c *checker) each(kind byte, do func(key, value []byte) error) (err error) {
	it, err := c.snapshot.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		if c.steps++; c.steps%1024 == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := do(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Error()
}

// eachRow calls do with every readable row.
func (c *checker) eachRow(do func(r *call.Row, start uint64) error) error {
	var r call.Row
	return c.each(kindRow, func(key, value []byte) error {
		start, id, err := parseRowKey(key)
		if err != nil {
			c.report(err.Error())
			return nil
		}
		if err := parseBody(&r, tenantOf(key), start, id, string(value)); err != nil {
			c.report(err.Error())
			return nil
		}
		return do(&r, start)
	})
}

// rows sums up the expected keys. Rows come by tenant and start, so that only one bucket of each
// grain is open at a time.
func (c *checker) rows() error {
	gs := grains()
	var open [len(gs)]struct {
		key []byte
		n   int64
	}
	done := func(i int) {
		if open[i].n > 0 {
			c.note(&c.want, open[i].key, appendCount(nil, open[i].n))
		}
		open[i].n = 0
	}
	cells := c.wantCells()
	err := c.eachRow(func(r *call.Row, start uint64) error {
		c.derive(r, start, func(key, value []byte) { c.note(&c.want, key, value) })
		c.shapes.add(r)
		for i, g := range gs {
			key := appendCountKey(c.buf[:0], r.Tenant, g, start)
			if !bytes.Equal(key, open[i].key) {
				done(i)
				open[i].key = append(open[i].key[:0], key...)
			}
			open[i].n++
			c.buf = key
		}
		return cells.take(r, start)
	})
	for i := range open {
		done(i)
	}
	return firstError(err, cells.done())
}

// derive calls add with the id key and the index keys of a row.
func (c *checker) derive(r *call.Row, start uint64, add func(key, value []byte)) {
	add(appendIDKey(nil, r.Tenant, r.ID), appendIDValue(nil, start))
	c.buf = indexKeys(c.buf, r, start, func(key []byte) { add(key, nil) })
}

// derived sums up the keys found. Two rows may have the same index key, see [tail]; it is stored
// once and expected twice, and then the slow comparison finds nothing wrong.
func (c *checker) derived() error {
	for _, kind := range c.kinds() {
		err := c.each(kind, func(key, value []byte) error {
			if key[0] != kindID || len(value) > 0 && value[0] == valueVersion {
				c.note(&c.have, key, value)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := c.derivedCells(); err != nil {
		return err
	}
	return c.each(kindCount, func(key, value []byte) error {
		n, err := parseCount(value)
		if err != nil {
			c.report(err.Error())
			return nil
		}
		if n != 0 {
			c.note(&c.have, key, value)
		}
		return nil
	})
}

// missing reports the keys of a kind that rows lack.
func (c *checker) missing(kind byte) error {
	return c.eachRow(func(r *call.Row, start uint64) (err error) {
		c.derive(r, start, func(key, want []byte) {
			if key[0] != kind || err != nil {
				return
			}
			var value []byte
			var closer io.Closer
			value, closer, err = c.snapshot.Get(key)
			if errors.Is(err, pebble.ErrNotFound) {
				err = nil
				c.report(fmt.Sprintf("row %v of tenant %v has no entry in the index %s", r.ID, r.Tenant, kindName(kind)))
				return
			}
			if err != nil {
				return
			}
			if !bytes.Equal(value, want) {
				c.report(fmt.Sprintf("row %v of tenant %v has a wrong entry in the index %s", r.ID, r.Tenant, kindName(kind)))
			}
			err = closer.Close()
		})
		return err
	})
}

// orphans reports the keys of a kind that belong to no row.
func (c *checker) orphans(kind byte) (err error) {
	it, err := c.snapshot.NewIter(wholeStore())
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	return c.each(kind, func(key, value []byte) error {
		if kind == kindID && len(value) > 0 && value[0] != valueVersion {
			return nil // it belongs to no row; see [checker.history]
		}
		prefix, err := leadsTo(key, value)
		if err != nil {
			c.report(err.Error())
			return nil
		}
		found := false
		for ok := it.SeekGE(prefix); ok && !found && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
			body, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			start, id, err := parseRowKey(it.Key())
			if err != nil {
				return err
			}
			var r call.Row
			if r.ParseBody(tenantOf(key), call.TimeOf(start), id, string(body)) != nil {
				found = true // reported already
				continue
			}
			c.derive(&r, start, func(k, _ []byte) { found = found || bytes.Equal(k, key) })
		}
		if !found {
			c.report(fmt.Sprintf("an entry in the index %s of tenant %v leads to no row", kindName(kind), tenantOf(key)))
		}
		return it.Error()
	})
}

// leadsTo returns the common beginning of the keys of the rows that a derived key leads to.
func leadsTo(key, value []byte) ([]byte, error) {
	if key[0] == kindID {
		if len(key) != tenantEnd+16 {
			return nil, badKey(key)
		}
		e, err := parseIDValue(value)
		return appendRowKey(nil, tenantOf(key), e.start, call.GUID(key[tenantEnd:])), err
	}
	if len(key) < valueAt+tailLen {
		return nil, badKey(key)
	}
	return parseTail(dayOf(key), key[len(key)-tailLen:]).appendRowPrefix(nil, tenantOf(key)), nil
}

func kindName(kind byte) string {
	switch kind {
	case kindID:
		return "of ids"
	case kindCorrelation:
		return "of correlation ids"
	case kindUser:
		return "of users"
	case kindMasked:
		return "of masked numbers"
	case kindPrincipal:
		return "of principal names"
	}
	return "of numbers"
}

// counts reports every count that differs from the rows.
func (c *checker) counts() (err error) {
	it, err := c.snapshot.NewIter(wholeStore())
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	compare := func(key []byte, have int64) error {
		name, start, err := parseCountKey(key)
		if err != nil {
			c.report(err.Error())
			return nil
		}
		g := grains()[strings.IndexByte("dhm", name)]
		want, err := countRows(it, tenantOf(key), span{place{start: start}, place{start: start + g.ticks}})
		if err == nil && want != have {
			c.report(fmt.Sprintf("tenant %v has %d rows from %v on, by the %s, but the count says %d",
				tenantOf(key), want, call.TimeOf(start), grainName(name), have))
		}
		return err
	}
	err = c.each(kindCount, func(key, value []byte) error {
		n, err := parseCount(value)
		if err != nil {
			return nil //nolint:nilerr // reported already
		}
		return compare(bytes.Clone(key), n)
	})
	if err != nil {
		return err
	}
	// Then the counts that are missing.
	var last []byte
	return c.eachRow(func(r *call.Row, start uint64) error {
		for _, g := range grains() {
			key := appendCountKey(nil, r.Tenant, g, start)
			if g.name == 'm' {
				if bytes.Equal(key, last) {
					return nil
				}
				last = key
			}
			switch _, closer, err := c.snapshot.Get(key); {
			case err == nil:
				if err := closer.Close(); err != nil {
					return err
				}
			case !errors.Is(err, pebble.ErrNotFound):
				return err
			default:
				if err := compare(key, 0); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func grainName(name byte) string {
	switch name {
	case 'd':
		return "day"
	case 'h':
		return "hour"
	}
	return "minute"
}
