package ingest

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// exported returns a call, its row as the admin centre's export tells it, and the messages of its
// leg to the carrier.
func exported() (c *talk, export call.Event, carrier []call.Event) {
	c = newTalk(1, true).whole()
	row := plainRow(c)
	established(c, &row, time.Second, 4*time.Second)
	export = call.Event{Kind: call.RecordEvent, Row: row, Call: "export"}
	export.Row.ID, export.Row.SharedID = call.GUID{}, c.xi
	export.Row.Settle(call.AdminExport.Witness(), true)
	leg := carrierLeg(c, func(m *call.Signal) { m.Contact.Host = "sbc1.contoso.com" }).whole()
	return c, export, join(leg)
}

// TestLegsOfALinkedRow: a leg that is heard after its call has become part of another source's row
// belongs to that row, after a restart, too.
func TestLegsOfALinkedRow(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := newStage(t, storetest.NewModel())
		c, export, carrier := exported()
		s.put(export)
		s.put(join(c)...)
		s.pass(time.Second)
		s.pass(time.Second)
		if restart {
			s.restart()
		}
		s.put(carrier...)
		s.pass(10 * time.Second)
		r := s.one()
		if legs, err := s.store.Legs(t.Context(), tenant, r.Cursor()); err != nil || len(legs) != 2 {
			t.Errorf("restart %v: legs of the row: %+v, %v", restart, legs, err)
		}
	}
}

// TestWatchLinked: a watcher is told of a row under the id that it has in the log, and as it is
// there.
func TestWatchLinked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, storetest.NewModel())
		ctx, stop := context.WithCancel(t.Context())
		var told []call.Row
		go func() {
			_ = s.in.Watch(ctx, false, func(u Update) error {
				told = append(told, u.Row)
				return nil
			})
		}()
		synctest.Wait()
		c, export, _ := exported()
		export.Row.UserDisplayName, export.Row.By[call.FieldUserDisplayName] = "Adele Vance", call.AdminExport.Witness()
		s.put(export)
		s.put(export)
		s.put(join(c)...)
		s.pass(time.Second)
		synctest.Wait()
		stop()
		synctest.Wait()
		r := s.one()
		if len(told) != 2 || told[0].ID != r.ID || !told[1].Equal(&r) {
			t.Errorf("told of %+v; the row is %+v", told, r)
		}
	})
}

// A besideStore is the store of a command beside a server: it writes through the server's Ingest,
// and the server hears a message just before.
type besideStore struct {
	call.Store
	server *Ingest
	before func()
}

func (s *besideStore) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	if len(b.Rows) > 0 {
		s.before()
	}
	return s.server.Write(ctx, b)
}

// TestImportBeside: an import that finds no row of a call, just before the server has heard the
// call's end, makes one row with the server.
func TestImportBeside(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	c, export, _ := exported()
	beside := &besideStore{s.store, s.in, func() {
		s.put(join(c)...)
		s.pass(time.Second)
	}}
	command := New(Config{Store: beside, Now: func() time.Time { return s.clock }})
	for range 2 {
		if err := tryPut(t.Context(), command.Sink("file", tenant), export); err != nil {
			t.Fatal(err)
		}
		if r := s.one(); r.Seen != call.SIP.Set()|call.AdminExport.Set() || r.ID != c.xc {
			t.Errorf("%+v", r)
		}
	}
}

// TestTwoProcessesAtOnce: two processes that do not share an Ingest hear of one call at once. The
// one that writes second looked for rows before the first wrote, and the store refuses its batch:
// there is one row, and each id finds it.
func TestTwoProcessesAtOnce(t *testing.T) {
	for _, graphFirst := range []bool{false, true} {
		model := storetest.NewModel()
		graph, export := calls(rand.New(rand.NewPCG(3, 4)), 5)
		for i := range graph {
			first, second := export[i], graph[i]
			if graphFirst {
				first, second = second, first
			}
			other := New(Config{Store: model, Now: now}).Sink("other", tenant)
			once := false
			hook := &hookStore{Model: model, before: func(b call.Batch) {
				if once || len(b.Rows) == 0 {
					return
				}
				once = true
				if err := tryPut(t.Context(), other, first); err != nil {
					t.Fatal(err)
				}
			}}
			in := New(Config{Store: hook, Now: now})
			if err := tryPut(t.Context(), in.Sink("mine", tenant), second); err != nil {
				t.Fatal(err)
			}
		}
		rows := contents(t, model)
		if len(rows) != len(graph) {
			t.Errorf("graph first %v: %d rows of %d calls", graphFirst, len(rows), len(graph))
		}
		for i := range graph {
			r, err := model.Row(t.Context(), tenant, graph[i].Row.ID)
			if err != nil || r.Seen != call.Graph.Set()|call.AdminExport.Set() {
				t.Errorf("graph first %v: Graph's id finds %v, %v", graphFirst, r.Seen, err)
			}
		}
	}
}

// TestLinksOfTheGone: after retention has deleted a row, the store still has the links of its day.
// A call that comes again is linked as if it came for the first time.
func TestLinksOfTheGone(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	event := func(kind call.Kind) call.Event {
		r := call.Row{
			CorrelationID: call.NameGUID("c"), Start: at, Invite: at, End: at.Add(time.Second), Duration: 1, Successful: true,
			CallType: "ByotIn", Trunk: "sbc1.contoso.com", Caller: "1",
		}
		if kind == call.Graph {
			r.ID = call.NameGUID("g")
		}
		r.Settle(kind.Witness(), true)
		return call.Event{Kind: call.RecordEvent, Call: "x", Row: r}
	}
	for range 3 {
		s.put(event(call.Graph))
		s.put(event(call.CDR))
		r := s.one()
		if r.ID != call.NameGUID("g") || r.Seen != call.Graph.Set()|call.CDR.Set() {
			t.Fatalf("the row is %v, seen by %v", r.ID, r.Seen)
		}
		if n, err := s.in.Trim(t.Context(), s.store, r.Tenant, at.Add(time.Hour)); n != 1 || err != nil {
			t.Fatalf("%d rows were trimmed, %v", n, err)
		}
	}
}
