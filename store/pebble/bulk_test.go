package pebble

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/trunklog/trunklog/call"
)

// TestBulk: a bulk store merges later, and the next opening finds all of it.
func TestBulk(t *testing.T) {
	disk := vfs.NewMem()
	o := Options{FS: disk, Reserve: -1, memTable: 256 << 10}
	made := newCalls(7)
	var want int64
	for _, bulk := range []bool{true, false, true} {
		o.Bulk = bulk
		s, err := Open("data", o)
		if err != nil {
			t.Fatal(err)
		}
		if got, once := s.pebbleOptions().L0CompactionThreshold, 4; bulk && got != 2*once || !bulk && got != once {
			t.Errorf("bulk %v: merges from %d on", bulk, got)
		}
		for range 6 {
			rows := made.batch(1000)
			if _, err := s.Write(t.Context(), call.Batch{Rows: rows, Keep: map[call.GUID]string{rows[0].Tenant: "kept"}}); err != nil {
				t.Fatal(err)
			}
			want += int64(len(rows))
		}
		if err := s.Check(t.Context(), func(problem string) { t.Error(problem) }); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Count(t.Context(), call.Query{Tenant: call.GUID{1}}); err != nil || n != want {
			t.Errorf("bulk %v: %d rows, not %d (%v)", bulk, n, want, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
