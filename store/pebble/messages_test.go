package pebble

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// kept returns a store with one message and one leg.
func kept(t *testing.T) (*Store, call.Batch) {
	t.Helper()
	s, err := Open("store", testOptions(t, vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	at := time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC)
	b := call.Batch{
		Messages: []call.Message{{Leg: call.GUID{1}, At: at, Raw: []byte("BYE sip:+4930123@x SIP/2.0")}},
		Legs:     []call.Leg{{Row: call.Cursor{Start: at, ID: call.GUID{2}}, ID: call.GUID{1}, From: at, To: at}},
	}
	if _, err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s, b
}

func only(t *testing.T, s *Store, kind byte) (key, value []byte) {
	t.Helper()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = it.Close() }()
	if !it.First() {
		t.Fatalf("nothing of kind %c", kind)
	}
	return append([]byte(nil), it.Key()...), append([]byte(nil), it.Value()...)
}

// The reader of damaged messages and legs gets an error without their contents, and rows stay
// readable.
func TestDamagedMessages(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  byte
		spoil func(key, value []byte) ([]byte, []byte)
		check string // what Check says
		newer bool
	}{
		{"another message", kindMessage, func(k, v []byte) ([]byte, []byte) { v[len(v)-1] ^= 1; return k, v }, "is not the one that its key names", false},
		{"empty message", kindMessage, func(k, _ []byte) ([]byte, []byte) { return k, nil }, "a message of 0 bytes", false},
		{"newer message", kindMessage, func(k, v []byte) ([]byte, []byte) { v[0] = 9; return k, v }, "message has version 9", true},
		{"short key", kindMessage, func(k, v []byte) ([]byte, []byte) { return k[:len(k)-1], v }, "a key of kind 'p' has 33 bytes", false},
		{"empty leg", kindLeg, func(k, _ []byte) ([]byte, []byte) { return k, nil }, "a leg has a value of 0 bytes", false},
		{"newer leg", kindLeg, func(k, v []byte) ([]byte, []byte) { v[0] = 9; return k, v }, "a leg has version 9", true},
		{"long key of a leg", kindLeg, func(k, v []byte) ([]byte, []byte) { return append(k, 0), v }, "a key of kind 'l' has 59 bytes", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, b := kept(t)
			key, value := only(t, s, c.kind)
			if err := s.db.Delete(key, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			key, value = c.spoil(key, value)
			if err := s.db.Set(key, value, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			var problems []string
			if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
				t.Fatal(err)
			}
			if len(problems) != 1 || !strings.Contains(problems[0], c.check) || strings.Contains(problems[0], "4930") {
				t.Errorf("problems %q, want one: %s", problems, c.check)
			}
			_, err := s.Legs(t.Context(), b.Legs[0].Tenant, b.Legs[0].Row)
			if c.kind == kindMessage {
				err = nil
				for _, e := range s.Messages(t.Context(), b.Legs[0]) {
					err = e
				}
			}
			var corrupt *call.CorruptError
			switch {
			case c.name == "another message": // only Check computes names again
			case c.newer:
				if !errors.Is(err, call.ErrNewer) {
					t.Errorf("%v, want a newer version", err)
				}
			case !errors.As(err, &corrupt):
				t.Errorf("%v, want damage", err)
			}
		})
	}
}

// A trim without anything to delete writes nothing.
func TestTrimNothing(t *testing.T) {
	s, b := kept(t)
	for i, step := range []struct {
		days  int
		wrote bool
	}{{-1, false}, {0, false}, {1, true}, {1, false}} {
		before := s.applied
		if err := s.TrimMessages(t.Context(), b.Messages[0].At.AddDate(0, 0, step.days)); err != nil {
			t.Fatal(err)
		}
		if wrote := s.applied != before; wrote != step.wrote {
			t.Errorf("step %d: wrote %v, want %v", i, wrote, step.wrote)
		}
	}
}

// Trim deletes rows with very many messages in pieces that fit into memory, and the last one as
// fully as the first.
func TestTrimPieces(t *testing.T) {
	for _, most := range []int{1, 2, 3, 7, 1000} {
		o := testOptions(t, vfs.NewMem())
		o.trimChunk = most
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		var b call.Batch
		at := time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC)
		for i := range 10 {
			r := call.Row{ID: call.NameGUID("row", fmt.Sprint(i)), Start: at.Add(time.Duration(i) * time.Hour)}
			r.Settle(call.SIP.Witness(), true)
			b.Rows = append(b.Rows, r)
			b.Legs = append(b.Legs, call.Leg{Row: r.Cursor(), ID: r.ID, From: r.Start, To: r.Start.Add(24 * time.Hour)})
			for n := range 40 {
				b.Messages = append(b.Messages, call.Message{Leg: r.ID, At: r.Start.Add(time.Duration(n) * time.Hour), Raw: []byte("x")})
			}
		}
		if _, err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		before := s.applied
		if n, err := s.Trim(t.Context(), call.GUID{}, at.Add(13*time.Hour)); n != 10 || err != nil {
			t.Errorf("pieces of %d: %d rows, %v", most, n, err)
		}
		// Each row has 27 to 36 messages on the days of its leg, more than go
		// with two rows.
		if want, ok := map[int]uint64{1: 10, 2: 10, 1000: 1}[most]; ok && s.applied-before != want {
			t.Errorf("pieces of %d: %d batches, want %d", most, s.applied-before, want)
		}
		if err := s.Check(t.Context(), func(p string) { t.Errorf("pieces of %d: %s", most, p) }); err != nil {
			t.Error(err)
		}
		for _, l := range b.Legs {
			legs, err := s.Legs(t.Context(), l.Tenant, l.Row)
			if len(legs) != 0 || err != nil {
				t.Errorf("pieces of %d: legs %v, %v", most, legs, err)
			}
			for m, err := range s.Messages(t.Context(), l) {
				t.Errorf("pieces of %d: message of %v, %v", most, m.At, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A leg of which only the ends are known costs a step for each day that has
// messages, not one for each day.
func TestLongLeg(t *testing.T) {
	s, b := kept(t)
	far := b.Messages[0].Clone()
	far.Leg, far.At = call.GUID{0xff}, far.At.AddDate(2000, 0, 0)
	if _, err := s.Write(t.Context(), call.Batch{Messages: []call.Message{far}}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.Messages(t.Context(), call.Leg{ID: b.Messages[0].Leg, From: call.TimeOf(1), To: far.At}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func BenchmarkWriteMessages(b *testing.B) {
	s, err := Open(b.TempDir(), Options{Reserve: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	at := time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC)
	raw := strings.Repeat("Via: SIP/2.0/TLS 52.114.76.76:5061;branch=z9hG4bK58735f38\r\n", 10)
	const calls, each = 100, 13
	n := 0
	for b.Loop() {
		var batch call.Batch
		for range calls {
			n++
			leg := call.NameGUID("bench", fmt.Sprint(n))
			for i := range each {
				batch.Messages = append(batch.Messages, call.Message{
					Leg: leg, At: at.Add(time.Duration(n*100+i) * time.Millisecond), Raw: fmt.Appendf(nil, "INVITE sip:+49%d@x SIP/2.0\r\n%sCSeq: %d INVITE\r\n\r\n", n, raw, i),
				})
			}
			start := at.Add(time.Duration(n) * time.Second)
			batch.Legs = append(batch.Legs, call.Leg{Row: call.Cursor{Start: start, ID: leg}, ID: leg, Main: true, From: start, To: start})
		}
		if _, err := s.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
}
