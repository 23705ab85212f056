package pebble

import (
	"context"
	"encoding/hex"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestMerger adds up counts and vectors as they are on disk, in any order.
func TestMerger(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"0102"}, "0102"},
		{[]string{"0102", "0103"}, "0101"},
		{[]string{"0102", "0101"}, "0100"},
		{[]string{"010204", "0102"}, "010404"},
		{[]string{"0102", "0102040608", "0101000000"}, "0102040608"},
		{[]string{"01020406", "01010305"}, "0100"},
		{[]string{"0100000006", "0100000005"}, "0100"},
		{[]string{"01feffffffffffffffff01", "0101"}, "01fcffffffffffffffff01"},
		{[]string{"01" + hex.EncodeToString(make([]byte, 20)), "0102"}, "0102"},
	} {
		for _, newer := range []bool{true, false} {
			var values [][]byte
			for _, v := range c.values {
				b, err := hex.DecodeString(v)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, b)
			}
			if !newer {
				slices.Reverse(values)
			}
			m, err := sumMerger().Merge(nil, values[0])
			for _, v := range values[1:] {
				if err == nil && newer {
					err = m.MergeNewer(v)
				} else if err == nil {
					err = m.MergeOlder(v)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := m.Finish(true)
			if err != nil || hex.EncodeToString(got) != c.want {
				t.Errorf("%v is %x, %v; want %s", c.values, got, err, c.want)
			}
		}
	}
	for _, bad := range []string{"", "01", "0180", "0202", "010280"} {
		b, _ := hex.DecodeString(bad)
		if _, err := sumMerger().Merge(nil, b); err == nil {
			t.Errorf("%q can be added", bad)
		}
	}
}

func TestCellsRoundTrip(t *testing.T) {
	for _, c := range []call.Cell{
		{},
		{Kind: call.UserCell, Slot: 7, Key: call.Key{User: call.GUID{1, 15: 2}}},
		{Slot: math.MaxUint32, Key: call.Key{Trunk: "a\x00b", CallType: "", Code: -1, Subcode: math.MinInt32, Rang: true}},
		{Key: call.Key{Trunk: "", CallType: "x\x00", Code: math.MaxInt32, Answered: true}},
	} {
		key := appendCellKey(nil, call.GUID{9}, &c)
		kind, slot, err := parseCellSlot(key)
		if err != nil || kind != c.Kind || slot != c.Slot || tenantOf(key) != (call.GUID{9}) {
			t.Errorf("%+v: kind %d, slot %d, %v", c, kind, slot, err)
		}
		if k, err := parseCellDims(key, kind); err != nil || k != c.Key {
			t.Errorf("%+v, %v; want %+v", k, err, c.Key)
		}
		for n := range len(key) - len(c.Key.Trunk) - len(c.Key.CallType) {
			if kind, _, err := parseCellSlot(key[:n]); err == nil {
				if k, err := parseCellDims(key[:n], kind); err == nil {
					t.Errorf("%d of %d bytes are %+v", n, len(key), k)
				}
			}
		}
	}
	for _, s := range []call.Sums{{}, {Calls: 1}, {RingN: -1}, {Calls: 1, Seconds: math.MinInt64, RingMS: math.MaxInt64}} {
		var got call.Sums
		if err := parseSums(&got, appendSums(nil, &s)); err != nil || got != s {
			t.Errorf("%+v, %v; want %+v", got, err, s)
		}
	}
}

// asked asks one question for each kind of cells.
func asked(t *testing.T, s *Store, tenant call.GUID) (all []call.Group) {
	t.Helper()
	for _, by := range []call.Grouping{{Every: call.Hour, By: []call.Dim{call.ByTrunk, call.ByAnswered}}, {Every: call.Day, By: []call.Dim{call.ByUser}}} {
		var got, want []call.Group
		q := call.Query{Tenant: tenant}
		for g, err := range s.Groups(t.Context(), q, by) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, *g)
		}
		for g, err := range call.AddUp(t.Context(), s, q, by) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, *g)
		}
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("by %v: %+v, want %+v", by, got, want)
		}
		all = append(all, got...)
	}
	return all
}

// TestCellsAreBuilt opens a store without cells, as the first release has left it: the store adds
// up rows, also after writes, until the cells are built.
func TestCellsAreBuilt(t *testing.T) {
	tenant := storetest.Tenants()[0]
	disk := vfs.NewMem()
	s := open1(t, "store", testOptions(t, disk)).(checked).Store
	writeAll(t, s, storetest.Rows(79, 300))
	commit(t, s, dropCells)
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open1(t, "store", testOptions(t, disk)).(checked).Store
	}
	reopen()
	if s.cells {
		t.Fatal("cells that nobody has written are complete")
	}
	more := storetest.Rows(80, 100)
	steps := []func(){
		func() {},
		func() { writeAll(t, s, more) },
		func() { trimTo(t, s, tenant, more[50].Start) },
	}
	for i, step := range steps {
		step()
		asked(t, s, tenant)
		if n := cellsOf(t, s); n != 0 {
			t.Errorf("step %d: there are %d cells", i, n)
		}
		verifyCheck(t, s)
	}
	before := asked(t, s, tenant)
	for range 2 { // as after a kill in the middle
		build(t, s)
	}
	reopen()
	got := asked(t, s, tenant)
	if !s.cells || !slices.EqualFunc(got, before, sameGroup) || cellsOf(t, s) == 0 {
		t.Errorf("complete %v, %d cells, groups %+v; want %+v", s.cells, cellsOf(t, s), got, before)
	}
	writeAll(t, s, storetest.Rows(81, 50))
	verifyCheck(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func sameGroup(a, b call.Group) bool { return a.At.Equal(b.At) && a.Key == b.Key && a.Sums == b.Sums }

func trimTo(t *testing.T, s *Store, tenant call.GUID, before time.Time) {
	t.Helper()
	if _, err := s.Trim(t.Context(), tenant, before); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, s *Store, add func(b *pebble.Batch) error) {
	t.Helper()
	b := s.db.NewBatch()
	if err := firstError(add(b), b.Commit(pebble.Sync), b.Close()); err != nil {
		t.Fatal(err)
	}
}

// build builds the cells of all rows, in chunks, as an upgrade does.
func build(t *testing.T, s *Store) {
	t.Helper()
	commit(t, s, dropCells)
	c := newCells(true, 0)
	check := &checker{ctx: context.Background(), snapshot: s.db.NewSnapshot()}
	defer func() { _ = check.snapshot.Close() }()
	n := 0
	err := check.eachRow(func(r *call.Row, _ uint64) error {
		c.add(r)
		if n++; n%100 == 0 {
			commit(t, s, c.merge)
			c = newCells(true, 0)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, c.merge)
	commit(t, s, setHaveCells)
}

func cellsOf(t *testing.T, s *Store) (n int) {
	t.Helper()
	check := &checker{ctx: context.Background(), snapshot: s.db.NewSnapshot()}
	defer func() { _ = check.snapshot.Close() }()
	if err := check.each(kindTotals, func([]byte, []byte) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}
