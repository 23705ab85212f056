package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

func newUndoStage(t *testing.T) *undoStage {
	return &undoStage{T: t, store: storetest.NewModel(), rnd: rand.New(rand.NewPCG(1, 1))}
}

// tellingOf returns an event in which a witness tells a row.
func tellingOf(r call.Row, w call.Witness) call.Event {
	r.Settle(w, false)
	return call.Event{Kind: call.RecordEvent, Row: r}
}

func oneRow(caller string) call.Row {
	return call.Row{ID: call.NameGUID("call"), Start: now(), Caller: caller, Duration: 3}
}

// TestUndoVoices: Microsoft's own records are one voice in any format, so that the later of two
// imports must be undone first.
func TestUndoVoices(t *testing.T) {
	for _, second := range []string{"+49301", "+49302"} {
		s := newUndoStage(t)
		a := s.run("csv", []call.Event{tellingOf(oneRow("+49301"), call.AdminExport.Witness())})
		b := s.run("teams", []call.Event{tellingOf(oneRow(second), call.AdminExport.Witness())})
		if n, left := s.undo(a); n.Left != 1 || len(left) != 1 || len(s.rows()) != 1 {
			t.Errorf("%s: %+v", second, n)
		}
		s.undo(b)
		if n, _ := s.undo(a); n.Removed != 1 || len(s.rows()) != 0 {
			t.Errorf("%s: %+v, %+v", second, n, s.rows())
		}
	}
}

// TestUndoOverlap: of two imports that were under way at once, the one that began first may have
// told a row last.
func TestUndoOverlap(t *testing.T) {
	s := newUndoStage(t)
	e := tellingOf(oneRow("+49301"), call.CDR.Witness())
	for _, id := range []string{"2026-002", "2026-001"} {
		i := Import{ID: id, Format: "csv", Files: []string{"x"}, Began: now()}
		if err := i.Save(t.Context(), s.store); err != nil {
			t.Fatal(err)
		}
		in := New(Config{Store: s.store, Now: now, Import: id})
		if err := tryPut(t.Context(), in.Sink("csv", tenant), e); err != nil {
			t.Fatal(err)
		}
		i.Ended = now().Add(time.Minute)
		if err := i.End(t.Context(), s.store); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := s.undo("2026-002"); n.Left != 1 || len(s.rows()) != 1 {
		t.Errorf("%+v", n)
	}
	s.undo("2026-001") // the import has told nothing new
	if n, _ := s.undo("2026-002"); n.Removed != 1 || len(s.rows()) != 0 {
		t.Errorf("%+v", n)
	}
}

// linkedPair returns a call as a CDR and as Graph tell it, under different ids.
func linkedPair() (cdr, graph call.Row) {
	cdr = call.Row{
		ID: call.NameGUID("cdr"), CorrelationID: call.NameGUID("x"), Start: now(), Caller: "+49301234567", Callee: "+49301234568",
		Duration: 9, End: now().Add(9 * time.Second), Successful: true, Trunk: "sbc.contoso.com",
	}
	graph = cdr
	graph.ID = call.NameGUID("graph")
	cdr.UserDisplayName = "told by the CDR"
	return cdr, graph
}

// TestUndoUnderAlias: when a removed row comes again in a later import, as a part of another row,
// an undo of the first import leaves what the later one has told.
func TestUndoUnderAlias(t *testing.T) {
	s := newUndoStage(t)
	cdr, graph := linkedPair()
	a := s.run("csv", []call.Event{tellingOf(cdr, call.CDR.Witness())})
	if _, err := s.store.Write(t.Context(), call.Batch{Remove: []call.RowID{{Tenant: tenant, ID: cdr.ID}}}); err != nil {
		t.Fatal(err)
	}
	live := New(Config{Store: s.store, Now: now})
	if err := tryPut(t.Context(), live.Sink("http/x", tenant), tellingOf(graph, call.Graph.Witness())); err != nil {
		t.Fatal(err)
	}
	s.run("csv", []call.Event{tellingOf(cdr, call.CDR.Witness())})
	s.undo(a)
	if rows := s.rows(); len(rows) != 1 || rows[0].ID != graph.ID || rows[0].UserDisplayName == "" {
		t.Errorf("%+v", rows)
	}
}

// A legStore fails to write legs, and nothing else.
type legStore struct {
	call.Store
	fail bool
}

func (s *legStore) Write(ctx context.Context, b call.Batch) (call.Result, error) {
	for name := range b.State {
		if s.fail && strings.HasPrefix(name, openPrefix) && len(b.Rows) == 0 {
			return call.Result{}, errors.New("cut off")
		}
	}
	return s.Store.Write(ctx, b)
}

// record imports a recording of one call.
func (s *undoStage) record() string {
	s.Helper()
	s.n++
	i := Import{ID: "2026-9" + string(rune('0'+s.n)), Format: "pcap", Files: []string{"x"}, Began: now()}
	if err := i.Save(s.Context(), s.store); err != nil {
		s.Fatal(err)
	}
	in := New(Config{Store: s.store, Now: now, Import: i.ID})
	if _, err := in.Resume(s.Context(), func(string) bool { return true }); err != nil {
		s.Fatal(err)
	}
	sink := in.SinkOf(Input{Source: "pcap", Tenant: tenant, Recorded: true})
	c := newTalk(1, true)
	c.began = now().Add(-time.Hour)
	if err := errors.Join(tryPut(s.Context(), sink, c.whole().events()...), sink.Flush(s.Context())); err != nil {
		s.Fatal(err)
	}
	return i.ID
}

// TestUndoRecording: a recording whose import was undone makes its rows again, even if the undo was
// interrupted and called again.
func TestUndoRecording(t *testing.T) {
	for _, broken := range []bool{false, true} {
		store := &legStore{Store: storetest.NewModel()}
		s := newUndoStage(t)
		s.store = store
		id := s.record()
		if n := len(s.rows()); n != 1 {
			t.Fatalf("%d rows of one call", n)
		}
		store.fail = broken
		if _, err := Undo(t.Context(), store, id, UndoOptions{}); (err != nil) != broken {
			t.Fatal(err)
		}
		store.fail = false
		if _, err := Undo(t.Context(), store, id, UndoOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := len(s.rows()); n != 0 {
			t.Errorf("%d rows after undoing", n)
		}
		s.record()
		if n := len(s.rows()); n != 1 {
			t.Errorf("broken off: %v: the same recording makes %d rows", broken, n)
		}
	}
}

// TestAssign: a row goes to another tenant with its links, and with what is told of it meanwhile,
// and an undo takes it back there.
func TestAssign(t *testing.T) {
	model := storetest.NewModel()
	cdr, graph := linkedPair()
	i := Import{ID: "2026-001", Format: "csv", Files: []string{"x"}, Began: now()}
	if err := i.Save(t.Context(), model); err != nil {
		t.Fatal(err)
	}
	in := New(Config{Store: model, Now: now})
	imported := New(Config{Store: model, Now: now, Import: i.ID})
	if err := errors.Join(
		tryPut(t.Context(), in.Sink("graph", call.GUID{}), tellingOf(graph, call.Graph.Witness())),
		tryPut(t.Context(), imported.Sink("csv", call.GUID{}), tellingOf(cdr, call.CDR.Witness())),
	); err != nil {
		t.Fatal(err)
	}
	read, err := model.Row(t.Context(), call.Unassigned, graph.ID)
	if err != nil {
		t.Fatal(err)
	}
	more := graph
	more.Tenant, more.MediaLocation = call.Unassigned, "told meanwhile"
	more.Settle(call.Graph.Witness(), false)
	if _, err := model.Write(t.Context(), call.Batch{Rows: []call.Row{more}}); err != nil {
		t.Fatal(err)
	}
	if n, err := in.Assign(t.Context(), []call.Row{read}, tenant); err != nil || n.New != 1 {
		t.Fatalf("%+v, %v", n, err)
	}
	r, err := model.Row(t.Context(), tenant, cdr.ID) // by its alias
	if err != nil || r.ID != graph.ID || r.MediaLocation != "told meanwhile" || r.UserDisplayName == "" {
		t.Errorf("%+v, %v", r, err)
	}
	again := New(Config{Store: model, Now: now})
	if err := tryPut(t.Context(), again.Sink("csv", tenant), tellingOf(cdr, call.CDR.Witness())); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[call.GUID]int64{tenant: 1, call.Unassigned: 0} {
		if n, err := model.Count(t.Context(), call.Query{Tenant: of}); n != want || err != nil {
			t.Errorf("%d rows of %v, want %d", n, of, want)
		}
	}
	if n, err := Undo(t.Context(), model, i.ID, UndoOptions{Tenants: []call.GUID{tenant}}); err != nil || n.Changed != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	if r, err := model.Row(t.Context(), tenant, graph.ID); err != nil || r.UserDisplayName != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestUndoLater: an undo leaves the rows of which a later import has told, however many it compares
// at once.
func TestUndoLater(t *testing.T) {
	for atOnce := range 12 {
		s := newUndoStage(t)
		var all, some []call.Event
		for i := range 40 {
			r := oneRow(fmt.Sprintf("+4930%07d", i))
			r.ID = call.NameGUID("call", r.Caller)
			e := tellingOf(r, call.Graph.Witness())
			if all = append(all, e); i%3 == 0 {
				some = append(some, e)
			}
		}
		first, second := s.run("graph", all), s.run("graph", some)
		n, err := Undo(t.Context(), s.store, first, UndoOptions{Now: now(), atOnce: atOnce})
		if want := (Undone{Left: int64(len(some)), Removed: int64(len(all) - len(some))}); err != nil || n != want {
			t.Fatalf("%d at once: %+v, not %+v (%v)", atOnce, n, want, err)
		}
		s.undo(second)
		if s.undo(first); len(s.rows()) > 0 {
			t.Fatalf("%d at once: %d rows stay", atOnce, len(s.rows()))
		}
	}
}
