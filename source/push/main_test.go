package push

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
	"github.com/trunklog/trunklog/refuse"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scale multiplies a test's number of tries; see TRUNKLOG_SCALE.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

// A memory is a sink and a state that keep everything in maps.
type memory struct {
	mu     sync.Mutex
	rows   map[string]call.Event
	state  map[string][]byte
	puts   []int // the number of events of each
	writes int

	put   func(ctx context.Context) error // called before anything is kept
	write func() error
}

// before sets the function that Put calls first.
func (m *memory) before(put func(ctx context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put = put
}

func newMemory() *memory {
	return &memory{rows: map[string]call.Event{}, state: map[string][]byte{}}
}

func (m *memory) Put(ctx context.Context, events ...call.Event) (out call.Outcome, err error) {
	m.mu.Lock()
	before := m.put
	m.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return out, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts = append(m.puts, len(events))
	out.Fates = make([]call.Fate, len(events))
	for i, e := range events {
		if e.Kind == call.PartEvent {
			out.Fates[i] = call.Open
			continue
		}
		if e.Row.ID.IsZero() {
			e.Row.ID = call.NameGUID("test", e.Call)
		}
		err := e.Row.Check()
		if e.Row.Caller == "refuse" {
			err = fmt.Errorf("%w: as it was told", call.ErrInvalid)
		}
		if err != nil {
			out.Fates[i] = call.Rejected
			out.Rejected = append(out.Rejected, call.Rejection{Event: i, Err: err})
			continue
		}
		id := e.Row.ID.String()
		old, ok := m.rows[id]
		switch {
		case !ok:
			out.Fates[i] = call.New
		case old.Row.Fold(&e.Row):
			out.Fates[i] = call.Changed
			e = old
		default:
			e = old
		}
		e.Row = e.Row.Clone()
		m.rows[id] = e
	}
	return out, nil
}

func (m *memory) State(_ context.Context, prefix string) iter.Seq2[call.Named, error] {
	m.mu.Lock()
	state := maps.Clone(m.state)
	m.mu.Unlock()
	return func(yield func(call.Named, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(state)) {
			if strings.HasPrefix(name, prefix) && !yield(call.Named{Name: name, Value: state[name]}, nil) {
				return
			}
		}
	}
}

func (m *memory) Write(_ context.Context, b call.Batch) (call.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.write != nil {
		if err := m.write(); err != nil {
			return call.Result{}, err
		}
	}
	m.writes++
	maps.Copy(m.state, b.State)
	maps.DeleteFunc(m.state, func(_ string, v []byte) bool { return v == nil })
	return call.Result{}, nil
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows)
}

var testTenant = call.NameGUID("tenant")

// A bench is a handler under test and its environment.
type bench struct {
	*Handler
	mem     *memory
	samples []Sample
	now     time.Time
	client  string
	kinds   []call.Kind // the arguments of Authorize
	still   func(context.Context) error
	mu      sync.Mutex
}

// newBench returns a bench. change may change the config.
func newBench(t testing.TB, change func(*Config)) *bench {
	b := &bench{mem: newMemory(), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), client: "client-1"}
	c := Config{
		Decode: graphjson.Decode,
		Sink:   func(Caller) call.Sink { return b.mem },
		Authorize: func(r *http.Request, kind call.Kind) (Admission, error) {
			switch r.Header.Get("Authorization") {
			case "no":
				return Admission{}, errors.New("no")
			case "later":
				return Admission{}, &refuse.Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", RetryAfter: time.Second}
			}
			in := Admission{Caller: Caller{testTenant, b.client}, Still: b.still}
			b.mu.Lock()
			b.kinds = append(b.kinds, kind)
			b.mu.Unlock()
			if name := r.Header.Get("Tenant"); name != "" {
				in.Tenant = call.NameGUID(name)
			} else if name := r.Header.Get("Client"); name != "" {
				in.Client = name
			}
			return in, nil
		},
		Fail:  fail,
		State: b.mem,
		Now: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.now
		},
		Reject: func(s Sample) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.samples = append(b.samples, s)
		},
	}
	if change != nil {
		change(&c)
	}
	b.Handler = New(c)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// pass moves the bench's clock on.
func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// fail answers about as the server does.
func fail(w http.ResponseWriter, _ *http.Request, c Caller, err error) {
	w.Header().Set("Caller", c.Client)
	var e *refuse.Error
	if !errors.As(err, &e) {
		e = &refuse.Error{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken"}
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	if e.Allow != "" {
		w.Header().Set("Allow", e.Allow)
	}
	w.WriteHeader(e.Status)
	var details []Problem
	for _, d := range e.Details {
		line, _ := strconv.ParseInt(strings.TrimPrefix(d.Target, "line "), 10, 64)
		details = append(details, Problem{line, d.Code, d.Message})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": e.Code, "message": e.Text(), "details": details}})
}

// An outcome is an answer, taken apart.
type outcome struct {
	status int
	head   http.Header
	text   string
	Answer
	Error struct {
		Code, Message string
		Details       []Problem
	}
}

// post delivers a body. Headers are given in pairs.
func (b *bench) post(t testing.TB, body string, header ...string) outcome {
	t.Helper()
	return b.send(t, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(body)), header...)
}

func (b *bench) send(t testing.TB, r *http.Request, header ...string) outcome {
	t.Helper()
	r.Header.Set("Content-Type", "application/x-ndjson")
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	o := outcome{status: w.Code, head: w.Header(), text: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			t.Fatalf("the answer is no JSON: %v: %s", err, w.Body)
		}
	}
	return o
}

// row returns row n as a line.
func row(n int) string {
	return fmt.Sprintf(`{"id":"%08x-0000-4000-8000-000000000001","correlationId":"%08x-0000-4000-8000-000000000002","startDateTime":"2026-10-01T00:00:00.%03dZ","inviteDateTime":"2026-09-30T23:59:58Z","endDateTime":"2026-10-01T00:01:00Z","duration":60,"callType":"ByotIn","successfulCall":true,"callerNumber":"+4930%07d","calleeNumber":"+4940123456","finalSipCode":0,"callEndSubReason":540000,"finalSipCodePhrase":"BYE","trunkFullyQualifiedDomainName":"sbc1.contoso.com","mediaBypassEnabled":false}`+"\n", n+1, n+1, n%1000, n)
}

// rows returns n rows, from row number from on.
func rows(from, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(row(from + i))
	}
	return b.String()
}

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// discard is a sink that keeps nothing.
type discard struct{}

func (discard) Put(_ context.Context, events ...call.Event) (call.Outcome, error) {
	return call.Outcome{Fates: slices.Repeat([]call.Fate{call.New}, len(events))}, nil
}
