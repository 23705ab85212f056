package hep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
	"github.com/trunklog/trunklog/sip/siptest"
)

// A recorder is a sink that keeps the events it gets.
type recorder struct {
	mu     sync.Mutex
	dumps  map[string][]string // the signals' text, by Call-ID
	raws   map[string]string
	times  map[string]time.Time
	puts   int
	most   int   // the most events in one put
	fail   error // returned by Put, if not nil
	failed int
	gate   chan struct{} // Put waits for it, if not nil
	at     chan struct{} // gets each put that begins, if not nil
}

func newRecorder() *recorder {
	return &recorder{dumps: map[string][]string{}, raws: map[string]string{}, times: map[string]time.Time{}}
}

func (r *recorder) Put(ctx context.Context, events ...call.Event) (call.Outcome, error) {
	return call.Outcome{}, r.put(ctx, events)
}

func (r *recorder) put(ctx context.Context, events []call.Event) error {
	r.mu.Lock()
	gate, at := r.gate, r.at
	r.mu.Unlock()
	if at != nil {
		select {
		case at <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		r.failed++
		return r.fail
	}
	r.puts++
	r.most = max(r.most, len(events))
	for _, e := range events {
		if e.Kind != call.MessageEvent || e.Call != e.Signal.CallID {
			return fmt.Errorf("%v, call %q of Call-ID %q", e.Kind, e.Call, e.Signal.CallID)
		}
		id := strings.Clone(e.Call)
		r.dumps[id] = append(r.dumps[id], siptest.Dump(e.Signal))
		r.raws[id] = string(e.Signal.Raw)
		r.times[id] = e.Signal.At
	}
	return nil
}

func (r *recorder) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.dumps))
}

func (r *recorder) set(f func(r *recorder)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

// A running is a source whose Run has begun.
type running struct {
	*testing.T
	*Source
	sink *recorder
	stop context.CancelFunc
	done chan error

	mu      sync.Mutex
	rejects map[string][][]byte
	logs    bytes.Buffer
}

func testURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// run starts a source and stops it at the end of the test.
func run(t *testing.T, u string, sink *recorder, change ...func(*Options)) *running {
	t.Helper()
	r := &running{T: t, sink: sink, done: make(chan error, 1), rejects: map[string][][]byte{}}
	o := Options{
		Now: func() time.Time { return benchTime },
		Raw: true,
		Log: slog.New(slog.NewTextHandler(locked{&r.mu, &r.logs}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Reject: func(cause string, sample []byte) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.rejects[cause] = append(r.rejects[cause], sample)
		},
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(testURL(t, u), o)
	if err != nil {
		t.Fatal(err)
	}
	r.Source = s
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.done <- s.Run(ctx, "", sink)
		close(r.done)
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
		r.balance()
	})
	return r
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// balance checks that every packet and message is counted, and every connection closed.
func (r *running) balance() {
	r.Helper()
	s := r.Stats()
	if accounted := s.Messages + sum(s.Refused); accounted != s.Packets+s.Further {
		r.Errorf("%d packets came, and %d came to something: %+v", s.Packets, accounted, s)
	}
	if s.Connections != 0 {
		r.Errorf("%d connections are open at the end", s.Connections)
	}
}

func sum(counts [NumCauses]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// until waits until f holds.
func (r *running) until(what string, f func(Stats) bool) {
	r.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		s := r.Stats()
		if f(s) {
			return
		}
		if time.Now().After(end) {
			r.Fatalf("%s did not happen: %+v", what, s)
		}
		pause()
	}
}

// pause lets other goroutines run before the test looks again.
func pause() {
	t := time.NewTimer(2 * time.Millisecond)
	<-t.C
}

func (r *running) messages(n uint64) {
	r.Helper()
	r.until(fmt.Sprintf("%d messages", n), func(s Stats) bool { return s.Messages >= n })
}

// dial connects to the source.
func (r *running) dial() net.Conn {
	r.Helper()
	c, err := net.Dial(r.Addr().Network(), r.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *running) send(c net.Conn, packets ...[]byte) {
	r.Helper()
	for _, p := range packets {
		if _, err := c.Write(p); err != nil {
			r.Fatal(err)
		}
	}
}

// refused returns the counted causes, such as "magic 1, auth 2".
func (r *running) refused() string {
	s := r.Stats()
	var out []string
	for _, c := range Causes() {
		if n := s.Refused[c]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d", c.String(), n))
		}
	}
	return strings.Join(out, ", ")
}

var bothNetworks = []string{"hep+udp://127.0.0.1:0", "hep+tcp://127.0.0.1:0", "hep+udp://[::1]:0", "hep+tcp://[::1]:0"}

// TestSource sends messages of all kinds and compares the signals with them.
func TestSource(t *testing.T) {
	for _, u := range bothNetworks {
		t.Run(u, func(t *testing.T) {
			r := run(t, u, newRecorder())
			c := r.dial()
			want := map[string]string{}
			raws := map[string]string{}
			for i, msg := range siptest.TeamsCall(t) {
				id := strconv.Itoa(i)
				line := "CALL-ID"
				if !bytes.Contains(msg, []byte(line)) {
					line = "Call-ID"
				}
				before, after, _ := strings.Cut(string(msg), line+": ")
				msg := before + line + ": " + id + ";" + after
				id += ";" + strings.TrimSpace(strings.SplitN(after, "\r\n", 2)[0])
				d := draft{at: benchTime.Add(time.Duration(i) * time.Microsecond), src: "52.114.75.24:5061", dst: "[2001:db8::1]:5061", payload: msg, key: "ignored"}
				if i%3 == 1 {
					d.payload, d.packed = zlibbed(msg), true
				}
				var s call.Signal
				var o opener
				if _, cause := o.open(d.bytes(), &s); cause != 0 {
					t.Fatal(cause)
				}
				want[id], raws[id] = siptest.Dump(&s), string(sip.Strip(nil, []byte(msg)))
				r.send(c, d.bytes())
			}
			r.messages(uint64(len(want)))
			for id, text := range want {
				if got := r.sink.dumps[id]; len(got) != 1 || got[0] != text {
					t.Errorf("%s:\n%s\nwant:\n%s", id, got, text)
				}
				if got := r.sink.raws[id]; got != raws[id] {
					t.Errorf("%s: %q was kept, want %q", id, got, raws[id])
				}
			}
			if s := r.Stats(); s.Packets != uint64(len(want)) || s.Bytes == 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// TestSourceBadInput sends unusable packets between good ones.
func TestSourceBadInput(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for _, u := range bothNetworks[:2] {
		t.Run(u, func(t *testing.T) {
			r := run(t, u+"?auth=right-q7", newRecorder())
			good := func(id string) []byte {
				return draft{at: benchTime, key: "right-q7", payload: message(id)}.bytes()
			}
			bad := [][]byte{
				draft{at: benchTime, key: "wrong", payload: bye}.bytes(),
				draft{at: benchTime, payload: bye}.bytes(),
				draft{at: benchTime, key: "right-q7", kind: 5, payload: "{}"}.bytes(),
				draft{at: benchTime, key: "right-q7", payload: "OPTIONS sip:b SIP/2.0\r\n\r\n"}.bytes(),
				draft{at: benchTime, key: "right-q7", payload: strings.Replace(bye, "1 BYE", "x BYE", 1)}.bytes(),
				draft{at: benchTime, key: "right-q7", payload: string(noise)}.bytes(),
				draft{at: benchTime, key: "right-q7", payload: bye, extra: []byte{0, 0, 0, 13, 0, 0}}.bytes(),
				draft{at: benchTime, key: "right-q7", payload: bye, extra: []byte{0, 0, 0, 13, 0, 9}}.bytes(),
				draft{at: benchTime, key: "right-q7", payload: "zlib", packed: true}.bytes(),
				[]byte("HEP3\x00\x06"),
			}
			c := r.dial()
			for i, b := range bad {
				r.send(c, good(strconv.Itoa(i)), b)
			}
			r.send(c, good("last"))
			r.until("all packets", func(s Stats) bool { return s.Packets == uint64(2*len(bad)+1) })
			r.messages(uint64(len(bad) + 1))
			want := "chunk-zero 1, chunk-overrun 1, auth 3, payload-type 1, compression 1, sip-first-line 1, sip-call-id 1, sip-cseq 1"
			if got := r.refused(); got != want {
				t.Errorf("refused: %s, want %s", got, want)
			}
			if got := len(r.sink.ids()); got != len(bad)+1 {
				t.Errorf("%d calls, want %d", got, len(bad)+1)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			var causes []string
			for _, cause := range slices.Sorted(maps.Keys(r.rejects)) {
				causes = append(causes, fmt.Sprint(cause, " ", len(r.rejects[cause])))
			}
			// At most one a second, and the clock stands still.
			if got := strings.Join(causes, ", "); got != "auth 1, chunk-overrun 1, chunk-zero 1, compression 1, sip-call-id 1, sip-cseq 1, sip-first-line 1" {
				t.Errorf("rejects: %s", got)
			}
			for cause, samples := range r.rejects {
				if bytes.Contains(samples[0], []byte("wrong")) || bytes.Contains(samples[0], []byte("right-q7")) {
					t.Errorf("the sample of %s tells the auth key: %q", cause, samples[0])
				}
			}
		})
	}
}

// TestRejectOnceASecond checks how often the source calls Reject.
func TestRejectOnceASecond(t *testing.T) {
	now := benchTime
	shown := map[string]int{}
	s, err := New(testURL(t, "hep+udp://127.0.0.1:0"), Options{Now: func() time.Time { return now }, Reject: func(cause string, _ []byte) { shown[cause]++ }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		s.refuse(Magic, netip.AddrPort{}, []byte("x"), nil)
		s.refuse(Short, netip.AddrPort{}, []byte("x"), nil)
		s.refuse(PayloadType, netip.AddrPort{}, []byte("x"), nil)
		if now = now.Add(100 * time.Millisecond); i == 30 {
			now = now.Add(-time.Hour) // the clock was set back
		}
	}
	if shown["magic"] != 6 || shown["short"] != 6 || shown["payload-type"] != 0 {
		t.Errorf("shown in 5 s: %v", shown)
	}
	if got := s.Stats().Refused; got[Magic] != 50 || got[PayloadType] != 50 {
		t.Errorf("counted: %v", got)
	}
}

// TestTimesThatAreOff checks that packets whose time is far from the clock get the time of arrival.
func TestTimesThatAreOff(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	c := r.dial()
	times := map[string]struct {
		at   time.Time
		kept bool
	}{
		"none": {}, "1970": {time.Unix(86400, 0), false}, "2 years ago": {benchTime.AddDate(-2, 0, 0), false}, "next week": {benchTime.AddDate(0, 0, 7), false},
		"now": {benchTime, true}, "an hour ahead": {benchTime.Add(time.Hour), true}, "last month": {benchTime.AddDate(0, -1, 0), true},
	}
	for name, x := range times {
		r.send(c, draft{at: x.at, payload: message(name)}.bytes())
	}
	r.messages(uint64(len(times)))
	for name, x := range times {
		want := x.at
		if !x.kept {
			want = benchTime
		}
		if got := r.sink.times[name]; !got.Equal(want) {
			t.Errorf("%s: %v became %v, want %v", name, x.at, got, want)
		}
	}
	if s := r.Stats(); s.Retimed != 4 || r.refused() != "" {
		t.Errorf("retimed %d, refused %q", s.Retimed, r.refused())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rejects["time"]) != 1 {
		t.Errorf("rejects %v", r.rejects)
	}
}

// TestSinkIsFull checks that the source tries again while the sink is full, and loses nothing
// meanwhile.
func TestSinkIsFull(t *testing.T) {
	for _, u := range bothNetworks[:2] {
		t.Run(u, func(t *testing.T) {
			sink := newRecorder()
			sink.fail = fmt.Errorf("no space: %w", call.ErrFull)
			r := run(t, u, sink)
			c := r.dial()
			r.send(c, packet("a"))
			r.until("three tries", func(Stats) bool {
				var tried int
				sink.set(func(s *recorder) { tried = s.failed })
				return tried >= 3
			})
			r.send(c, packet("b"), packet("c"))
			sink.set(func(s *recorder) { s.fail = nil })
			r.messages(3)
			if got := fmt.Sprint(sink.ids(), r.refused()); got != "[a b c]" {
				t.Error(got)
			}
		})
	}
}

// TestSinkFails checks that any other error of the sink ends Run, which returns it.
func TestSinkFails(t *testing.T) {
	for _, u := range bothNetworks[:2] {
		t.Run(u, func(t *testing.T) {
			sink := newRecorder()
			sink.fail = call.ErrClosed
			r := run(t, u, sink)
			c := r.dial()
			for _, id := range []string{"a", "b", "c"} {
				_, _ = c.Write(packet(id)) // the source may have closed it by now
			}
			err := <-r.done
			if !errors.Is(err, call.ErrClosed) || !strings.Contains(err.Error(), r.Addr().String()) {
				t.Errorf("Run returned %v", err)
			}
			if s := r.Stats(); s.Refused[Stopped] == 0 || s.Refused[Stopped] != s.Packets {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestStop checks that a source that stops puts what it has received, and that Run then returns
// nil.
func TestStop(t *testing.T) {
	for _, u := range bothNetworks[:2] {
		t.Run(u, func(t *testing.T) {
			sink := newRecorder()
			sink.gate, sink.at = make(chan struct{}), make(chan struct{})
			r := run(t, u, sink)
			c := r.dial()
			r.send(c, packet("0"))
			<-sink.at
			const n = 20
			for i := range n {
				r.send(c, packet(strconv.Itoa(i+1)))
			}
			// Over TCP the source reads only as far as it has room.
			all := uint64(n + 1)
			if strings.Contains(u, "tcp") {
				all = 2
			}
			r.until("reading", func(s Stats) bool { return s.Packets >= all })
			sink.set(func(s *recorder) { s.at = nil })
			r.stop()
			close(sink.gate)
			if err := <-r.done; err != nil {
				t.Errorf("Run returned %v", err)
			}
			// A packet of which only a part came may be lost.
			s := r.Stats()
			if got := uint64(len(sink.ids())); got != s.Messages || s.Messages < all || s.Packets-s.Messages > 1 || s.Packets-s.Messages != s.Refused[Stopped] {
				t.Errorf("%d messages were put: %+v", got, s)
			}
		})
	}
}

// TestRunAgain checks that a source can run again, at any address that the system gives it, which
// may be the old one.
func TestRunAgain(t *testing.T) {
	for _, u := range bothNetworks[:2] {
		r := run(t, u, newRecorder())
		r.send(r.dial(), packet("a"))
		r.messages(1)
		r.stop()
		<-r.done
		again, stop := context.WithCancel(t.Context())
		if err := r.Listen(again); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- r.Source.Run(again, "", r.sink) }()
		r.send(r.dial(), packet("b"))
		r.messages(2)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestListenErrors checks that Listen returns the error of an address in use, and that a source
// that never ran can be closed.
func TestListenErrors(t *testing.T) {
	for _, u := range bothNetworks[:2] {
		s, err := New(testURL(t, u), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Addr() != nil {
			t.Errorf("the address is %v before it listens", s.Addr())
		}
		for range 2 {
			if err := s.Listen(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		other, err := New(testURL(t, strings.Replace(u, "127.0.0.1:0", s.Addr().String(), 1)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Run(t.Context(), "", newRecorder()); err == nil || !strings.Contains(err.Error(), "listen for HEP: ") || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("Run returned %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := other.Listen(t.Context()); err != nil {
			t.Errorf("after Close: %v", err)
		}
		if err := errors.Join(other.Close(), other.Close()); err != nil {
			t.Error(err)
		}
	}
}
