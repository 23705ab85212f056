package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/socket"
)

// TestKill: what was acknowledged before the server was killed is there after
// it has started again, whatever eight writers were doing. The ledger of what
// was acknowledged lies outside the server.
func TestKill(t *testing.T) {
	t.Parallel() // it mostly waits for processes
	cycles := 50 * scale()
	if testing.Short() {
		cycles = 5
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	tenantID, err := call.ParseGUID(contosoID)
	if err != nil {
		t.Fatal(err)
	}
	ledger := &ledger{tenant: tenantID, acked: map[call.GUID]time.Time{}}
	for cycle := range cycles {
		s := start(t, data)
		ledger.verify(t, s, cycle)
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() { ledger.write(ctx, s, fmt.Sprintf("%d-%d", cycle, w)) })
		}
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond) // when the power fails is nobody's choice
		s.kill()
		cancel()
		writers.Wait()
	}
	s := start(t, data)
	ledger.verify(t, s, cycles)
	t.Logf("%d rows acknowledged in %d cycles, none lost", len(ledger.acked), cycles)
	if out, errs, code := command(t, "", "db", "check", "--data", data); code != 0 {
		t.Errorf("db check: %d\n%s%s", code, out, errs)
	}
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A ledger knows which rows were acknowledged, and which may be there because
// their acknowledgement was cut off.
type ledger struct {
	tenant call.GUID
	mu     sync.Mutex
	acked  map[call.GUID]time.Time // id → start
	unsure int
}

// write writes batches of 1 to 50 rows until the server is gone.
func (l *ledger) write(ctx context.Context, s *server, name string) {
	st, err := socket.Dial(ctx, socketPath(s.data), version())
	if err != nil {
		return
	}
	defer st.Close()
	for n := 0; ; n++ {
		var rows []call.Row
		for i := range 1 + n%50 {
			r := call.Row{
				Tenant: l.tenant,
				ID:     call.NameGUID(name, fmt.Sprint(n, i)),
				Start:  time.Date(2026, 10, 1+n%28, i%24, n%60, 0, 0, time.UTC),
				Caller: "+4930" + fmt.Sprint(n), CallType: "ByotIn",
			}
			r.Settle(call.Graph.Witness(), true)
			rows = append(rows, r)
		}
		_, err := st.Write(ctx, call.Batch{Rows: rows})
		l.mu.Lock()
		if err != nil {
			l.unsure += len(rows)
			l.mu.Unlock()
			return
		}
		for i := range rows {
			l.acked[rows[i].ID] = rows[i].Start
		}
		l.mu.Unlock()
	}
}

// verify reads the whole log and compares it with the ledger.
func (l *ledger) verify(t *testing.T, s *server, cycle int) {
	t.Helper()
	st, err := socket.Dial(t.Context(), socketPath(s.data), version())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	seen := map[call.GUID]bool{}
	for r, err := range st.Rows(t.Context(), call.Query{Tenant: l.tenant}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.ID] {
			t.Fatalf("cycle %d: row %v is there twice", cycle, r.ID)
		}
		seen[r.ID] = true
		if !strings.HasPrefix(r.Caller, "+4930") {
			t.Fatalf("cycle %d: row %v is torn", cycle, r.ID)
		}
	}
	for id, start := range l.acked {
		if !seen[id] {
			t.Fatalf("cycle %d: row %v of %v was acknowledged and is lost", cycle, id, start)
		}
	}
	if extra := len(seen) - len(l.acked); extra > l.unsure {
		t.Fatalf("cycle %d: %d rows more than were ever written", cycle, extra-l.unsure)
	}
	n, err := st.Count(t.Context(), call.Query{Tenant: l.tenant})
	if err != nil || n != int64(len(seen)) {
		t.Fatalf("cycle %d: count is %d, %v; there are %d rows", cycle, n, err, len(seen))
	}
}
