package ingest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestOutcome: Put returns the outcome of each event, whatever stands around it, and the outcomes
// add up to the totals.
func TestOutcome(t *testing.T) {
	record := func(name string, set func(*call.Row)) call.Event {
		e := call.Event{Kind: call.RecordEvent, Call: name, Row: call.Row{Start: partsAt, Trunk: "sbc1.contoso.com"}}
		if set != nil {
			set(&e.Row)
		}
		e.Row.Settle(call.CDR.Witness(), false)
		return e
	}
	start := func(r *call.Row) { r.Start = partsAt }
	ended := func(r *call.Row) { r.End = partsAt.Add(time.Minute) }
	restart := call.Event{Kind: call.RestartEvent, Row: call.Row{Trunk: "sbc7.contoso.com"}}
	heard := newTalk(1, true).whole().events()[0]
	puts := []struct {
		events []call.Event
		want   string
	}{
		{[]call.Event{record("a", nil), record("a", nil), restart, {}, record("b", nil)}, "new same taken rejected new"},
		{[]call.Event{record("a", nil), heard, record("b", ended)}, "same taken changed"},
		{[]call.Event{record("b", func(r *call.Row) { r.Start = partsAt.Add(-time.Second) }), {Kind: call.MessageEvent}}, "moved rejected"},
		{[]call.Event{tell("c", false, start), record("a", ended), tell("d", false, ended)}, "open changed open"},
		{[]call.Event{tell("c", true, ended), tell("c", true, ended), tell("c", false, func(r *call.Row) { r.Callee = "+49301" }), restart}, "new same changed taken"},
		{[]call.Event{tell("c", false, start), tell("c", false, func(r *call.Row) { r.Caller = "+49302" })}, "same changed"},
		{[]call.Event{restart, heard}, "taken taken"},
		{nil, ""},
	}
	s := newStage(t, storetest.NewModel())
	sink := s.in.Sink("lab", tenant)
	var sum Totals
	for i, p := range puts {
		out, err := sink.Put(t.Context(), p.events...)
		if err != nil {
			t.Fatal(err)
		}
		words := make([]string, len(out.Fates))
		for i, f := range out.Fates {
			words[i] = f.String()
		}
		if got := strings.Join(words, " "); got != p.want {
			t.Errorf("put %d: %s, want %s", i, got, p.want)
		}
		rejected := out.Count(call.Rejected)
		if len(out.Rejected) != rejected || (out.Err() == nil) != (rejected == 0) || rejected > 0 && !errors.Is(out.Err(), call.ErrInvalid) {
			t.Errorf("put %d: %+v", i, out)
		}
		sum.Add(&out, sink.Totals().Last)
	}
	if got := sink.Totals(); got != sum || got.New != 3 || got.Rejected != 2 {
		t.Errorf("totals %+v, of the outcomes %+v", got, sum)
	}
}

// TestOutcomeLinked: Put counts a row that another source has told under another id, and one whose
// trunk no tenant owns.
func TestOutcomeLinked(t *testing.T) {
	s := newStage(t, storetest.NewModel())
	_, export, _ := exported()
	if err := tryPut(t.Context(), s.in.Sink("teams", tenant), export); err != nil {
		t.Fatal(err)
	}
	graph := export
	graph.Row.ID = call.NameGUID("graph's own")
	graph.Row.By, graph.Row.Seen = [call.NumFields]call.Witness{}, 0
	graph.Row.Settle(call.Graph.Witness(), true)
	nobody := call.Event{Kind: call.RecordEvent, Call: "x", Row: call.Row{Start: partsAt, Trunk: "sbc.elsewhere.com"}}
	nobody.Row.Settle(call.CDR.Witness(), false)
	for _, c := range []struct {
		sink            *Sink
		event           call.Event
		linked, unowned int
		fates           []call.Fate
	}{
		{s.in.Sink("graph", tenant), graph, 1, 0, []call.Fate{call.Changed}},
		{s.in.Sink("spool", call.GUID{}), nobody, 0, 1, []call.Fate{call.New}},
	} {
		out, err := c.sink.Put(t.Context(), c.event)
		if err != nil || out.Linked != c.linked || out.Unowned != c.unowned || !slices.Equal(out.Fates, c.fates) {
			t.Errorf("%+v, %v", out, err)
		}
	}
}
