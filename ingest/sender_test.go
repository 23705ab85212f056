package ingest

import (
	"errors"
	"slices"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestSenders: two senders of one source may give different calls the same name, the ids of the
// rows depend on the source and the sender, and the totals count both.
func TestSenders(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	sink := s.in.Sink("http", call.GUID{})
	e := call.Event{Kind: call.RecordEvent, Call: "x", Row: call.Row{Start: now()}}
	e.Row.Settle(call.CDR.Witness(), false)
	for _, sender := range []string{"one", "two", "two"} {
		if out, err := sink.Of(sender, tenant).Put(t.Context(), e); err != nil || out.Err() != nil {
			t.Fatal(err, out)
		}
	}
	if got := sink.Totals(); got.New != 2 || got.Same != 1 || got.Last.IsZero() {
		t.Errorf("%+v", got)
	}
	rows := s.rows()
	for _, sender := range []string{"one", "two"} {
		id := call.NameGUID("http/"+sender, "x")
		if !slices.ContainsFunc(rows, func(r call.Row) bool { return r.ID == id && r.Tenant == tenant }) {
			t.Errorf("no row %v among %v", id, rows)
		}
	}
}

// TestPrepareParts: Prepare checks a part of a call like a record, and leaves it to Put to give the
// call its id and its place.
func TestPrepareParts(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	sink := s.in.Sink("spool", tenant)
	start := tell("x", false, func(r *call.Row) { r.Start = now() })
	stop := tell("x", true, func(r *call.Row) { r.FinalSIPCode = 200 })
	for _, e := range []*call.Event{&start, &stop} {
		before := e.Row.Clone()
		if err := sink.Prepare(e); err != nil {
			t.Fatalf("a %v: %v", e.Kind, err)
		}
		if !e.Row.Equal(&before) {
			t.Errorf("a %v was changed to %+v", e.Kind, e.Row)
		}
		if out, err := sink.Put(t.Context(), *e); err != nil || out.Err() != nil {
			t.Fatalf("a %v: %v, %v", e.Kind, err, out.Err())
		}
	}
	if rows := s.rows(); len(rows) != 1 || rows[0].FinalSIPCode != 200 || !rows[0].Start.Equal(now()) {
		t.Errorf("%+v", rows)
	}
	for what, bad := range map[string]call.Event{
		"a text that is not UTF-8": tell("y", false, func(r *call.Row) { r.Caller = "\xff" }),
		"nothing that is settled":  {Kind: call.PartEvent, Call: "y"},
		"no name":                  tell("", true, func(r *call.Row) { r.FinalSIPCode = 200 }),
	} {
		var syntax *call.SyntaxError
		if err := sink.Prepare(&bad); !errors.As(err, &syntax) || !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%s: prepared: %v", what, err)
		}
		if out, err := sink.Put(t.Context(), bad); err != nil || !errors.Is(out.Err(), call.ErrInvalid) {
			t.Errorf("%s: put: %v, %v", what, err, out.Err())
		}
	}
}
