package admin

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// oneUpdate tells of one call of tenant "x…", and ends.
func oneUpdate(_ context.Context, _ bool, tell func(*Update) error) error {
	row := storetest.Rows(1, 1)[0]
	row.Tenant = call.GUID([]byte(strings.Repeat("x", 16)))
	return tell(&Update{Progress: "ended", Missed: 7, Row: row})
}

func twoSources() []SourceStatus {
	seen := at
	return []SourceStatus{
		{Name: "sbc1", Kind: "hep+tcp", Address: ":9060", Tenant: "contoso", Authenticated: true, Seen: &seen, Calls: SourceCalls{New: 1}, Counts: []SourceCount{{"trunklog_x_total", "late", 1 << 60}}},
		{Name: "http"},
	}
}

// tailed returns a client of a node that tails so.
func tailed(t *testing.T, tail func(context.Context, bool, func(*Update) error) error) (*server, *Client) {
	t.Helper()
	n := nodeOf(storetest.NewModel())
	n.Tail = tail
	h := &handler{node: n, stamp: stamp(testVersion), limit: maxRequest, patience: 50 * time.Millisecond}
	s := start(t, h.routes())
	return s, s.dial(t)
}

// Each update of the tenant comes as it was told, when it was told, however long that
// takes; those of calls without a start too. The end is the node's.
func TestTail(t *testing.T) {
	rows := oneTenant(3)
	rows[1].Start = time.Time{}
	rows[2].Tenant = call.GUID{9}
	for _, open := range []bool{true, false} {
		came := make(chan struct{})
		_, c := tailed(t, func(_ context.Context, asked bool, tell func(*Update) error) error {
			if asked != open {
				t.Errorf("open is %v, want %v", asked, open)
			}
			for i := range rows {
				if err := tell(&Update{Progress: "ringing", Missed: int64(i), Row: rows[i]}); err != nil {
					return err
				}
				if i < 2 {
					_ = wait(t, came, "the update has not come")
					<-time.After(100 * time.Millisecond) // more than the node's patience
				}
			}
			return nil
		})
		n := 0
		for u, err := range c.Tail(t.Context(), rows[0].Tenant, open) {
			if err != nil {
				t.Fatal(err)
			}
			if n > 1 || u.Progress != "ringing" || u.Missed != int64(n) || !u.Row.Equal(&rows[n]) {
				t.Fatalf("update %d is %+v", n, u)
			}
			n++
			came <- struct{}{}
		}
		if n != 2 {
			t.Errorf("%d updates", n)
		}
	}
}

// Whoever leaves is not told any more, an error of the node comes, and a node that dies
// is told from one that stops.
func TestTailEnds(t *testing.T) {
	row := oneTenant(1)[0]
	ended := make(chan error, 1)
	endless := func(ctx context.Context, _ bool, tell func(*Update) error) (err error) {
		defer func() { ended <- err }()
		if err := tell(&Update{Progress: "ended", Row: row}); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	_, c := tailed(t, endless)
	for range c.Tail(t.Context(), row.Tenant, false) {
		break
	}
	_ = wait(t, ended, "the tail of one who breaks off")

	ctx, cancel := context.WithCancel(t.Context())
	var last error
	for u, err := range c.Tail(ctx, row.Tenant, false) {
		if last = err; u != nil {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || errors.Is(last, call.ErrClosed) {
		t.Errorf("cancelled: %v", last)
	}
	cancel()
	_ = wait(t, ended, "the tail of one who is cancelled")

	s, c := tailed(t, endless)
	for u, err := range c.Tail(t.Context(), row.Tenant, false) {
		if last = err; u != nil {
			s.kill()
		}
	}
	if !errors.Is(last, call.ErrClosed) {
		t.Errorf("the node dies: %v", last)
	}
	_ = wait(t, ended, "the tail of a node that dies")

	_, c = tailed(t, func(context.Context, bool, func(*Update) error) error { return errTest })
	for _, last = range c.Tail(t.Context(), row.Tenant, false) {
	}
	sameError(t, last, errTest)
	_, c = tailed(t, nil)
	for u, err := range c.Tail(t.Context(), row.Tenant, false) {
		t.Errorf("a node that tells nothing: %v, %v", u, err)
	}
}

func TestSources(t *testing.T) {
	n := nodeOf(storetest.NewModel())
	got, err := start(t, Handler(n)).dial(t).Sources(t.Context())
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("none: %v, %v", got, err)
	}
	n.Sources = twoSources
	got, err = start(t, Handler(n)).dial(t).Sources(t.Context())
	if err != nil || !reflect.DeepEqual(got, twoSources()) {
		t.Errorf("%+v, %v; want %+v", got, err, twoSources())
	}
}

// What no version of these words has is refused, and changes nothing.
func TestSenselessRequests(t *testing.T) {
	asked := &kept{Model: storetest.NewModel()}
	n := nodeOf(asked)
	n.Tail, n.Sources = oneUpdate, twoSources
	c := start(t, Handler(n)).dial(t)
	for _, r := range []struct{ path, body string }{
		{pathAsk, ""},
		{pathAsk, "x"},
		{pathAsk, "\x00"},
		{pathAsk, "i"},
		{pathAsk, "s\x01"},
		{pathAsk, "v" + strings.Repeat("x", 17)},
		{pathKeep, ""},
		{pathKeep, "x"},
		{pathKeep, "z1"},
		{pathKeep, "b"},
		{pathKeep, "b\x02/xy"},
		{pathWrite, "x"},
		{pathTail, ""},
		{pathTail, strings.Repeat("x", 16)},
		{pathTail, strings.Repeat("x", 16) + "\x02"},
		{pathSources, "x"},
		{pathHello, "x"},
	} {
		err := c.each(t.Context(), r.path, []byte(r.body), func(byte, []byte) error { return nil })
		if !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%s %q: %v", r.path, r.body, err)
		}
	}
	if len(asked.asked) > 0 {
		t.Errorf("was asked for %q", asked.asked)
	}
}

// An answer in the words of another verb is not taken for one.
func TestSourcesMalformed(t *testing.T) {
	var answer []byte
	c := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, stamp(testVersion))
		if r.URL.Path == pathSources {
			_, _ = w.Write(answer)
		}
		_, _ = w.Write(frame(frameEnd, ""))
	})).dial(t)
	for _, answer = range [][]byte{frame(frameRow, "{}"), frame(frameProblem, "{}"), frame(frameValue, "{"), frame(frameValue, "[]")} {
		if all, err := c.Sources(t.Context()); !errors.Is(err, errMalformed) {
			t.Errorf("%q: %v, %v", answer, all, err)
		}
	}
}
