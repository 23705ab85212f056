package storetest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A fixture is an engine under test and the Model to compare it with.
type fixture struct {
	*testing.T
	store call.Store
	model *Model
	open  func(*testing.T, string) call.Store
	dir   string
}

func newFixture(t *testing.T, open func(*testing.T, string) call.Store) *fixture {
	f := &fixture{T: t, model: NewModel(), open: open, dir: t.TempDir()}
	f.store = open(t, f.dir)
	if v, err := f.store.Latest(t.Context(), call.GUID{}); err == nil {
		f.model.epoch = v.Epoch
	}
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil && !errors.Is(err, call.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// reopen closes both stores and opens them again.
func (f *fixture) reopen() {
	f.Helper()
	if err := f.store.Close(); err != nil {
		f.Fatalf("close: %v", err)
	}
	f.store = f.open(f.T, f.dir)
	f.model = f.model.Reopen()
}

// write writes b to both stores, which must give the same results.
func (f *fixture) write(b call.Batch) call.Counts {
	f.Helper()
	return f.result(b).Counts()
}

func (f *fixture) result(b call.Batch) call.Result {
	f.Helper()
	got, err := f.store.Write(f.Context(), b)
	want, wantErr := f.model.Write(f.Context(), b)
	if err != nil || wantErr != nil {
		f.Fatalf("write: %v; the model says: %v", err, wantErr)
	}
	if !sameResult(got, want) {
		f.Fatalf("write says %v, want %v", got, want)
	}
	return got
}

func sameResult(a, b call.Result) bool {
	return slices.EqualFunc(a.Rows, b.Rows, sameWritten) && slices.EqualFunc(a.Removed, b.Removed, sameWritten) && slices.EqualFunc(a.Replaced, b.Replaced, sameWritten)
}

func sameWritten(a, b call.Written) bool {
	return a.Fate == b.Fate && a.Place.ID == b.Place.ID && a.Place.Start.Equal(b.Place.Start) && a.Number == b.Number
}

// refused writes b to both stores, which must both refuse it with target and change nothing.
func (f *fixture) refused(b call.Batch, target error) {
	f.Helper()
	for name, s := range map[string]call.Store{"store": f.store, "model": f.model} {
		if res, err := s.Write(f.Context(), b); !errors.Is(err, target) || len(res.Rows) > 0 {
			f.Fatalf("%s: write says %+v, %v; want nothing and %q", name, res, err, target)
		}
	}
	f.sameAll()
}

// same checks that both stores answer q alike, by Rows and by Count, and returns the rows.
func (f *fixture) same(q call.Query) []call.Row {
	f.Helper()
	got, err := all(f.T, f.store, q)
	if err != nil {
		f.Fatalf("%s: %v", show(q), err)
	}
	want, err := all(f.T, f.model, q)
	if err != nil {
		f.Fatalf("model: %v", err)
	}
	if d := diff(got, want); d != "" {
		f.Fatalf("%s: %s", show(q), d)
	}
	n, err := f.store.Count(f.Context(), q)
	wantN, _ := f.model.Count(f.Context(), q)
	if err != nil || n != wantN || q.Walk.IsZero() && n != int64(len(want)) {
		f.Fatalf("%s: count says %d, %v; want %d", show(q), n, err, wantN)
	}
	return got
}

// sameAll checks that both stores hold the same rows, state and messages.
func (f *fixture) sameAll() {
	f.Helper()
	for tenant := range f.model.rows {
		for _, r := range f.same(call.Query{Tenant: tenant}) {
			if one, err := f.store.Row(f.Context(), tenant, r.ID); err != nil || !one.Equal(&r) {
				f.Fatalf("row %v: %v, %v; want %v", r.ID, one, err, r)
			}
		}
	}
	f.sameState("")
	f.sameKept()
}

func (f *fixture) sameState(prefix string) {
	f.Helper()
	got, err := call.Values(f.Context(), f.store, prefix)
	if err != nil {
		f.Fatalf("state %q: %v", prefix, err)
	}
	want, _ := call.Values(f.Context(), f.model, prefix)
	if g, w := fmt.Sprintf("%q", got), fmt.Sprintf("%q", want); g != w {
		f.Fatalf("state %q is %s, want %s", prefix, g, w)
	}
}

// trim trims both stores.
func (f *fixture) trim(tenant call.GUID, before time.Time) int64 {
	f.Helper()
	got, err := f.store.Trim(f.Context(), tenant, before)
	want, _ := f.model.Trim(f.Context(), tenant, before)
	if err != nil || got != want {
		f.Fatalf("trim before %v says %d, %v; want %d", before, got, err, want)
	}
	return got
}

// all returns copies of the rows that q selects.
func all(t *testing.T, s call.Reader, q call.Query) (rows []call.Row, err error) {
	for r, err := range s.Rows(t.Context(), q) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, r.Clone())
	}
	return rows, nil
}

// diff describes the first difference of got and want; it is empty if there is none.
func diff(got, want []call.Row) string {
	for i := range min(len(got), len(want)) {
		if !got[i].Equal(&want[i]) || got[i].Place() != want[i].Place() {
			return fmt.Sprintf("row %d of %d is\n\t%+v\nwant\n\t%+v", i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d rows, want %d", len(got), len(want))
	}
	return ""
}

func show(q call.Query) string {
	return fmt.Sprintf("query{tenant %v, from %s, to %s, where %#v, after %s %v, skip %d, limit %d, reverse %v, walk %v}", q.Tenant,
		showTime(q.From), showTime(q.To), q.Where, showTime(q.After.Start), q.After.ID, q.Skip, q.Limit, q.Reverse, q.Walk)
}

func showTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339Nano)
}

// Scale returns how often a loop of a test runs: n times TRUNKLOG_SCALE, a tenth of that under
// -short, and at least 1.
func Scale(n int) int {
	if x, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && x > 0 {
		n = int(float64(n) * x)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

// few returns all of list, and under -short every nth. Loops that ask the same question about many
// values take it; a law whose meaning hangs on a value names that value.
func few[T any](list []T, n int) []T {
	if !testing.Short() {
		return list
	}
	var out []T
	for i := 0; i < len(list); i += n {
		out = append(out, list[i])
	}
	return out
}

// Seed returns the seed for the random part of a test: TRUNKLOG_SEED if it is set, or else a new
// one every time. It logs the seed if the test fails.
func Seed(t testing.TB) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TRUNKLOG_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("TRUNKLOG_SEED: %v", err)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to run this again: TRUNKLOG_SEED=%d", seed)
		}
	})
	return seed
}
