package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestPushKill: what a 2xx has acknowledged before the server was killed is
// there after it has started again, once, whatever eight senders were doing. A
// request that got no answer is sent again with its key, as senders do. The
// ledger lies outside of the server, and everything is seen through the API.
func TestPushKill(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	cycles := kit.Scale(t, 100)
	if testing.Short() {
		cycles = 3
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	data := filepath.Join(t.TempDir(), "data")
	token := newCollector(t, data, "contoso", contosoID)
	l := newPushLedger(token)
	for cycle := range cycles {
		s := start(t, data)
		if cycle%10 == 0 { // all of it takes longer each time
			l.verify(t, s, cycle)
		}
		l.replay(t, s, cycle)
		ctx, cancel := context.WithCancel(t.Context())
		var senders sync.WaitGroup
		before := l.count()
		for w := range 8 {
			senders.Go(func() { l.send(ctx, s, w) })
		}
		// Every other time enough is acknowledged before the power fails, however
		// busy the machine is.
		for deadline := time.Now().Add(patience); cycle%2 == 0 && l.count() < before+40 && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond) // between two looks
		}
		time.Sleep(time.Duration(50+random.IntN(300)) * time.Millisecond) // when the power fails is nobody's choice
		s.Kill()
		cancel()
		senders.Wait()
	}
	s := start(t, data)
	l.verify(t, s, cycles)
	if l.cut == 0 || len(l.acked) < 20*cycles {
		t.Errorf("%d requests were cut off and %d rows acknowledged in %d cycles: that proves nothing", l.cut, len(l.acked), cycles)
	}
	t.Logf("%d rows acknowledged in %d cycles, %d requests cut off; none lost, none doubled", len(l.acked), cycles, l.cut)
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if out, errs, code := command(t, "", "db", "check", "--data", data); code != 0 {
		t.Errorf("db check: %d\n%s%s", code, out, errs)
	}
}

// newCollector adds a tenant with a client that may deliver and read calls, and
// returns a token.
func newCollector(t testing.TB, data, name, id string) string {
	t.Helper()
	newTenant(t, data, name, id)
	var c credential
	out := must(t, "", "client", "create", "collector", "--data", data, "--tenant", name, "--role", "CallRecords.Ingest", "--role", "CallRecords.Read.All", "-o", "json")
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", name, "--client", c.ClientID, "--secret", c.ClientSecret))
}

// A delivery is one request and its answer.
type delivery struct {
	key, body string
	rows      []string // their caller numbers, which no two rows share
	answer    string   // empty if there was none
}

// A pushLedger knows which rows were acknowledged, and which may be there
// because their acknowledgement was cut off.
type pushLedger struct {
	token string

	mu      sync.Mutex
	next    int
	acked   map[string]bool     // by caller number
	answers map[string]delivery // by key
	open    [8]*delivery        // by sender: got no answer yet
	cut     int
	odd     []string // answers that no sender should get

	over atomic.Bool // the power fails: what is answered does not count
}

func newPushLedger(token string) *pushLedger {
	return &pushLedger{token: token, acked: map[string]bool{}, answers: map[string]delivery{}}
}

// count returns how many rows were acknowledged.
func (l *pushLedger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// make makes a request with 1 to 60 rows, or now and then with more than are
// written at once. Half of them have no GUID, so that their ids are made here,
// and some come in two parts.
func (l *pushLedger) make() *delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	d := &delivery{key: fmt.Sprintf("key-%d", l.next)}
	var b strings.Builder
	n := 1 + l.next*7%60
	if l.next%50 == 0 {
		n = 6000
	}
	for i := range n {
		number := fmt.Sprintf("+49%d-%d", l.next, i)
		d.rows = append(d.rows, number)
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", l.next, i)
		if i%2 == 0 {
			id = "sbc-" + number
		}
		if i%10 == 5 { // in two parts, now and then the last one first
			begin := fmt.Sprintf(`{"event":"partial","call":%q,"startDateTime":"2026-10-%02dT%02d:%02d:00Z","callerNumber":%q}`+"\n", id, 1+l.next%28, i%24, l.next%60, number)
			end := fmt.Sprintf(`{"event":"partial","call":%q,"duration":%d,"done":true}`+"\n", id, i)
			if i%20 == 15 {
				begin, end = end, begin
			}
			b.WriteString(begin + end)
			continue
		}
		fmt.Fprintf(&b, `{"id":%q,"startDateTime":"2026-10-%02dT%02d:%02d:00Z","callType":"ByotIn","callerNumber":%q,"duration":%d}`+"\n", id, 1+l.next%28, i%24, l.next%60, number, i)
	}
	d.body = b.String()
	return d
}

// send delivers until the server is gone. What was not answered is sent again.
func (l *pushLedger) send(ctx context.Context, s *server, sender int) {
	for ctx.Err() == nil {
		l.mu.Lock()
		d := l.open[sender]
		l.mu.Unlock()
		if d == nil {
			d = l.make()
		}
		status, answer, _, err := s.deliver(ctx, l.token, d.body, "Idempotency-Key", d.key)
		l.mu.Lock()
		if over := l.over.Load(); over || err != nil || status != http.StatusOK {
			if err == nil && !over { // a server that is killed says nothing
				l.odd = append(l.odd, fmt.Sprintf("%s: status %d: %s", d.key, status, answer))
			}
			l.open[sender] = d
			l.cut++
			l.mu.Unlock()
			return
		}
		d.answer = answer
		l.open[sender] = nil
		l.answers[d.key] = *d
		for _, number := range d.rows {
			l.acked[number] = true
		}
		l.mu.Unlock()
	}
}

// deliver posts a body and returns the answer.
func (s *server) deliver(ctx context.Context, token, body string, header ...string) (status int, answer string, head http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.addr+"/ingest/v1/calls", strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header, err
}

// verify follows all pages of the log and compares them with the ledger.
func (l *pushLedger) verify(t *testing.T, s *server, cycle int) {
	t.Helper()
	if len(l.odd) > 0 {
		t.Fatalf("cycle %d: %s", cycle, strings.Join(l.odd, "\n"))
	}
	seen := map[string]bool{}
	link := "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-10-01,toDateTime=2026-11-01)"
	for link != "" {
		res, body := s.do(t, http.MethodGet, link, l.token)
		var page struct {
			Value []struct{ CallerNumber string }
			Next  string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("cycle %d: status %d, %v: %.300s", cycle, res.StatusCode, err, body)
		}
		for _, r := range page.Value {
			if seen[r.CallerNumber] {
				t.Fatalf("cycle %d: row %s is there twice", cycle, r.CallerNumber)
			}
			seen[r.CallerNumber] = true
		}
		link = page.Next
	}
	unsure := 0
	for _, d := range l.open {
		if d != nil {
			unsure += len(d.rows)
		}
	}
	for number := range l.acked {
		if !seen[number] {
			t.Fatalf("cycle %d: row %s was acknowledged and is lost", cycle, number)
		}
	}
	if extra := len(seen) - len(l.acked); extra > unsure {
		t.Fatalf("cycle %d: %d rows more than were ever sent", cycle, extra-unsure)
	}
}

// replay sends a few requests again that were answered before the server was
// killed: they are answered the same.
func (l *pushLedger) replay(t *testing.T, s *server, cycle int) {
	t.Helper()
	n := 0
	for _, d := range l.answers {
		status, answer, head, err := s.deliver(t.Context(), l.token, d.body, "Idempotency-Key", d.key)
		if err != nil || status != http.StatusOK || answer != d.answer || head.Get("Idempotency-Replayed") != "true" {
			t.Fatalf("cycle %d: %s again: status %d, %v, %v: %s\nfirst it was %s", cycle, d.key, status, err, head, answer, d.answer)
		}
		if n++; n == 5 {
			return
		}
	}
}
