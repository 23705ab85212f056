package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// Stats implements [call.Keeper]. It takes the numbers of rows from the counts.
func (s *Store) Stats(ctx context.Context) (call.Stats, error) {
	st, err := s.stats(ctx)
	if err != nil {
		return call.Stats{}, s.readError("stats", err)
	}
	return st, nil
}

func (s *Store) stats(ctx context.Context) (st call.Stats, err error) {
	if err := s.life.enter(ctx); err != nil {
		return st, err
	}
	defer s.life.leave()
	st = call.Stats{Engine: "pebble", Format: s.format}
	if st.Bytes, err = s.bytes(); err != nil {
		return st, err
	}
	it, err := s.db.NewIter(wholeStore())
	if err != nil {
		return st, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	tenants, err := tenantsOf(it)
	if err != nil {
		return st, err
	}
	for _, tenant := range tenants {
		one, err := tenantStats(it, tenant)
		if err != nil {
			return st, err
		}
		st.Per = append(st.Per, one)
		st.Rows += one.Rows
	}
	return st, ctx.Err()
}

// tenantsOf returns the tenants that have rows, in their order, by one seek for each.
func tenantsOf(it *pebble.Iterator) (tenants []call.GUID, err error) {
	it.SetBounds(nil, []byte{kindRow + 1})
	for ok := it.SeekGE([]byte{kindRow}); ok; {
		if _, _, err := parseRowKey(it.Key()); err != nil {
			return nil, err
		}
		tenant := tenantOf(it.Key())
		tenants = append(tenants, tenant)
		next := after(appendTenant(nil, kindRow, tenant))
		ok = it.SeekGE(next)
	}
	return tenants, it.Error()
}

func tenantStats(it *pebble.Iterator, tenant call.GUID) (call.TenantStats, error) {
	st := call.TenantStats{Tenant: tenant}
	all := span{hi: place{start: endOfTime}}
	var err error
	if st.Rows, err = countSpan(it, tenant, all); err != nil {
		return st, err
	}
	it.SetBounds(all.lo.key(tenant), all.hi.key(tenant))
	if it.First() {
		start, _, err := parseRowKey(it.Key())
		if err != nil {
			return st, err
		}
		st.Oldest = call.TimeOf(start)
	}
	if it.Last() {
		start, _, err := parseRowKey(it.Key())
		if err != nil {
			return st, err
		}
		st.Newest = call.TimeOf(start)
	}
	return st, it.Error()
}

// bytes returns the size of the store's files, without the ballast.
func (s *Store) bytes() (sum int64, err error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if name == ballastName {
			continue
		}
		info, err := s.fs.Stat(s.fs.PathJoin(s.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // Pebble has merged this table into another meanwhile
		}
		if err != nil {
			return 0, err
		}
		if !info.IsDir() {
			sum += info.Size()
		}
	}
	return sum, nil
}

// Backup implements [call.Keeper]. It links tables if dir is on the same file system, and copies
// them otherwise. It makes the copy beside dir, opens, reads and closes it, and only then gives it
// its name, so that a folder of that name is a full backup.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.backup(ctx, dir); err != nil {
		return s.readError("backup to "+dir, err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, dir string) (err error) {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	switch _, err := s.fs.Stat(dir); {
	case err == nil:
		return fmt.Errorf("%w: it exists already", call.ErrInvalid)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	part := dir + ".partial"
	if err := s.fs.RemoveAll(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() {
		if err != nil {
			_ = s.fs.RemoveAll(part) // the first error counts
		}
	}()
	// A flush makes Pebble write its list of tables. A store that was closed in order and has had
	// no write since has none of its own, and Pebble would copy an empty one. If the flush fails,
	// for want of space say, the copy includes the log.
	if !s.flush() {
		if err := s.fault.err(); err != nil {
			return err
		}
	}
	// Checkpoint copies the list of tables from the disk. If that is damaged, the damage says more
	// than Pebble's error about the copy.
	copied := s.untilFault(func() error { return s.db.Checkpoint(part, pebble.WithFlushedWAL()) })
	if err := firstError(s.verifyListed(func(problem error) error { return problem }), copied); err != nil {
		return err
	}
	if s.opts.FS == vfs.Default {
		if err := os.Chmod(part, 0o700); err != nil { // it holds telephone numbers
			return err
		}
	}
	if err := s.verifyCopy(ctx, part); err != nil {
		return fmt.Errorf("the copy cannot be used: %w", err)
	}
	if err := s.fs.Rename(part, dir); err != nil {
		return err
	}
	return syncDir(s.fs, s.fs.PathDir(dir))
}

// verifyCopy opens a copy and reads all its tables. Closing it seals it. The copy has an epoch of
// its own: an operator who restores it takes the log back to an earlier state, without the changes
// since.
func (s *Store) verifyCopy(ctx context.Context, dir string) error {
	c, err := Open(dir, Options{FS: s.opts.FS, Log: s.opts.Log, CacheBytes: 8 << 20, Reserve: -1, AsItIs: true, memTable: 4 << 20})
	if err != nil {
		return err
	}
	err = c.checkTables(ctx, func(problem error) error { return problem })
	if err == nil && !c.old {
		err = c.NewEpoch(ctx)
	}
	return firstError(err, c.Close())
}

// Compact implements [call.Keeper].
func (s *Store) Compact(ctx context.Context) error {
	if err := s.compact(ctx); err != nil {
		return s.readError("compact", err)
	}
	return nil
}

func (s *Store) compact(ctx context.Context) error {
	if err := s.life.enter(ctx); err != nil {
		return err
	}
	defer s.life.leave()
	if s.readOnly {
		return errReadOnly
	}
	if err := s.fault.err(); err != nil {
		return err
	}
	trouble, forget := s.troubles.watch()
	defer forget()
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case err := <-trouble:
			cancel(err)
		case <-s.fault.over:
			cancel(s.fault.err())
		case <-ctx.Done():
		}
	})
	err := s.untilFault(func() error { return s.db.Compact(ctx, []byte{0}, []byte{0xff}, true) })
	if err != nil {
		err = firstError(context.Cause(ctx), err)
	}
	cancel(nil)
	watching.Wait()
	return err
}
