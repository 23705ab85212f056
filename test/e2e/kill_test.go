package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/test/kit"
)

// TestKill: what was acknowledged before the server was killed is there after
// it has started again, whatever writers and senders were doing. The ledgers of
// what was acknowledged lie outside the server. Each round has a store of its
// own, because all that was acknowledged is read after each kill.
func TestKill(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	rounds, cycles := kit.Scale(t, 1), 50
	if testing.Short() {
		cycles = 5
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rows := 0
	for round := range rounds {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { rows += killOften(t, random, cycles) })
	}
	t.Logf("%d rows acknowledged in %d cycles, none lost", rows, rounds*cycles)
}

// killOften returns how many rows were acknowledged.
func killOften(t *testing.T, random *rand.Rand, cycles int) int {
	m := newMixed(t, filepath.Join(t.TempDir(), "data"))
	for cycle := range cycles {
		s := start(t, m.data)
		m.verify(t, s, cycle)
		ctx, cancel := context.WithCancel(t.Context())
		wait := m.load(ctx, s, fmt.Sprint(cycle))
		m.fill(cycle)
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond) // when the power fails is nobody's choice
		s.Kill()
		cancel()
		wait()
	}
	return m.finish(t, cycles)
}

// A mixed load has writers of rows and senders of calls, each with a tenant and
// a ledger of its own.
type mixed struct {
	data   string
	rows   *ledger
	pushes *pushLedger
}

func newMixed(t *testing.T, data string) *mixed {
	t.Helper()
	newTenant(t, data, "contoso", contosoID)
	tenantID, err := call.ParseGUID(contosoID)
	if err != nil {
		t.Fatal(err)
	}
	return &mixed{
		data:   data,
		rows:   &ledger{tenant: tenantID, acked: map[call.GUID]time.Time{}},
		pushes: newPushLedger(newCollector(t, data, "fabrikam", fabrikamID)),
	}
}

// load writes and sends until the server is gone; wait waits for that. Meanwhile
// tables are written and merged, so that there is more than the log to lose.
func (m *mixed) load(ctx context.Context, s *server, name string) (wait func()) {
	var busy sync.WaitGroup
	for w := range 6 {
		busy.Go(func() { m.rows.write(ctx, s, fmt.Sprintf("%s-%d", name, w)) })
	}
	for w := range 2 {
		busy.Go(func() { m.pushes.send(ctx, s, w) })
	}
	busy.Go(func() { compact(ctx, s) })
	return busy.Wait
}

// fill waits, every other time, until enough is acknowledged, however busy the
// machine is.
func (m *mixed) fill(cycle int) {
	if cycle%2 != 0 {
		return
	}
	rows, calls := m.rows.count()+2, m.pushes.count()+2
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && (m.rows.count() < rows || m.pushes.count() < calls); {
		time.Sleep(5 * time.Millisecond) // between two looks
	}
}

// compact does so again and again until the server is gone.
func compact(ctx context.Context, s *server) {
	st, err := admin.Dial(ctx, datadir.Socket(s.data), s.version)
	if err != nil {
		return
	}
	defer st.Close()
	for st.Compact(ctx) == nil {
		time.Sleep(20 * time.Millisecond) // so that it is not all that the server does
	}
}

// cut says that the power fails: what is acknowledged from now on does not
// count.
func (m *mixed) cut(now bool) {
	m.rows.over.Store(now)
	m.pushes.over.Store(now)
}

func (m *mixed) verify(t *testing.T, s *server, cycle int) {
	t.Helper()
	m.rows.verify(t, s, cycle)
	m.pushes.verify(t, s, cycle)
	m.pushes.replay(t, s, cycle)
}

// finish starts the server once more, stops it in order, checks its store and
// returns how many rows were acknowledged.
func (m *mixed) finish(t *testing.T, cycle int) int {
	t.Helper()
	s := start(t, m.data)
	m.verify(t, s, cycle)
	if out, errs, code := command(t, "", "db", "check", "--data", m.data); code != 0 {
		t.Errorf("db check: %d\n%s%s", code, out, errs)
	}
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if m.rows.count() < cycle || m.pushes.count() < cycle {
		t.Errorf("%d rows and %d calls were acknowledged in %d cycles: that proves nothing", m.rows.count(), m.pushes.count(), cycle)
	}
	return m.rows.count() + m.pushes.count()
}

// A ledger knows which rows were acknowledged, and which may be there because
// their acknowledgement was cut off.
type ledger struct {
	tenant call.GUID
	mu     sync.Mutex
	acked  map[call.GUID]time.Time // id → start
	unsure int
	over   atomic.Bool // the power fails: what is acknowledged does not count
}

// count returns how many rows were acknowledged.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// write writes batches of 1 to 50 rows until the server is gone.
func (l *ledger) write(ctx context.Context, s *server, name string) {
	st, err := admin.Dial(ctx, datadir.Socket(s.data), s.version)
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
		if err != nil || l.over.Load() {
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
	st, err := admin.Dial(t.Context(), datadir.Socket(s.data), s.version)
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
