package push

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestKey: a request with the same key and body gets the same answer, and nothing is put again.
func TestKey(t *testing.T) {
	b := newBench(t, nil)
	body := rows(0, 3) + "bad\n"
	first := b.post(t, body, "Idempotency-Key", "k1")
	if first.status != http.StatusMultiStatus || first.New != 3 || first.head.Get(replayed) != "" {
		t.Fatalf("status %d, %v: %s", first.status, first.head, first.text)
	}
	puts := len(b.mem.puts)
	for _, packed := range []bool{false, true} {
		send, header := body, []string{"Idempotency-Key", "k1"}
		if packed {
			send, header = zipped(t, body), append(header, "Content-Encoding", "gzip")
		}
		again := b.post(t, send, header...)
		if again.status != first.status || again.text != first.text || again.head.Get(replayed) != "true" {
			t.Errorf("again: status %d, %v: %s", again.status, again.head, again.text)
		}
	}
	if len(b.mem.puts) != puts {
		t.Error("a repeated request did its work again")
	}
	// Another body, another kind, another client.
	if o := b.post(t, body+row(9), "Idempotency-Key", "k1"); o.status != http.StatusUnprocessableEntity || b.mem.len() != 3 {
		t.Errorf("another body: status %d, %d rows: %s", o.status, b.mem.len(), o.text)
	}
	if o := b.post(t, row(9), "Idempotency-Key", "k1", "Client", "other"); o.status != http.StatusOK || o.New != 1 {
		t.Errorf("another client: status %d: %s", o.status, o.text)
	}
	if o := b.post(t, body, "Idempotency-Key", "k2"); o.status != http.StatusMultiStatus || o.Same != 3 {
		t.Errorf("another key: status %d: %s", o.status, o.text)
	}
	s := b.Stats()
	if s.Accepted != 3 || s.Replayed != 2 || s.Refused[KeyReused] != 1 {
		t.Errorf("%+v", s)
	}
}

// TestKeyOfBadRequest: the answer that no record was good is kept too. There is no record of a body
// that was not read to its end.
func TestKeyOfBadRequest(t *testing.T) {
	b := newBench(t, nil)
	for i := range 2 {
		o := b.post(t, "bad\n", "Idempotency-Key", "k")
		if o.status != http.StatusBadRequest || len(o.Error.Details) != 1 || (o.head.Get(replayed) == "true") != (i > 0) {
			t.Errorf("%d: status %d, %v: %s", i, o.status, o.head, o.text)
		}
	}
	cut := zipped(t, rows(0, 100))
	if o := b.post(t, cut[:len(cut)/2], "Idempotency-Key", "cut", "Content-Encoding", "gzip"); o.status != http.StatusBadRequest {
		t.Fatal(o.text)
	}
	if o := b.post(t, cut, "Idempotency-Key", "cut", "Content-Encoding", "gzip"); o.status != http.StatusOK || o.New != 100 {
		t.Errorf("the whole body after a half: status %d: %s", o.status, o.text)
	}
	if o := b.post(t, cut[:len(cut)/2], "Idempotency-Key", "cut", "Content-Encoding", "gzip"); o.status != http.StatusBadRequest || o.head.Get(replayed) != "" {
		t.Errorf("a half after the whole body: status %d: %s", o.status, o.text)
	}
}

// TestKeyLife: the handler gives an answer again for a day, over midnight, and then forgets and
// deletes it.
func TestKeyLife(t *testing.T) {
	b := newBench(t, nil)
	b.now = time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)
	b.post(t, row(0), "Idempotency-Key", "k")
	for _, c := range []struct {
		after time.Duration
		again bool
	}{{time.Hour, true}, {22*time.Hour + 59*time.Minute, true}, {time.Minute, false}, {0, true}, {24*time.Hour - 1, true}, {1, false}} {
		b.pass(c.after)
		o := b.post(t, row(0), "Idempotency-Key", "k")
		if o.status != http.StatusOK || (o.head.Get(replayed) == "true") != c.again {
			t.Errorf("at %v: replayed is %q", b.now, o.head.Get(replayed))
		}
	}
}

// TestSweep: the sweep deletes the records of answers that are too old to be given again, and no
// others.
func TestSweep(t *testing.T) {
	b := newBench(t, nil)
	sweep := func() int {
		t.Helper()
		if err := b.keys.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for name := range b.mem.state {
			if name != sweptName {
				n++
			}
		}
		return n
	}
	if n := sweep(); n != 0 {
		t.Fatal(n)
	}
	for i := range 100 { // 50 on each of two days
		if i%50 == 0 {
			b.pass(24 * time.Hour)
		}
		b.post(t, row(i), "Idempotency-Key", fmt.Sprint(i))
	}
	b.mem.state["push/other"] = []byte("x") // not the record of a day
	for _, want := range []int{101, 51, 1, 1} {
		if n := sweep(); n != want {
			t.Errorf("on %v: %d records, want %d", b.now, n, want)
		}
		writes := b.mem.writes
		if sweep(); b.mem.writes != writes {
			t.Errorf("on %v: the second time something was written", b.now)
		}
		b.pass(24 * time.Hour)
	}
	// The server has been off for long.
	b.post(t, row(0), "Idempotency-Key", "k")
	b.pass(100 * 24 * time.Hour)
	if n := sweep(); n != 1 {
		t.Errorf("%d records", n)
	}
	b.mem.write = func() error { return call.ErrFull }
	b.pass(24 * time.Hour)
	if err := b.keys.sweep(t.Context()); !errors.Is(err, call.ErrFull) {
		t.Error(err)
	}
}

// TestKeyInUse: of two requests with one key at the same time, one gets the answer to come back.
func TestKeyInUse(t *testing.T) {
	b := newBench(t, nil)
	var second outcome
	b.mem.put = func(context.Context) error {
		b.mem.before(nil)
		second = b.post(t, row(0), "Idempotency-Key", "k")
		return nil
	}
	first := b.post(t, row(0), "Idempotency-Key", "k")
	if first.status != http.StatusOK || second.status != http.StatusConflict || second.head.Get("Retry-After") != "1" {
		t.Errorf("status %d and %d", first.status, second.status)
	}
	if o := b.post(t, row(0), "Idempotency-Key", "k"); o.head.Get(replayed) != "true" {
		t.Errorf("afterwards: %d, %v", o.status, o.head)
	}
}

// TestKeyNotKept: if the record cannot be written, the answer is not 2xx although the rows are
// kept, and the sender can send the request again.
func TestKeyNotKept(t *testing.T) {
	for err, cause := range map[error]Cause{call.ErrFull: Full, call.ErrClosed: Failed} {
		b := newBench(t, nil)
		b.mem.write = func() error { return fmt.Errorf("write: %w", err) }
		o := b.post(t, row(0), "Idempotency-Key", "k")
		if o.status != http.StatusServiceUnavailable || o.head.Get("Retry-After") == "" || b.Stats().Refused[cause] != 1 || !strings.Contains(o.Error.Message, "1 records of this body were accepted") {
			t.Errorf("%v: status %d: %s", err, o.status, o.text)
		}
		b.mem.write = nil
		if o := b.post(t, row(0), "Idempotency-Key", "k"); o.status != http.StatusOK || o.Same != 1 || o.head.Get(replayed) != "" {
			t.Errorf("%v: again: status %d: %s", err, o.status, o.text)
		}
	}
}

// TestKeyForms: the forms of a key, and unreadable records.
func TestKeyForms(t *testing.T) {
	b := newBench(t, nil)
	for _, key := range []string{"!", `"8e03978e-40d5-43e8-bc93-6894a57f9324"`, strings.Repeat("~", 255), "push/swept"} {
		for _, again := range []string{"", "true"} {
			if o := b.post(t, row(0), "Idempotency-Key", key); o.status != http.StatusOK || o.head.Get(replayed) != again {
				t.Errorf("%.20s: status %d: %s", key, o.status, o.text)
			}
		}
	}
	for name := range b.mem.state {
		b.mem.state[name] = []byte(`{"v":2}`)
	}
	if o := b.post(t, row(0), "Idempotency-Key", "!"); o.status != http.StatusOK || o.head.Get(replayed) != "" {
		t.Errorf("a record of another version: status %d: %s", o.status, o.text)
	}
}
