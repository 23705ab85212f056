package ingest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// An undoStage imports and undoes.
type undoStage struct {
	*testing.T
	store call.Store
	rnd   *rand.Rand
	n     int
}

// run imports what a source tells of random calls, in several Puts, and returns the id of the
// import.
func (s *undoStage) run(format string, events []call.Event) string {
	s.Helper()
	s.n++
	i := Import{ID: fmt.Sprintf("2026-%03d", s.n), Format: format, Files: []string{"x"}, Began: now()}
	in := New(Config{Store: s.store, Now: now, Import: i.ID})
	sink := in.Sink(format, tenant)
	for len(events) > 0 {
		n := 1 + s.rnd.IntN(len(events))
		if err := tryPut(s.Context(), sink, events[:n]...); err != nil {
			s.Fatal(err)
		}
		events = events[n:]
	}
	i.Ended = now()
	if err := i.Save(s.Context(), s.store); err != nil {
		s.Fatal(err)
	}
	return i.ID
}

func (s *undoStage) undo(id string) (n Undone, left []call.RowID) {
	s.Helper()
	dry, err := Undo(s.Context(), s.store, id, UndoOptions{Dry: true})
	if err != nil {
		s.Fatal(err)
	}
	told := s.told(id)
	n, err = Undo(s.Context(), s.store, id, UndoOptions{Now: now(), Left: func(id call.RowID) { left = append(left, id) }, atOnce: s.rnd.IntN(4)})
	if err != nil {
		s.Fatal(err)
	}
	if all := n.Removed + n.Changed + n.Left + n.Kept + n.Gone; all != int64(told) || n.Left != int64(len(left)) {
		s.Fatalf("undone: %+v, of %d rows that were told; %d are said to be left", n, told, len(left))
	}
	if n.Left != dry.Left || (n.Removed == 0) != (dry.Removed == 0) {
		s.Fatalf("undone: %+v, and without doing it %+v", n, dry)
	}
	return n, left
}

// told returns how many rows an import has made or changed.
func (s *undoStage) told(id string) int {
	s.Helper()
	rows := make(map[call.GUID]bool)
	for v, err := range s.store.State(s.Context(), importedPrefix+id+"/") {
		if err != nil {
			s.Fatal(err)
		}
		_, all, err := told(v.Name, v.Value)
		if err != nil {
			s.Fatal(err)
		}
		for _, t := range all {
			if t.Fate != call.Same {
				rows[t.Row.ID] = true
			}
		}
	}
	return len(rows)
}

// events returns what a source may tell of some of a few calls, some of it twice.
func (s *undoStage) events(format string) (all []call.Event) {
	witness := map[string]call.Witness{"graph": call.Graph.Witness(), "teams": call.AdminExport.Witness(), "csv": call.CDR.Witness()}[format]
	for range 1 + s.rnd.IntN(12) {
		k := s.rnd.IntN(8)
		r := call.Row{
			ID: call.NameGUID("call", fmt.Sprint(k)), Start: now().Add(time.Duration(k)*time.Hour + time.Duration(s.rnd.IntN(3))*time.Second),
			Caller: fmt.Sprint("+4930", s.rnd.IntN(3)), Trunk: []string{"", "sbc1.contoso.com"}[s.rnd.IntN(2)],
		}
		r.Settle(witness, s.rnd.IntN(2) == 0)
		all = append(all, call.Event{Kind: call.RecordEvent, Row: r})
	}
	return all
}

func (s *undoStage) rows() []call.Row {
	s.Helper()
	var all []call.Row
	for r, err := range s.store.Rows(s.Context(), call.Query{Tenant: tenant}) {
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, r.Clone())
	}
	return all
}

// sameRows reports whether two logs have the same rows, in any order, with all that each row
// implies inferred.
func sameRows(a, b []call.Row) bool {
	x, y := inferred(a), inferred(b)
	return slices.EqualFunc(x, y, func(r, w call.Row) bool { return r.Equal(&w) })
}

func inferred(rows []call.Row) (all []call.Row) {
	for _, r := range rows {
		r = r.Clone()
		r.Infer()
		all = append(all, r)
	}
	return all
}

// TestUndoLast: when imports are undone in the opposite order, the log is each time as it was
// before the import.
func TestUndoLast(t *testing.T) {
	seed := storetest.Seed(t)
	for i := range storetest.Scale(200) {
		s := &undoStage{T: t, store: storetest.NewModel(), rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
		var ids []string
		var before [][]call.Row
		for range 1 + s.rnd.IntN(4) {
			format := []string{"graph", "teams", "csv"}[s.rnd.IntN(3)]
			before = append(before, s.rows())
			ids = append(ids, s.run(format, s.events(format)))
		}
		for k, id := range slices.Backward(ids) {
			if n, left := s.undo(id); len(left) > 0 || n.Gone > 0 {
				t.Fatalf("round %d: %+v, left %v", i, n, left)
			}
			if got := s.rows(); !sameRows(got, before[k]) {
				t.Fatalf("round %d, import %d of %d undone:\n%+v\nwant\n%+v", i, k, len(ids), got, before[k])
			}
		}
	}
}

// TestUndoAny: when an import between those of other formats is undone, the log is as if it had
// never been.
func TestUndoAny(t *testing.T) {
	seed := storetest.Seed(t)
	for i := range storetest.Scale(200) {
		s := &undoStage{T: t, store: storetest.NewModel(), rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
		without := &undoStage{T: t, store: storetest.NewModel(), rnd: s.rnd}
		formats := []string{"graph", "teams", "csv"}
		s.rnd.Shuffle(3, func(i, k int) { formats[i], formats[k] = formats[k], formats[i] })
		gone, id := s.rnd.IntN(3), ""
		for k, format := range formats {
			events := s.events(format)
			if k != gone {
				without.run(format, events)
				s.run(format, events)
				continue
			}
			id = s.run(format, events)
		}
		n, _ := s.undo(id)
		got, want := s.rows(), without.rows()
		for k := range min(len(got), len(want)) { // a start that no source tells stays
			if want[k].By[call.FieldStart] == 0 {
				got[k].Start = want[k].Start
			}
		}
		if !sameRows(got, want) {
			t.Fatalf("round %d, %v without number %d: %+v\n%+v\nwant\n%+v", i, formats, gone, n, got, want)
		}
	}
}

// TestUndoMeanwhile: a row that changes during an undo keeps what was told of it then, and the rest
// is undone.
func TestUndoMeanwhile(t *testing.T) {
	model := storetest.NewModel()
	s := &undoStage{T: t, store: model, rnd: rand.New(rand.NewPCG(1, 1))}
	events := s.events("csv")
	id := s.run("csv", events)
	told := events[0].Row
	told.By, told.Seen = [call.NumFields]call.Witness{}, 0
	told.Tenant, told.Callee = tenant, "+49999"
	told.Settle(call.Graph.Witness(), false)
	hook := &hookStore{Model: model, before: func(b call.Batch) {
		if len(b.Replace) > 0 && told.Callee != "" {
			if _, err := model.Write(t.Context(), call.Batch{Rows: []call.Row{told}}); err != nil {
				t.Error(err)
			}
			told.Callee = ""
		}
	}}
	if _, err := Undo(t.Context(), hook, id, UndoOptions{Now: now()}); err != nil {
		t.Fatal(err)
	}
	if rows := s.rows(); len(rows) != 1 || rows[0].Callee != "+49999" || rows[0].Seen != call.Graph.Set() {
		t.Errorf("%+v", rows)
	}
}

// TestForgetImports: an import that began long ago is forgotten, and cannot be undone any more.
func TestForgetImports(t *testing.T) {
	s := &undoStage{T: t, store: storetest.NewModel(), rnd: rand.New(rand.NewPCG(1, 2))}
	id := s.run("csv", s.events("csv"))
	for _, at := range []time.Time{now(), now().Add(time.Hour)} {
		if err := ForgetImports(t.Context(), s.store, at); err != nil {
			t.Fatal(err)
		}
		names, err := pieces(t.Context(), s.store, id)
		if err != nil || (len(names) == 0) != at.After(now()) {
			t.Errorf("%v, %v", names, err)
		}
	}
	if _, err := Undo(t.Context(), s.store, id, UndoOptions{Now: now()}); !errors.Is(err, errForgotten) {
		t.Error(err)
	}
	if _, err := Undo(t.Context(), s.store, "other", UndoOptions{Now: now()}); !errors.Is(err, call.ErrNotFound) {
		t.Error(err)
	}
	if all, err := Imports(t.Context(), s.store); err != nil || len(all) != 1 || !all[0].Forgotten {
		t.Errorf("%+v, %v", all, err)
	}
}
