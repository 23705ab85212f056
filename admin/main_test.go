package admin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testVersion = "1.2.3"

// place returns a path for a socket that is short enough for one.
func place(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "admin.sock")
}

// A server serves a store until it is stopped or killed.
type server struct {
	path string
	http *http.Server
	done chan error
}

// start serves what h serves.
func start(t testing.TB, h http.Handler) *server {
	t.Helper()
	return startWith(t, h, nil)
}

func startWith(t testing.TB, h http.Handler, watch func(net.Conn, http.ConnState)) *server {
	t.Helper()
	s := &server{
		path: place(t), done: make(chan error, 1),
		http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ConnState: watch},
	}
	l, err := Listen(s.path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.http.Serve(l) }()
	t.Cleanup(s.kill)
	return s
}

// kill closes all connections at once, as the death of a process does.
func (s *server) kill() {
	_ = s.http.Close()
	if s.done != nil {
		<-s.done
		s.done = nil
	}
}

func (s *server) dial(t testing.TB) *Client {
	t.Helper()
	st, err := Dial(t.Context(), s.path, testVersion)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// nodeOf returns a node of the given store.
func nodeOf(store call.Log) Node {
	keeper, _ := store.(Keeper)
	return Node{Version: testVersion, Log: store, Keeper: keeper}
}

// served returns a client of a server of the given store.
func served(t testing.TB, store call.Log) *Client {
	t.Helper()
	return start(t, Handler(nodeOf(store))).dial(t)
}

// A store whose methods can be replaced one by one.
type altered struct {
	call.Store
	rows  func(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error]
	write func(ctx context.Context, b call.Batch) (call.Result, error)
}

func (a *altered) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	if a.rows == nil {
		return a.Store.Rows(ctx, q)
	}
	return a.rows(ctx, q)
}

func (a *altered) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	if a.write == nil {
		return a.Store.Write(ctx, b)
	}
	return a.write(ctx, b)
}

// endless returns a store whose walks end when their context does. It tells
// when one has ended.
func endless(ended chan<- error) call.Store {
	row := storetest.Rows(1, 1)[0]
	return &altered{Store: storetest.NewModel(), rows: func(ctx context.Context, _ call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			for ctx.Err() == nil {
				if !yield(&row, nil) {
					ended <- nil
					return
				}
			}
			ended <- ctx.Err()
		}
	}}
}

// wait waits for what must come soon.
func wait[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not after 30 seconds", what)
	}
	return v
}

// collect returns copies of the rows that q selects.
func collect(ctx context.Context, s call.RowReader, q call.Query) (rows []call.Row, err error) {
	for r, err := range s.Rows(ctx, q) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, r.Clone())
	}
	return rows, nil
}

// oneTenant returns n rows of one tenant.
func oneTenant(n int) []call.Row {
	rows := storetest.Rows(7, n)
	for i := range rows {
		rows[i].Tenant = storetest.Tenants()[0]
	}
	return rows
}

func equal(t *testing.T, got, want []call.Row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if !got[i].Equal(&want[i]) {
			t.Fatalf("row %d is\n\t%+v\nwant\n\t%+v", i, got[i], want[i])
		}
	}
}

// connect opens a connection without any manners.
func connect(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// request is a request in bytes.
func request(path string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s", path, header, stamp(testVersion), len(body), body)
}

var errTest = errors.New("a test's error")

// rowsOf returns a store whose walks yield n of the rows, over and over.
func rowsOf(rows []call.Row, n int) call.Store {
	return &altered{Store: storetest.NewModel(), rows: func(context.Context, call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			for i := range n {
				if !yield(&rows[i%len(rows)], nil) {
					return
				}
			}
		}
	}}
}

// endlessUntil returns walks that count the rows that they give, and close
// stop when they end.
func endlessUntil(row *call.Row, given *int, stop chan struct{}) func(context.Context, call.Query) iter.Seq2[*call.Row, error] {
	return func(ctx context.Context, _ call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			defer close(stop)
			for ctx.Err() == nil && yield(row, nil) {
				*given++
			}
		}
	}
}
