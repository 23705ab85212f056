package pebble

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestValueFilter: a filter passes every value of its block and few others, and treats deleted keys
// like set ones.
func TestValueFilter(t *testing.T) {
	for _, n := range []int{1, 2, 10, 3000} {
		c := newValueCollector()
		key := func(i int) []byte {
			k := append(appendDay(nil, kindNumber, call.GUID{1}, 7), fmt.Sprintf("49%d\x00", i)...)
			return appendTail(k, uint64(i), call.GUID{})
		}
		for i := range n {
			kind := sstable.InternalKeyKindSet
			if i%2 == 1 {
				kind = sstable.InternalKeyKindDelete
			}
			if err := c.AddPointKey(pebble.MakeInternalKey(key(i), 1, kind), nil); err != nil {
				t.Fatal(err)
			}
		}
		filter, err := c.FinishDataBlock(nil)
		if err != nil || len(filter) == 0 {
			t.Fatal(filter, err)
		}
		wrong := 0
		for i := range n + 10_000 {
			f := filterOf(kindNumber, fmt.Appendf(nil, "49%d\x00", i))[0]
			in, err := f.Intersects(filter)
			switch {
			case err != nil, i < n && !in:
				t.Fatalf("%d values: value %d is not in the filter, %v", n, i, err)
			case i >= n && in:
				wrong++
			}
		}
		for i := 1000; i < n; i++ {
			begins := fmt.Appendf(nil, "49%d", i/1000)
			if in, err := filterOf(kindBeginning, begins)[0].Intersects(filter); err != nil || !in {
				t.Fatalf("%d values: the beginning %s is not in the filter, %v", n, begins, err)
			}
		}
		if wrong > 600 {
			t.Errorf("%d values: %d of 10000 others pass", n, wrong)
		}
		// The next block begins with other keys, and goes on with the same number.
		user := appendTail(append(appendDay(nil, kindMasked, call.GUID{1}, 7), 0), 1, call.GUID{})
		for _, k := range [][]byte{user, key(n - 1)} {
			if err := c.AddPointKey(pebble.MakeInternalKey(k, 1, sstable.InternalKeyKindSet), nil); err != nil {
				t.Fatal(err)
			}
		}
		filter, _ = c.FinishDataBlock(nil)
		for _, f := range [][]pebble.BlockPropertyFilter{filterOf(kindNumber, fmt.Appendf(nil, "49%d\x00", n-1)), filterOf(kindBeginning, fmt.Appendf(nil, "49%d", n-1)[:len(fmt.Sprint(n-1))-1])} {
			if in, _ := f[0].Intersects(filter); !in && n > 10 {
				t.Errorf("%d values: the next block has no %v", n, f)
			}
		}
		if next, err := c.FinishDataBlock(nil); err != nil || next != nil {
			t.Errorf("a block without index keys has the filter %x, %v", next, err)
		}
	}
	if in, err := valueFilter(1).Intersects(nil); err != nil || !in {
		t.Errorf("what has no filter is passed over: %v, %v", in, err)
	}
	if filterOf(kindCorrelation, []byte("x")) != nil {
		t.Error("correlation ids have no filter")
	}
}

// TestHashValue: the hashes are on disk. If it fails, filters in existing stores hide rows: give
// the collector another name.
func TestHashValue(t *testing.T) {
	for value, want := range map[string]uint64{"": 0x8e5868a391002109, "49\x00": 0x118dff8b36b547e0, "49301234567\x00": 0xc22cec1612564413} {
		if got := hashValue(kindNumber, []byte(value)); got != want {
			t.Errorf("%q has the hash %#x, want %#x", value, got, want)
		}
	}
}

// TestLookUpInTables looks for numbers, names and users in a store whose rows
// lie in tables of several levels, some with index keys deleted.
func TestLookUpInTables(t *testing.T) {
	o := testOptions(t, vfs.NewMem())
	o.memTable = 64 << 10
	s := open1(t, "store", o).(checked)
	t.Cleanup(func() { _ = s.Close() })
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	row := func(i int) call.Row {
		r := call.Row{
			Tenant: call.GUID{1}, ID: call.GUID{byte(i), byte(i >> 8), 1}, Start: at.Add(time.Duration(i) * 37 * time.Minute), UserID: call.GUID{byte(i % 50), 1},
			UserPrincipalName: fmt.Sprintf("user%d@x", i%60), Caller: fmt.Sprintf("+4930%07d", (i*7919)%3000), Callee: fmt.Sprintf("+4940%04d***", (i*104729)%900),
		}
		r.Settle(call.CDR.Witness(), false)
		return r
	}
	const n = 4000
	for i := 0; i < n; i += 500 {
		var b call.Batch
		for j := range 500 {
			b.Rows = append(b.Rows, row(i+j))
		}
		for j := 0; j < i; j += 7 { // moved in the index
			r := row(j)
			r.Caller, r.UserPrincipalName = fmt.Sprintf("+4930%07d", (j*31)%3000), "Moved@x"
			r.Settle(call.Graph.Witness(), false)
			b.Rows = append(b.Rows, r)
		}
		if _, err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for compacted := range 2 {
		rows, _ := all1(t, s, nil)
		if len(rows) != n {
			t.Fatalf("%d rows", len(rows))
		}
		for i := range storetest.Scale(300) {
			r := &rows[(i*7717)%n]
			for _, x := range []call.Expr{
				call.Digits(r.Caller), call.Digits(r.Callee), call.Digits(r.Callee[:9] + "123"), call.Digits(fmt.Sprintf("+4931%07d", i)),
				call.Digits(r.Caller[:9] + "***"), call.Digits(r.Caller[:10] + "**"), call.Digits(r.Callee),
				call.Compare{Field: call.FieldUserID, Value: r.UserID},
				call.Compare{Field: call.FieldUserPrincipalName, Value: r.UserPrincipalName},
				call.Or{call.Digits(r.Caller), call.Digits(rows[i].Caller), call.Compare{Field: call.FieldUserPrincipalName, Value: "nobody"}},
			} {
				got, plan := all1(t, s, x)
				want := 0
				for j := range rows {
					if x.Match(&rows[j]) {
						want++
					}
				}
				if len(got) != want || plan.Any == nil {
					t.Fatalf("compacted %d: %#v finds %d rows, want %d", compacted, x, len(got), want)
				}
			}
		}
		if err := s.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// all1 returns the rows of tenant 1 for which x holds, and how they were found.
func all1(t *testing.T, s call.Reader, x call.Expr) (rows []call.Row, p call.Plan) {
	t.Helper()
	q := call.Query{Tenant: call.GUID{1}, Where: x}
	for r, err := range s.Rows(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r.Clone())
	}
	return rows, call.PlanOf(q)
}
