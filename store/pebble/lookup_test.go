package pebble

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestLookUpMany: of thousands of rows that share a value all come, once and in order, for any
// query; and a query for few reads few.
func TestLookUpMany(t *testing.T) {
	s := open1(t, t.TempDir(), Options{})
	t.Cleanup(func() { _ = s.Close() })
	tenant, shared := call.GUID{1}, call.GUID{2}
	at := time.Date(2026, 11, 1, 23, 59, 58, 0, time.UTC)
	const many = 5_000
	var b call.Batch
	for i := range many {
		r := call.Row{Tenant: tenant, CorrelationID: shared, Start: at.Add(time.Duration(i/1_000) * time.Second)}
		binary.BigEndian.PutUint32(r.ID[:], uint32(i/2)) // two in a place of the index
		r.ID[15] = byte(1 + i%2)
		r.Settle(call.CDR.Witness(), false)
		b.Rows = append(b.Rows, r)
	}
	if _, err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, reverse := range []bool{false, true} {
		for _, limit := range []int{1, 15, 16, 17, 48, 511, 1_000, 3_000, many, 0} {
			q := call.Query{Tenant: tenant, Where: call.Compare{Field: call.FieldCorrelationID, Value: shared}, From: at, To: at.Add(time.Hour), Reverse: reverse, Limit: limit}
			want := b.Rows
			n := 0
			for r, err := range s.Rows(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				i := n
				if reverse {
					i = many - 1 - n
				}
				if r.ID != want[i].ID {
					t.Fatalf("reverse %v, limit %d: row %d is %v, want %v", reverse, limit, n, r.ID, want[i].ID)
				}
				n++
			}
			if limit == 0 {
				limit = many
			}
			if n != limit {
				t.Errorf("reverse %v: %d rows, want %d", reverse, n, limit)
			}
		}
	}
}
