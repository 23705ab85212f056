package pebble

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestWalkOverCrash reads a walk page by page during writes, and cuts the power between any two
// pages, which loses writes that a page may have shown. The walk goes on in what is left: it meets
// no row twice, and each that was there all the time once.
func TestWalkOverCrash(t *testing.T) {
	seed := storetest.Seed(t)
	for i := range storetest.Scale(30) {
		walkOverCrash(t, rand.New(rand.NewPCG(seed, uint64(i))))
		if t.Failed() {
			t.Fatalf("walk %d of seed %d", i, seed)
		}
	}
}

// A mover moves rows, and removes and writes some of them, until the test stops it.
type mover struct {
	rows []call.Row
	stay int // how many rows it never removes
	rng  *rand.Rand
}

func (m *mover) run(t *testing.T, s *Store, stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case <-stop:
			return
		default:
		}
		var b call.Batch
		for range 1 + m.rng.IntN(5) {
			r := m.rows[m.rng.IntN(len(m.rows))]
			r.Start = r.Start.Add(time.Duration(m.rng.IntN(100)-50) * time.Minute)
			b.Rows = append(b.Rows, r)
		}
		if gone := m.rows[m.stay+m.rng.IntN(len(m.rows)-m.stay)]; m.rng.IntN(3) == 0 {
			b.Remove = []call.RowID{{Tenant: gone.Tenant, ID: gone.ID}}
		}
		if _, err := s.Write(t.Context(), b); err != nil {
			t.Errorf("write: %v", err)
			return
		}
	}
}

func walkOverCrash(t *testing.T, rng *rand.Rand) {
	m := &mover{stay: 40, rng: rand.New(rand.NewPCG(rng.Uint64(), 1))}
	tenant := call.NameGUID("tenant")
	for i := range 60 {
		r := call.Row{Tenant: tenant, ID: call.NameGUID(fmt.Sprint(i)), Start: time.Date(2026, 3, 4, 5, i, 0, 0, time.UTC)}
		r.Settle(call.Graph.Witness(), false) // who corrects itself
		m.rows = append(m.rows, r)
	}
	disk := vfs.NewCrashableMem()
	s, stop, done := m.begin(t, disk, m.rows...)
	v, err := s.Latest(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	q := call.Query{Tenant: tenant, Walk: v, Limit: 1 + rng.IntN(9), Reverse: rng.IntN(2) == 0}
	times := map[call.GUID]int{}
	for n := q.Limit; n == q.Limit; {
		n = 0
		for r, err := range s.Rows(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			times[r.ID]++
			n++
			q.After = r.Place()
		}
		if rng.IntN(3) == 0 {
			left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 25 * rng.IntN(4), RNG: rng})
			close(stop)
			<-done
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			disk = left
			s, stop, done = m.begin(t, disk)
		}
	}
	close(stop)
	<-done
	for i, r := range m.rows {
		if n := times[r.ID]; n > 1 || n == 0 && i < m.stay {
			t.Errorf("row %d was met %d times", i, n)
		}
	}
	verifyCheck(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// begin opens the store on a disk, writes rows, and lets the mover run.
func (m *mover) begin(t *testing.T, disk vfs.FS, rows ...call.Row) (s *Store, stop, done chan struct{}) {
	t.Helper()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	stop, done = make(chan struct{}), make(chan struct{})
	go m.run(t, s, stop, done)
	return s, stop, done
}
