package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// TestHearKill: calls that are heard over TCP while the server is killed again
// and again become one row each, as long as the sender repeats the calls that it
// has not seen in the log; and what was in the log stays in it.
func TestHearKill(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	cycles := kit.Scale(t, 100)
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
	address := kit.FreeAddress(t)
	listen := "lab=hep+tcp://" + address + "?" + url.Values{"tenant": {"contoso"}}.Encode()
	l := newHeardLedger(tenantID, seed, 20*cycles)
	for cycle := range cycles {
		s := start(t, data, "--source", listen)
		l.verify(t, s, fmt.Sprint("cycle ", cycle))
		sent := make(chan struct{})
		order := random.Uint64()
		go func() {
			defer close(sent)
			l.send(address, order)
		}()
		time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond) // when the power fails is nobody's choice
		s.Kill()
		<-sent
	}
	s := start(t, data, "--source", listen)
	for deadline := time.Now().Add(patience); l.verify(t, s, "at the end") < len(l.calls); {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d calls have become rows; others are as in %s", len(l.seen), len(l.calls), l.other)
		}
		l.send(address, random.Uint64())
		time.Sleep(100 * time.Millisecond) // between two looks
	}
	t.Logf("%d calls in %d cycles, each is one row", len(l.calls), cycles)
	if out, errs, code := command(t, "", "db", "check", "--data", data); code != 0 {
		t.Errorf("db check: %d\n%s%s", code, out, errs)
	}
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// A heardLedger knows the calls that a sender tells of, and which of them it has
// seen in the log, whole. It lies outside the server.
type heardLedger struct {
	tenant call.GUID
	calls  []call.Row
	byID   map[call.GUID]*call.Row
	seen   map[call.GUID]bool
	next   int    // of calls: has not been sent
	other  string // a row that is not whole, and its call
}

func newHeardLedger(tenant call.GUID, seed uint64, calls int) *heardLedger {
	l := &heardLedger{tenant: tenant, byID: map[call.GUID]*call.Row{}, seen: map[call.GUID]bool{}}
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	for r := range gen.Rows(gen.Config{Rows: calls, Seed: seed, From: from, To: from.AddDate(0, 0, 1)}) {
		l.calls = append(l.calls, r.Clone())
	}
	for i := range l.calls {
		l.byID[l.calls[i].ID] = &l.calls[i]
	}
	return l
}

// send tells of the calls that have not been seen in the log, the new ones last,
// until the server is gone. Their messages are mixed, and some come twice.
func (l *heardLedger) send(address string, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	l.next = min(l.next+50, len(l.calls))
	var packets [][]byte
	for i := range l.calls[:l.next] {
		if l.seen[l.calls[i].ID] {
			continue
		}
		for _, m := range gen.SIP(&l.calls[i]) {
			p := hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: 6, Payload: m.Raw}
			packets = append(packets, p.Append(nil))
		}
	}
	packets = append(packets, packets[:len(packets)/4]...)
	random.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	for _, p := range packets {
		if _, err := conn.Write(p); err != nil {
			return
		}
	}
}

// verify compares the log with the ledger, notes what it has seen, and returns
// how many calls that are.
func (l *heardLedger) verify(t *testing.T, s *server, when string) int {
	t.Helper()
	st, err := admin.Dial(t.Context(), datadir.Socket(s.data), s.version)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now, whole := map[call.GUID]bool{}, map[call.GUID]bool{}
	for r, err := range st.Rows(t.Context(), call.Query{Tenant: l.tenant}) {
		if err != nil {
			t.Fatal(err)
		}
		want := l.byID[r.ID]
		switch {
		case want == nil:
			t.Fatalf("%s: row %v is of no call", when, r.ID)
		case r.Sound() != nil:
			t.Fatalf("%s: %v", when, r.Sound())
		case now[r.ID]:
			t.Fatalf("%s: row %v is there twice", when, r.ID)
		case r.Successful != want.Successful, r.Caller != want.Caller, r.Callee != want.Callee, !about(r.End, want.End), !r.Invite.IsZero() && !about(r.Invite, want.Invite):
			t.Fatalf("%s: row %v is not what was sent:\n%+v\n%+v", when, r.ID, *r, *want)
		}
		now[r.ID] = true
		// Of a call whose messages were cut off by the kill, those of the other hop
		// stand in until they are repeated. If none of them is the INVITE, the row is
		// written without it after some seconds (ingest.Times.Orphan).
		// The INVITE changes such a row when it is repeated, and may move it.
		invited := r.Invite.Equal(want.Invite.Truncate(time.Microsecond)) || r.Invite.Equal(r.Start) && about(r.Invite, want.Invite)
		if r.End.Equal(want.End.Truncate(time.Microsecond)) && invited {
			whole[r.ID] = true
		} else {
			l.other = fmt.Sprintf("\n%+v\n%+v", *r, *want)
		}
	}
	for id := range l.seen {
		if !now[id] {
			t.Fatalf("%s: row %v was in the log and is lost", when, id)
		}
	}
	l.seen = whole
	return len(whole)
}

// about reports whether two times differ by no more than a proxy needs.
func about(a, b time.Time) bool { return a.Sub(b).Abs() < 10*time.Millisecond }
