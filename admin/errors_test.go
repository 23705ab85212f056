package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// Errors arrive as what they were: their text, and what errors.Is and
// errors.As find in them.
func TestErrorsTravel(t *testing.T) {
	corrupt := &call.CorruptError{File: "000012.sst", Offset: 4096, Err: errors.New("checksum")}
	for _, sent := range []error{
		fmt.Errorf("pebble: %w", call.ErrInvalid), call.ErrNotFound, call.ErrConflict, fmt.Errorf("x: %w", fmt.Errorf("y: %w", call.ErrFull)),
		call.ErrClosed, call.ErrInUse, call.ErrNewer, errors.ErrUnsupported, fs.ErrExist, fs.ErrNotExist, fs.ErrPermission,
		errors.Join(call.ErrFull, call.ErrClosed), corrupt, fmt.Errorf("read: %w", corrupt), &call.CorruptError{Offset: -1},
		errTest, errors.New(""), errors.New("line\nbreak\x00\xff"), errors.New(strings.Repeat("long ", 100_000)),
		context.Canceled,
	} {
		inner := &altered{
			Store: storetest.NewModel(),
			write: func(context.Context, call.Batch) (call.Result, error) { return call.Result{}, sent },
			rows: func(context.Context, call.Query) iter.Seq2[*call.Row, error] {
				return func(yield func(*call.Row, error) bool) { yield(nil, sent) }
			},
		}
		s := served(t, inner)
		_, err := s.Write(t.Context(), call.Batch{})
		sameError(t, err, sent)
		_, err = collect(t.Context(), s, call.Query{})
		sameError(t, err, sent)
		// The connection goes on.
		if _, err := call.Values(t.Context(), s, ""); err != nil {
			t.Errorf("after %.40q: %v", sent, err)
		}
	}
}

func sameError(t *testing.T, got, want error) {
	t.Helper()
	if got == nil || (got.Error() != want.Error()) {
		t.Errorf("%.60v, want %.60v", got, want)
		return
	}
	for _, target := range told {
		if errors.Is(got, target) != errors.Is(want, target) {
			t.Errorf("%v is %v: %v", want, target, errors.Is(got, target))
		}
	}
	if errors.Is(got, context.Canceled) {
		t.Errorf("a client that was not cancelled is told that it was")
	}
	var a, b *call.CorruptError
	if errors.As(got, &a) != errors.As(want, &b) {
		t.Errorf("%v: *CorruptError %v", want, a)
	} else if a != nil && (a.File != b.File || a.Offset != b.Offset || b.Err != nil && a.Error() != b.Error()) {
		t.Errorf("*CorruptError %v, want %v", a, b)
	}
}

// A walk that fails gives all rows before the error, and the error.
func TestErrorInTheMiddle(t *testing.T) {
	rows := oneTenant(3000)
	sent := &call.CorruptError{File: "a", Offset: 1, Err: errTest}
	s := served(t, &altered{Store: storetest.NewModel(), rows: func(context.Context, call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			for i := range rows {
				if !yield(&rows[i], nil) {
					return
				}
			}
			yield(nil, sent)
		}
	}})
	got, err := collect(t.Context(), s, call.Query{})
	equal(t, got, rows)
	sameError(t, err, sent)
}

// A condition that package call does not have cannot be sent, and is the
// caller's mistake.
func TestInvalidQueries(t *testing.T) {
	s := served(t, storetest.NewModel())
	deep := call.Expr(call.Digits("1"))
	for range maxDepth + 1 {
		deep = call.Not{X: deep}
	}
	for _, x := range []call.Expr{
		call.Not{},
		call.And{nil},
		call.Or{call.Digits("1"), nil},
		&call.Not{X: call.Digits("1")}, deep,
		call.Compare{Field: call.NumFields, Value: "x"},
		call.TextMatch{Field: 200},
	} {
		if _, err := appendQuery(nil, call.Query{Where: x}); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%T is sent: %v", x, err)
		}
		if _, err := collect(t.Context(), s, call.Query{Where: x}); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("rows where %T: %v", x, err)
		}
		if _, err := s.Count(t.Context(), call.Query{Where: x}); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("count where %T: %v", x, err)
		}
	}
}

// Too much is refused by the client, and by the server if the client does not
// care.
func TestTooMuch(t *testing.T) {
	h := &handler{node: nodeOf(storetest.NewModel()), stamp: stamp(testVersion), limit: 1000, patience: patience}
	srv := start(t, h.routes())
	s := srv.dial(t)
	small := call.Batch{State: map[string][]byte{"a": make([]byte, 500)}}
	large := call.Batch{State: map[string][]byte{"a": make([]byte, 2000)}}
	if _, err := s.Write(t.Context(), large); !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "smaller") {
		t.Errorf("refused by the server: %v", err)
	}
	s.limit = 1000
	if _, err := s.Write(t.Context(), large); !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "there can be 1000") {
		t.Errorf("refused by the client: %v", err)
	}
	if _, err := s.Write(t.Context(), small); err != nil {
		t.Errorf("after too much: %v", err)
	}
	// At once, before any of it was sent.
	announced := connect(t, srv.path)
	_, _ = fmt.Fprintf(announced, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 1001\r\n\r\n", pathWrite, header, stamp(testVersion))
	b := make([]byte, 12)
	if _, err := announced.Read(b); err != nil || string(b) != "HTTP/1.1 413" {
		t.Errorf("announced: %q, %v", b, err)
	}
	// Without a length, in chunks.
	conn := connect(t, srv.path)
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nTransfer-Encoding: chunked\r\n\r\n", pathWrite, header, stamp(testVersion))
	for range 10 {
		_, _ = fmt.Fprintf(conn, "%x\r\n%s\r\n", 500, strings.Repeat("x", 500))
	}
	if _, err := conn.Read(b); err != nil || string(b) != "HTTP/1.1 413" {
		t.Errorf("in chunks: %q, %v", b, err)
	}
}

// A row that cannot be kept is refused before its bytes are made, which could
// not hold it.
func TestRowsThatCannotBeKept(t *testing.T) {
	s := served(t, storetest.NewModel())
	rows := oneTenant(3)
	rows[1].End = rows[1].End.AddDate(-9000, 0, 0)
	_, err := s.Write(t.Context(), call.Batch{Rows: rows})
	if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "row 2 of 3") {
		t.Errorf("%v", err)
	}
	if n, err := s.Count(t.Context(), call.Query{Tenant: storetest.Tenants()[0]}); n != 0 || err != nil {
		t.Errorf("%d rows were written, %v", n, err)
	}
}
