package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// patience of a server in a test that does not test it.
const patience = time.Minute

// Whoever stops reading, in whatever way, ends the walk in the server.
func TestWalkEndsWithItsClient(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, s *server){
		"break": func(t *testing.T, s *server) {
			n := 0
			for _, err := range s.dial(t).Rows(t.Context(), call.Query{}) {
				if n++; err != nil || n == 1000 {
					break
				}
			}
		},
		"break at once": func(t *testing.T, s *server) {
			for range s.dial(t).Rows(t.Context(), call.Query{}) {
				break
			}
		},
		"cancel": func(t *testing.T, s *server) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n, last := 0, error(nil)
			for _, err := range s.dial(t).Rows(ctx, call.Query{}) {
				if last = err; err == nil {
					if n++; n == 100 {
						cancel()
					}
				}
			}
			if !errors.Is(last, context.Canceled) || errors.Is(last, call.ErrClosed) || n != 100 {
				t.Errorf("%d rows, %v", n, last)
			}
		},
		"deadline": func(t *testing.T, s *server) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := collect(ctx, s.dial(t), call.Query{}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, call.ErrClosed) {
				t.Errorf("%v", err)
			}
		},
		"death": func(t *testing.T, s *server) {
			body, _ := appendQuery([]byte{askRows}, call.Query{})
			conn := connect(t, s.path)
			_, _ = conn.Write(request(pathAsk, body))
			_, _ = io.ReadFull(conn, make([]byte, 10_000))
			_ = conn.Close()
		},
		"death before the answer": func(t *testing.T, s *server) {
			body, _ := appendQuery([]byte{askRows}, call.Query{})
			conn := connect(t, s.path)
			_, _ = conn.Write(request(pathAsk, body))
			_ = conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			s := start(t, Handler(nodeOf(endless(ended))))
			leave(t, s)
			_ = wait(t, ended, "the walk has not ended")
		})
	}
}

// A client that neither reads nor leaves does not hold a walk for ever.
func TestWalkEndsWithoutReader(t *testing.T) {
	ended := make(chan error, 1)
	h := &handler{node: nodeOf(endless(ended)), stamp: stamp(testVersion), limit: maxRequest, patience: 100 * time.Millisecond}
	s := start(t, h.routes())
	body, _ := appendQuery([]byte{askRows}, call.Query{})
	conn := connect(t, s.path)
	_, _ = conn.Write(request(pathAsk, body))
	_ = wait(t, ended, "the walk has not ended")
	// A client that begins a request and does not go on is given up, too.
	conn = connect(t, s.path)
	_, _ = conn.Write(request(pathWrite, make([]byte, 1000))[:600])
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the server has not closed the connection: %v", err)
	}
}

// Patience is with a client that does nothing while it should, not with a slow
// store, nor with a connection on which nothing is asked.
func TestPatience(t *testing.T) {
	const patience = 500 * time.Millisecond
	rows := oneTenant(1000)
	pause := func() { <-time.After(patience / 4) }
	h := &handler{stamp: stamp(testVersion), limit: maxRequest, patience: patience, node: nodeOf(&altered{
		Store: storetest.NewModel(),
		write: func(ctx context.Context, b call.Batch) (call.Result, error) {
			for range 6 {
				pause()
			}
			return call.Result{Rows: make([]call.Written, len(b.Rows))}, ctx.Err()
		},
		rows: func(ctx context.Context, _ call.Query) iter.Seq2[*call.Row, error] {
			return func(yield func(*call.Row, error) bool) {
				for range 6 {
					pause()
					for i := range rows {
						if !yield(&rows[i], ctx.Err()) {
							return
						}
					}
				}
			}
		},
	})}
	s := start(t, h.routes()).dial(t)
	for range 2 {
		if got, err := collect(t.Context(), s, call.Query{}); err != nil || len(got) != 6000 {
			t.Errorf("a slow walk: %d rows, %v", len(got), err)
		}
		if res, err := s.Write(t.Context(), call.Batch{Rows: rows}); err != nil || len(res.Rows) != len(rows) {
			t.Errorf("a slow write: %+v, %v", res, err)
		}
	}
	// A request without a body is told apart from one whose body does not come.
	h = &handler{stamp: stamp(testVersion), limit: maxRequest, patience: patience, node: nodeOf(&slowKeeper{pause: func() {
		for range 6 {
			pause()
		}
	}})}
	if err := start(t, h.routes()).dial(t).Compact(t.Context()); err != nil {
		t.Errorf("a slow compaction: %v", err)
	}
}

// A slowKeeper takes its time.
type slowKeeper struct {
	kept
	pause func()
}

func (k *slowKeeper) Compact(ctx context.Context) error {
	k.pause()
	return ctx.Err()
}

// Close leaves no connection behind.
func TestCloseEndsConnections(t *testing.T) {
	var open atomic.Int64
	srv := startWith(t, Handler(nodeOf(storetest.NewModel())), func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	})
	s := srv.dial(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = call.Values(t.Context(), s, "") })
	}
	wg.Wait()
	if open.Load() == 0 {
		t.Error("no connection is kept")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(20 * time.Second); open.Load() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open", open.Load())
		}
	}
}

// The server waits for a slow client and does not gather what it does not
// take.
func TestBackPressure(t *testing.T) {
	row := storetest.Rows(1, 1)[0]
	given := 0
	stop := make(chan struct{})
	s := served(t, &altered{Store: storetest.NewModel(), rows: endlessUntil(&row, &given, stop)})
	n := 0
	for _, err := range s.Rows(t.Context(), call.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 10 {
			break
		}
	}
	_ = wait(t, stop, "the walk has not ended")
	if given > 50_000 {
		t.Errorf("%d rows were read for a client that took 10", given)
	}
}

// A server that dies in the middle of an answer is an error, not the end.
func TestServerDies(t *testing.T) {
	ended := make(chan error, 1)
	srv := start(t, Handler(nodeOf(endless(ended))))
	s := srv.dial(t)
	n, last := 0, error(nil)
	for r, err := range s.Rows(t.Context(), call.Query{}) {
		if last = err; err != nil {
			if r != nil {
				t.Error("a row comes with the error")
			}
			continue
		}
		if n++; n == 1000 {
			srv.kill()
		}
	}
	if !errors.Is(last, call.ErrClosed) {
		t.Errorf("after %d rows: %v", n, last)
	}
	_ = wait(t, ended, "the walk has not ended")
	// And so is one that is not there any more.
	_, err := call.Values(t.Context(), s, "")
	if !errors.Is(err, call.ErrClosed) {
		t.Errorf("state: %v", err)
	}
	if _, err = s.Write(t.Context(), call.Batch{}); !errors.Is(err, call.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

// A panic in the store is the server's, not the end of the answer.
func TestPanicInTheStore(t *testing.T) {
	inner := &altered{Store: storetest.NewModel(), write: func(context.Context, call.Batch) (call.Result, error) { panic(http.ErrAbortHandler) }}
	if _, err := served(t, inner).Write(t.Context(), call.Batch{}); !errors.Is(err, call.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// Cut anywhere, an answer is an error, after rows that are right.
func TestAnswerCutAnywhere(t *testing.T) {
	rows := oneTenant(4)
	var whole []byte
	for i := range rows {
		at := len(whole)
		whole = appendRow(append(whole, frameRow, 0, 0, 0, 0), &rows[i])
		binary.BigEndian.PutUint32(whole[at+1:], uint32(len(whole)-at-5))
	}
	whole = append(whole, frameEnd, 0, 0, 0, 0)
	cut := 0
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(header, stamp(testVersion))
		if r.URL.Path == pathHello {
			_, _ = w.Write([]byte(".\x00\x00\x00\x00"))
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(whole[:cut])
	})).dial(t)
	for cut = range len(whole) + 1 {
		got, err := collect(t.Context(), s, call.Query{})
		equal(t, got, rows[:len(got)])
		if (err == nil) != (cut == len(whole)) {
			t.Fatalf("cut at %d of %d: %d rows, %v", cut, len(whole), len(got), err)
		}
	}
}

// Rows of any number are read without an allocation for each.
func TestNoAllocationPerRow(t *testing.T) {
	rows := oneTenant(1000)
	mallocs := func(n int) uint64 {
		s := served(t, rowsOf(rows, n))
		var before, after runtime.MemStats
		count := 0
		runtime.ReadMemStats(&before)
		for _, err := range s.Rows(t.Context(), call.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			count++
		}
		runtime.ReadMemStats(&after)
		if count != n {
			t.Fatalf("%d rows, want %d", count, n)
		}
		return after.Mallocs - before.Mallocs
	}
	_ = mallocs(1000)
	if few, many := mallocs(1000), mallocs(101_000); many > few+5000 {
		t.Errorf("100,000 rows more make %d allocations more", many-few)
	}
}
