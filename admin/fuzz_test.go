package admin

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

var at = time.Date(2026, 11, 23, 12, 0, 0, 123_456_789, time.UTC)

// queries are such as differ in what they are written with.
func queries() []call.Query {
	var xs []call.Expr
	for _, v := range []any{call.GUID{1}, "x", at, int32(-5), true, nil, ""} {
		xs = append(xs, call.Compare{Field: call.FieldTrunk, Op: call.GE, Value: v})
	}
	xs = append(xs, call.And{}, call.Or{}, call.Digits(""), call.Digits("+49 30"), call.NumberLike("+4930*"), call.SeenBy{All: call.SIP.Set(), None: call.Graph.Set() | 1<<15}, call.TextMatch{Field: call.FieldCaller, Op: 9, Part: "\xff"})
	return []call.Query{
		{},
		{Tenant: call.GUID{1, 2}, From: at, To: at.Add(1), After: call.Cursor{Start: at.AddDate(-5000, 0, 0), ID: call.GUID{3}}, Skip: 1 << 62, Limit: 1000, Reverse: true},
		{Skip: -1, Limit: -1, To: time.Unix(1<<40, 0).UTC()},
		{Where: call.And(xs)},
		{Where: call.Not{X: call.Or{call.And(xs), call.Not{X: call.Digits("1")}}}},
	}
}

func batches() []call.Batch {
	rows := storetest.Rows(1, 3)
	return []call.Batch{
		{},
		{Rows: rows},
		{State: map[string][]byte{"a": nil, "b": {}, "c": []byte("1")}},
		{Rows: rows[:1], State: map[string][]byte{"": []byte("x")}, If: map[string][]byte{"a": nil}},
		{Messages: messages(), Legs: legs()},
		{Replace: []call.Replacement{{Was: rows[0], Now: rows[0]}, {Was: rows[1], Gone: true}}, Keep: map[call.GUID]string{rows[0].Tenant: "kept/1"}},
		{Rows: rows[:1], Messages: messages()[:1], Legs: legs()[:1], State: map[string][]byte{"a": nil}},
	}
}

func messages() []call.Message {
	return []call.Message{
		{
			Leg: call.GUID{1}, At: at.Truncate(100), Transport: "tls", Raw: []byte("BYE sip:x SIP/2.0\r\n\r\n"),
			Src: netip.MustParseAddrPort("192.0.2.1:5061"), Dst: netip.MustParseAddrPort("[2001:db8::1%x]:5061"),
		},
		{Leg: call.GUID{2}, At: at.Truncate(100).AddDate(-2000, 0, 0), Raw: []byte{0}},
	}
}

func legs() []call.Leg {
	return []call.Leg{
		{Tenant: call.GUID{1}, Row: call.Cursor{Start: at, ID: call.GUID{2}}, ID: call.GUID{3}, Main: true, From: at, To: at.Add(1)},
		{Row: call.Cursor{Start: at, ID: call.GUID{2}}, ID: call.GUID{4}, From: at.AddDate(-2000, 0, 0), To: at},
	}
}

// What is read is what was written, and all of it.
func TestQueryRoundTrip(t *testing.T) {
	for _, q := range queries() {
		b, err := appendQuery(nil, q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseQuery(string(b))
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v, %v; want %+v", got, err, q)
		}
		for n := range len(b) {
			if got, err := parseQuery(string(b[:n])); !errors.Is(err, call.ErrInvalid) {
				t.Errorf("%d of %d bytes: %+v, %v", n, len(b), got, err)
			}
		}
		if _, err := parseQuery(string(b) + "\x00"); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("one byte more: %v", err)
		}
	}
	// A zone is not kept, nor a value that no field can have.
	q := call.Query{From: at.In(time.FixedZone("x", 3600)), Where: call.Compare{Value: 5}}
	b, _ := appendQuery(nil, q)
	got, err := parseQuery(string(b))
	if err != nil || !got.From.Equal(q.From) || !reflect.DeepEqual(got.Where, call.Expr(call.Compare{})) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Who says that there is more than can be is not believed.
func TestLies(t *testing.T) {
	start, err := appendQuery(nil, call.Query{})
	if err != nil {
		t.Fatal(err)
	}
	start = start[:len(start)-1] // without the condition
	nots := func(n int) []byte { return slices.Concat(start, bytes.Repeat([]byte{tagNot}, n), []byte{tagDigits, 0}) }
	if _, err := parseQuery(string(nots(maxDepth))); err != nil {
		t.Errorf("as deep as can be: %v", err)
	}
	if _, err := parseQuery(string(nots(maxDepth + 1))); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("deeper: %v", err)
	}
	many := binary.AppendUvarint(nil, 1<<26)
	for what, parse := range map[string]func() error{
		"conditions": func() error { _, err := parseQuery(string(slices.Concat(start, []byte{tagAnd}, many))); return err },
		"rows":       func() error { _, err := parseBatch(string(many)); return err },
		"messages":   func() error { _, err := parseBatch("\x00" + string(many)); return err },
		"legs":       func() error { _, err := parseBatch("\x00\x00" + string(many)); return err },
		"values":     func() error { _, err := parseBatch("\x00\x00\x00" + string(many)); return err },
		"bytes":      func() error { _, err := parseBatch("\x00\x00\x00\x01" + string(many)); return err },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := parse(); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes of memory", what, n)
		}
	}
}

func TestBatchRoundTrip(t *testing.T) {
	for _, batch := range batches() {
		b, err := appendBatch(nil, &batch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseBatch(string(b))
		if err != nil || !sameBatch(&got, &batch) {
			t.Errorf("%+v, %v; want %+v", got, err, batch)
		}
		for n := range len(b) {
			if _, err := parseBatch(string(b[:n])); !errors.Is(err, call.ErrInvalid) {
				t.Errorf("%d of %d bytes: %v", n, len(b), err)
			}
		}
	}
}

func sameBatch(a, b *call.Batch) bool {
	return slices.EqualFunc(a.Rows, b.Rows, func(x, y call.Row) bool { return x.Equal(&y) }) &&
		slices.EqualFunc(a.Messages, b.Messages, func(x, y call.Message) bool { return x.Leg == y.Leg && x.Compare(&y) == 0 }) &&
		slices.Equal(a.Legs, b.Legs) && reflect.DeepEqual(a.State, b.State) && reflect.DeepEqual(a.If, b.If) && maps.Equal(a.Keep, b.Keep) &&
		slices.EqualFunc(a.Replace, b.Replace, func(x, y call.Replacement) bool {
			return x.Gone == y.Gone && x.Was.Equal(&y.Was) && (x.Gone || x.Now.Equal(&y.Now))
		})
}

// Whatever comes in as a query: it is refused, or means something that can be
// written again.
func FuzzQuery(f *testing.F) {
	for _, q := range queries() {
		b, _ := appendQuery(nil, q)
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parseQuery(s)
		if err != nil {
			if !errors.Is(err, call.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		b, err := appendQuery(nil, q)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseQuery(string(b))
		if err != nil || !reflect.DeepEqual(again, q) {
			t.Fatalf("%+v, %v; want %+v", again, err, q)
		}
		if q.Where != nil {
			q.Where.Match(&call.Row{})
		}
	})
}

func FuzzBatch(f *testing.F) {
	for _, batch := range batches() {
		b, _ := appendBatch(nil, &batch)
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) {
		batch, err := parseBatch(s)
		if err != nil {
			if !errors.Is(err, call.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		b, err := appendBatch(nil, &batch)
		if err != nil {
			return // rows that cannot be kept; the store says so
		}
		again, err := parseBatch(string(b))
		if err != nil || !sameBatch(&again, &batch) {
			t.Fatalf("%+v, %v; want %+v", again, err, batch)
		}
	})
}

// Whatever is asked, the answer is one that a client can read.
func FuzzRequest(f *testing.F) {
	for _, q := range queries() {
		for _, kind := range []byte{askRows, askCount} {
			b, _ := appendQuery([]byte{kind}, q)
			f.Add(pathAsk, string(b))
		}
	}
	for _, batch := range batches() {
		b, _ := appendBatch(nil, &batch)
		f.Add(pathWrite, string(b))
	}
	f.Add(pathAsk, "s\x01a")
	f.Add(pathAsk, "i"+strings.Repeat("x", 32))
	f.Add(pathAsk, "v"+strings.Repeat("x", 16))
	f.Add(pathAsk, string(appendCursor(append([]byte{askLegs}, make([]byte, 16)...), legs()[0].Row)))
	f.Add(pathAsk, string(appendLeg([]byte{askMessages}, &legs()[0])))
	f.Add(pathAsk, "x")
	f.Add(pathHello, "")
	for _, job := range []string{"?", "#", "b\x02/x", "z", "x"} {
		f.Add(pathKeep, job)
	}
	f.Add(pathTail, strings.Repeat("x", 16)+"\x01")
	f.Add(pathSources, "")
	n := nodeOf(&kept{Model: storetest.NewModel()})
	n.Tail, n.Sources = oneUpdate, twoSources
	h := &handler{node: n, stamp: stamp(testVersion), limit: 1 << 20, patience: patience}
	routes := h.routes()
	f.Fuzz(func(t *testing.T, path, body string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " ?#%") || path != strings.ToValidUTF8(path, "") {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set(header, stamp(testVersion))
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return
		}
		frames := read(w.Body.Bytes())
		for {
			_, _, err := frames.next(t.Context())
			switch {
			case errors.Is(err, errMalformed), errors.Is(err, call.ErrClosed):
				t.Fatalf("%s: the answer %q cannot be read: %v", path, w.Body, err)
			case err != nil:
				return
			}
		}
	})
}

// read returns the frames of an answer.
func read(b []byte) *frames {
	return &frames{client: &Client{path: "x"}, body: io.NopCloser(nil), r: bufio.NewReaderSize(bytes.NewReader(b), 2*chunk)}
}

func frame(kind byte, payload string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload)))
	return append(b, payload...)
}

// Whatever a server answers: rows, and then an end or an error.
func FuzzAnswer(f *testing.F) {
	rows := storetest.Rows(1, 2)
	end := frame(frameEnd, "")
	one := frame(frameRow, string(appendRow(nil, &rows[0])))
	f.Add(end)
	f.Add(slices.Concat(one, frame(frameRow, string(appendRow(nil, &rows[1]))), end))
	f.Add(slices.Concat(one, frame(frameError, string(appendError(nil, call.ErrFull)))))
	f.Add(slices.Concat(one, frame(frameError, string(appendError(nil, &call.CorruptError{File: "x", Err: errTest})))))
	f.Add(slices.Concat(frame(frameValue, "1"), frame(frameProblem, "2"), end))
	f.Add(slices.Concat(frame(frameMessage, string(appendMessage(nil, &messages()[0]))), end))
	f.Add(slices.Concat(frame(frameValue, string(appendUpdate(nil, &Update{Progress: "ended", Missed: 5, Row: rows[0]}))), end))
	f.Add(frame(frameRow, strings.Repeat("x", 3*chunk)))
	f.Add([]byte{frameValue, 255, 255, 255, 255, 1})
	f.Add([]byte("r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		walkWhole(t, b, parseRows(), func(r *call.Row) bool {
			if r != nil {
				_ = r.Clone()
			}
			return r != nil
		})
		walkWhole(t, b, parseMessages(), func(m *call.Message) bool {
			if m != nil {
				_ = m.Clone()
			}
			return m != nil
		})
		walkWhole(t, b, valueOf((*parser).update), func(u *Update) bool { return u != nil })
	})
}

// walkWhole walks an answer, of which there reports whether it is something: it ends
// once, with an end or an error.
func walkWhole[T any](t *testing.T, b []byte, parse func(byte, []byte) (T, error), there func(T) bool) {
	t.Helper()
	ended, n := false, 0
	walk(t.Context(), read(b), parse, func(v T, err error) bool {
		if ended || there(v) == (err != nil) {
			t.Fatalf("after the end: %v, %v, %v", ended, v, err)
		}
		ended = err != nil
		n++
		return true
	})
	if !ended && (len(b) < 5 || !bytes.HasSuffix(b, frame(frameEnd, ""))) {
		t.Fatalf("%d without an end", n)
	}
}
