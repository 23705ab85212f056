package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestDueParts: however many calls in parts are due at once, and however slowly they are finished,
// calls that are heard get their rows meanwhile.
func TestDueParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, writes := make(chan struct{}), 0
		store := &slowStore{storetest.NewModel(), func(b call.Batch) {
			for name, value := range b.State {
				if value == nil && strings.HasPrefix(name, partPrefix) { // the batch finishes some
					<-gate
					writes++
					break
				}
			}
		}}
		in := New(Config{Store: store, Tenant: func(string) (call.GUID, bool) { return tenant, true }})
		in.hearing.times.Open = partsEvery
		const parts = 1_000
		for n := range parts {
			if err := tryPut(t.Context(), in.Sink("http/client", tenant), tell(fmt.Sprint(n), false, func(r *call.Row) { r.Start = time.Now() })); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- in.Run(ctx) }()
		time.Sleep(2*partsEvery + time.Second) // all are due
		heard := newTalk(1, true).invite().at(time.Second).answer(486, "Busy Here")
		if err := tryPut(t.Context(), in.Sink("lab", call.GUID{}), heard.events()...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, err := store.Row(t.Context(), tenant, heard.xc); err != nil {
			t.Error(err)
		}
		close(gate)
		time.Sleep(time.Second)
		if n, err := store.Count(t.Context(), call.Query{Tenant: tenant}); n != parts+1 || err != nil || writes > 10 {
			t.Errorf("%d rows in %d writes, %v", n, writes, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestRestartOfParts: a restart reads only the calls of its trunk.
func TestRestartOfParts(t *testing.T) {
	store := &countingStore{Model: storetest.NewModel()}
	s := newStage(t, store)
	sink := s.in.Sink("http/client", tenant)
	for n := range 300 {
		e := tell(fmt.Sprint("call", n), false, func(r *call.Row) { r.Start = s.clock })
		if err := tryPut(t.Context(), sink, e); err != nil {
			t.Fatal(err)
		}
		e = tell(fmt.Sprint("call", n), false, func(r *call.Row) { r.Trunk = fmt.Sprintf("SBC%d.contoso.com", n%3) })
		if err := tryPut(t.Context(), sink, e); err != nil { // a later part tells the trunk
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		trunk      string
		sink       *Sink
		rows, read int
	}{
		{"nobody.example", sink, 0, 0},
		{"sbc1.contoso.com", s.in.Sink("http/client", call.NameGUID("another")), 0, 100},
		{"sbc1.contoso.com", s.in.Sink("http/other", tenant), 0, 0},
		{"Sbc1.contoso.com", sink, 100, 100},
		{"", sink, 300, 200},
	} {
		before := store.read
		if err := tryPut(t.Context(), c.sink, call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: c.trunk}}); err != nil {
			t.Fatal(err)
		}
		if rows, read := len(s.rows()), store.read-before; rows != c.rows || read != c.read {
			t.Errorf("%q: %d rows, %d values read, want %d and %d", c.trunk, rows, read, c.rows, c.read)
		}
	}
}

// A fullDisk refuses batches that finish several calls as if another writer had come between, and
// has no room for those that finish one.
type fullDisk struct {
	*storetest.Model
	finishing bool
}

var errNoRoom = errors.New("the disk is full")

func (s *fullDisk) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	switch {
	case !s.finishing:
		return s.Model.Write(ctx, b)
	case len(b.Rows) > 1:
		return call.Result{}, call.ErrConflict
	}
	return call.Result{}, errNoRoom
}

// TestFinishedOneByOne: what goes wrong with calls that are finished one by one, after a conflict,
// is told.
func TestFinishedOneByOne(t *testing.T) {
	store, clock := &fullDisk{Model: storetest.NewModel()}, now()
	in := New(Config{Store: store, Now: func() time.Time { return clock }, Tenant: func(string) (call.GUID, bool) { return tenant, true }})
	for n := range 3 {
		if err := tryPut(t.Context(), in.Sink("http/client", tenant), tell(fmt.Sprint(n), false, func(r *call.Row) { r.Start = clock })); err != nil {
			t.Fatal(err)
		}
	}
	clock, store.finishing = clock.Add(48*time.Hour), true
	if err := in.finishParts(t.Context()); !errors.Is(err, errNoRoom) {
		t.Errorf("finished with %v, want %v", err, errNoRoom)
	}
}
