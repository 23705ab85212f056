package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// filling says what to write to which store.
type filling struct {
	Store string // as store.Open takes it
	Crowd crowd
	Slice int // rows after which the clock is read
}

// filled is what came of it.
type filled struct {
	Rates   []float64     // rows a second of each slice
	Acks    []float64     // milliseconds that each batch took
	Elapsed time.Duration // until the last batch was acknowledged
	Close   time.Duration // until the store was closed
	New     int
	Starts  []time.Time // of rows here and there, with a full page behind each
	Numbers []string    // of callers and callees here and there
	Masked  []string    // such as Microsoft has masked
	Names   []string    // principal names
	Users   []call.GUID // and user ids
}

// sampled is how many starts are noted.
const sampled = 4096

// fill writes rows to a new store in durable batches, one after the other,
// while the next one is being made.
func fill(ctx context.Context, q filling) (f filled, err error) {
	var closing time.Time
	err = withStore(ctx, q.Store, func(st call.Store) error {
		err := f.write(ctx, st, q)
		closing = time.Now()
		return err
	})
	f.Close = time.Since(closing)
	return f, err
}

// write writes batches and reads the clock.
func (f *filled) write(ctx context.Context, st call.Store, q filling) error {
	n := 0
	made := func(yield func([]call.Row, error) bool) {
		for batch := range q.Crowd.batches() {
			f.sample(batch, n, q.Crowd.Rows)
			if n += len(batch); !yield(batch, nil) {
				return
			}
		}
	}
	began := time.Now()
	mark, since := began, 0
	for batch, err := range ahead(ctx, made) {
		if err != nil {
			return err
		}
		at := time.Now()
		res, err := st.Write(ctx, call.Batch{Rows: batch})
		if err != nil {
			return err
		}
		now := time.Now()
		f.Acks = append(f.Acks, milliseconds(now.Sub(at)))
		f.New += res.Counts().New
		if since += len(batch); since >= q.Slice {
			f.Rates = append(f.Rates, perSecond(int64(since), now.Sub(mark)))
			mark, since = now, 0
		}
	}
	f.Elapsed = time.Since(began)
	return nil
}

// sample notes some of the rows: the first of which is the n-th of all.
func (f *filled) sample(batch []call.Row, n, all int) {
	every := max(all/sampled, 1)
	for i := range batch {
		r := &batch[i]
		switch {
		case (n+i)%every != every/2:
			continue
		case n+i < all-all/20-2000:
			f.Starts = append(f.Starts, r.Start)
		}
		for _, number := range []string{r.Caller, r.Callee} {
			switch digits, masked := call.AppendDigits(nil, number); {
			case len(digits) < 8-min(masked, 3):
			case masked == 0:
				f.Numbers = append(f.Numbers, number)
			default:
				f.Masked = append(f.Masked, number)
			}
		}
		if r.UserPrincipalName != "" {
			f.Names = append(f.Names, r.UserPrincipalName)
		}
		if !r.UserID.IsZero() {
			f.Users = append(f.Users, r.UserID)
		}
	}
}

// measureFill fills the store that all else is measured with.
func (b *bench) measureFill(ctx context.Context) error {
	slice := max(b.crowd().Rows/20/batchRows*batchRows, batchRows)
	var f filled
	c, err := child(ctx, "fill", filling{Store: "pebble:" + b.storeDir(), Crowd: b.crowd(), Slice: slice}, &f)
	if err != nil {
		return err
	}
	if f.New != b.rows {
		return fmt.Errorf("%d of %d rows are new in an empty store", f.New, b.rows)
	}
	b.filled = f
	bytes, by, err := sizeOf(b.storeDir())
	if err != nil {
		return err
	}
	b.perRow = float64(bytes) / float64(b.rows)
	b.tables = float64(by[".sst"]) / float64(b.rows)
	b.rate = perSecond(int64(b.rows), f.Elapsed+f.Close)
	b.report.figures(figures{
		title:   "Durable ingest, batches of 5,000, one writer",
		columns: []string{"", "rows/s by slice, median", "least", "greatest", "over all, with closing", "batch p50", "batch p99", "closing", "processor time", "peak memory"},
		lines: [][]string{{
			"trunklog, " + commas(int64(b.rows)) + " rows", number(median(f.Rates)), number(percentile(f.Rates, 0)), number(percentile(f.Rates, 100)), number(b.rate),
			number(median(f.Acks)) + " ms", number(percentile(f.Acks, 99)) + " ms", f.Close.Round(time.Millisecond).String(), c.CPU.Round(100 * time.Millisecond).String(), mebibytes(c.Peak),
		}},
		note: "Slices of " + commas(int64(slice)) + " rows: " + list(f.Rates) + ". Processor time includes making the rows up. On disk after closing, bytes a row by kind of file: " + perRow(by, b.rows) + ".",
	})
	return nil
}

// reportFill compares the store with PostgreSQL, if that was measured.
func (b *bench) reportFill() {
	r := result{work: "durable ingest, batches of 5,000, all indexes", target: "≥ 60,000 rows/s on 2 cores", measured: span(b.filled.Rates, "rows/s") + "; " + number(b.rate) + " with closing", met: judge(b.rate >= 60_000)}
	if p := b.postgres; p.rows > 0 {
		r.yardstick, r.share = "PostgreSQL COPY, same indexes: "+span(p.rates, "rows/s"), percent(median(b.filled.Rates)/median(p.rates))
	}
	b.report.add(r)
	b.report.add(b.diskResult())
}

// sizeOf returns the bytes that the files below dir take on the disk, in all
// and by the ends of their names.
func sizeOf(dir string) (bytes int64, by map[string]int64, err error) {
	by = make(map[string]int64)
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n := allocated(info)
			bytes += n
			by[filepath.Ext(d.Name())] += n
		}
		return err
	})
	return bytes, by, err
}

// perRow writes what each kind of file has for a row.
func perRow(by map[string]int64, rows int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		if n := float64(by[kind]) / float64(rows); n >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %s", cmp.Or(kind, "without a kind"), number(n)))
		}
	}
	return strings.Join(parts, ", ")
}

func mebibytes(n int64) string { return commas(n>>20) + " MiB" }

// list writes all of v.
func list(v []float64) string {
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = number(x)
	}
	return strings.Join(parts, " · ")
}
