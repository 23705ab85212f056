package pebble

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A ledger records the answers to writers, beyond the reach of a crash.
type ledger struct {
	mu    sync.Mutex
	acked []int // batches
}

func (l *ledger) ack(batch int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, batch)
}

func (l *ledger) copy() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int(nil), l.acked...)
}

// batchOf returns the n-th batch of a test: some rows, some of which other
// batches have too, and a state that is there if the batch is.
func batchOf(rows []call.Row, n int) call.Batch {
	at := n * 7 % len(rows)
	return call.Batch{
		Rows:  rows[at:min(at+10, len(rows))],
		State: map[string][]byte{fmt.Sprintf("batch/%d", n): fmt.Append(nil, n)},
	}
}

// verifyBatches checks that each batch is there in full, or not at all.
func verifyBatches(t *testing.T, s *Store, rows []call.Row, total int, acked []int) {
	t.Helper()
	state, err := call.Values(t.Context(), s, "batch/")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range acked {
		if _, ok := state[fmt.Sprintf("batch/%d", n)]; !ok {
			t.Errorf("batch %d was confirmed and is lost", n)
		}
	}
	there := map[call.GUID]bool{}
	for n := range total {
		if _, ok := state[fmt.Sprintf("batch/%d", n)]; !ok {
			continue
		}
		for _, r := range batchOf(rows, n).Rows {
			there[r.ID] = true
			if got, err := s.Row(t.Context(), r.Tenant, r.ID); err != nil || !got.Equal(&r) {
				t.Errorf("batch %d is there, its row %v is %v, %v", n, r.ID, got, err)
			}
		}
	}
	for _, r := range rows {
		if _, err := s.Row(t.Context(), r.Tenant, r.ID); (err == nil) != there[r.ID] {
			t.Errorf("row %v: %v, though its batches are there: %v", r.ID, err, there[r.ID])
		}
	}
	verifyCheck(t, s)
}

func verifyCheck(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Check(t.Context(), func(problem string) { t.Errorf("check: %s", problem) }); err != nil {
		t.Errorf("check: %v", err)
	}
}

// TestCrash cuts the power at random moments under several writers: after
// Write has returned, the rows are there; no batch is there in part.
func TestCrash(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 1))
	for range storetest.Scale(40) {
		crashOnce(t, rng)
		if t.Failed() {
			return
		}
	}
}

func crashOnce(t *testing.T, rng *rand.Rand) {
	const writers, each = 4, 15
	rows := storetest.Rows(rng.Uint64(), 300)
	disk := vfs.NewCrashableMem()
	o := testOptions(t, disk)
	o.memTable = 64 << 10 // so that tables are written meanwhile
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var told ledger
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				if _, err := s.Write(t.Context(), batchOf(rows, n)); err != nil {
					t.Errorf("batch %d: %v", n, err)
					return
				}
				told.ack(n)
			}
		})
	}
	// One crash somewhere in the middle, one at the end.
	for range rng.IntN(200) {
		_ = s.life.enter(t.Context())
		s.life.leave()
	}
	for _, wait := range []bool{false, true} {
		if wait {
			wg.Wait()
		}
		for _, percent := range []int{0, 10, 50, 90} {
			acked := told.copy()
			clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			again, err := Open("store", testOptions(t, clone))
			if err != nil {
				t.Errorf("open after a crash with %d %% of what was not synced: %v", percent, err)
				continue
			}
			verifyBatches(t, again, rows, writers*each, acked)
			if err := again.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	}
}

// TestCrashInTrim cuts the power between the batches of Trim: what is left is
// consistent, and Trim done again finishes it.
func TestCrashInTrim(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 2))
	rows := storetest.Rows(rng.Uint64(), 500)
	disk := vfs.NewCrashableMem()
	o := testOptions(t, disk)
	o.trimChunk = 10
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	before := time.Date(2024, 2, 29, 13, 14, 15, 0, time.UTC)
	done := make(chan error, 1)
	go func() {
		for _, tenant := range storetest.Tenants() {
			if _, err := s.Trim(t.Context(), tenant, before); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for over := false; !over; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			over = true
		default:
		}
		clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		trimAgain(t, clone, rows, before)
	}
}

func trimAgain(t *testing.T, disk vfs.FS, rows []call.Row, before time.Time) {
	t.Helper()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	verifyCheck(t, s)
	for _, tenant := range storetest.Tenants() {
		if _, err := s.Trim(t.Context(), tenant, before); err != nil {
			t.Fatal(err)
		}
	}
	verifyCheck(t, s)
	for _, r := range rows {
		if _, err := s.Row(t.Context(), r.Tenant, r.ID); (err == nil) == r.Start.Before(before) {
			t.Errorf("row of %v after Trim: %v", r.Start, err)
		}
	}
}
