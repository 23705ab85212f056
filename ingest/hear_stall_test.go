package ingest

import (
	"context"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A slowStore takes as long for each write as its disk would.
type slowStore struct {
	call.Store
	write func(call.Batch)
}

func (s *slowStore) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	s.write(b)
	return s.Store.Write(ctx, b)
}

// TestStall: a message that arrives while the disk stalls, and is read afterwards, comes in time
// for its row, however often the disk stalls.
func TestStall(t *testing.T) {
	script := wildScripts(t)["next-trunk"]
	for _, took := range []time.Duration{0, 50 * time.Millisecond, time.Second, 3 * time.Second} {
		slow := &slowStore{Store: storetest.NewModel()}
		s := newStage(t, slow)
		began := s.clock.Add(-3 * time.Hour)
		slow.write = func(call.Batch) { s.clock = s.clock.Add(took) }
		for _, e := range heardOf(t, script, began) {
			s.put(e)
			s.pass(0)
		}
		slow.write = func(call.Batch) {}
		for range 20 {
			s.pass(time.Second)
		}
		checkWild(t, took.String(), s, script, began)
	}
}

// TestSlowDisk: a disk that is always slow delays rows by twice maxBehind at most.
func TestSlowDisk(t *testing.T) {
	slow := &slowStore{Store: storetest.NewModel()}
	s := newStage(t, slow)
	slow.write = func(call.Batch) { s.clock = s.clock.Add(time.Second) }
	s.put(newTalk(0, true).invite().at(time.Second).answer(200, "OK").at(9*time.Second).request("BYE", true).events()...)
	from := s.clock
	for n := 1; len(s.rows()) == 0; n++ {
		if s.clock.Sub(from) > 2*maxBehind {
			t.Fatal("no row after", s.clock.Sub(from))
		}
		s.put(newTalk(n, true).invite().events()...)
		s.pass(0)
	}
}
