package call

import (
	"testing"
	"time"
)

// TestWitnessOrder writes down the order of trust.
func TestWitnessOrder(t *testing.T) {
	order := []Witness{
		0,
		Inferred.Hearsay(), RADIUS.Hearsay(), CDR.Hearsay(), SIP.Hearsay(), AdminExport.Hearsay(), Graph.Hearsay(),
		Inferred.Witness(), RADIUS.Witness(), CDR.Witness(), SIP.Witness(), AdminExport.Witness(), Graph.Witness(),
	}
	for i, w := range order {
		if i > 0 && w <= order[i-1] {
			t.Errorf("%d is not more than %d", w, order[i-1])
		}
		if got, want := w.Authenticated(), i > 6; got != want {
			t.Errorf("witness %d: authenticated is %t", w, got)
		}
		if i > 0 && w.Kind() != Kind((i-1)%6+1) {
			t.Errorf("witness %d is of kind %v", w, w.Kind())
		}
	}
}

// TestWitnessBytes pins numbers that are on disks already.
func TestWitnessBytes(t *testing.T) {
	for kind, want := range map[Kind]uint8{Inferred: 1, RADIUS: 2, CDR: 3, SIP: 4, AdminExport: 5, Graph: 6} {
		if uint8(kind) != want || uint8(kind.Hearsay()) != want || uint8(kind.Witness()) != want|0x80 || kind.Set() != 1<<want {
			t.Errorf("%v: kind %d, hearsay %d, witness %d, set %d", kind, kind, kind.Hearsay(), kind.Witness(), kind.Set())
		}
	}
}

func TestKinds(t *testing.T) {
	s := RADIUS.Set() | Graph.Set()
	for k := Kind(0); k < 9; k++ {
		if got, want := s.Has(k), k == RADIUS || k == Graph; got != want {
			t.Errorf("Has(%v) = %t", k, got)
		}
	}
	for s, want := range map[Kinds]string{
		0: "", RADIUS.Set(): "radius", s: "radius+graph",
		Inferred.Set() | RADIUS.Set() | CDR.Set() | SIP.Set() | AdminExport.Set() | Graph.Set(): "inferred+radius+cdr+sip+admin-export+graph",
	} {
		if got := s.String(); got != want {
			t.Errorf("%b is written %q, want %q", s, got, want)
		}
	}
	if Kind(0).String() != "unknown" || Kind(7).String() != "unknown" {
		t.Error("a kind that there is not has a name")
	}
}

// said returns the report of w on a call: the fields of full that are in the set.
func said(full Row, w Witness, complete bool, fields ...Field) Row {
	r := Row{Tenant: full.Tenant, ID: full.ID, Start: full.Start}
	for _, f := range fields {
		r.take(&full, f)
	}
	r.Settle(w, complete)
	return r
}

func TestSettle(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2024, 1, 1, 0, 0, s, 0, time.UTC) }
	w := CDR.Witness()
	for _, c := range []struct {
		name     string
		row      Row
		complete bool
		start    time.Time
		settled  []Field
	}{
		{"nothing", Row{}, false, time.Time{}, nil},
		{"a start", Row{Start: at(5), Invite: at(1)}, false, at(5), []Field{FieldStart, FieldInvite}},
		{"no start but an invite", Row{Invite: at(1), Failure: at(2), End: at(3)}, false, at(1), []Field{FieldInvite, FieldFailure, FieldEnd}},
		{"no start but a failure", Row{Failure: at(2), End: at(3)}, false, at(2), []Field{FieldFailure, FieldEnd}},
		{"no start but an end", Row{End: at(3)}, false, at(3), []Field{FieldEnd}},
		{
			"some fields",
			Row{ID: GUID{1}, Caller: "x", Duration: -1, MediaBypass: true, AdministrativeUnits: []GUID{{1}}},
			false,
			time.Time{},
			[]Field{FieldID, FieldCaller, FieldDuration, FieldMediaBypass, FieldAdministrativeUnits},
		},
		{
			"all there is to say",
			Row{ID: GUID{1}, Start: at(5)},
			true, at(5),
			[]Field{FieldID, FieldStart, FieldInvite, FieldFailure, FieldEnd, FieldDuration, FieldSuccessful, FieldFinalSIPCode, FieldCallEndSubReason, FieldMediaBypass},
		},
		{
			"all there is to say, but no start",
			Row{},
			true,
			time.Time{},
			[]Field{FieldInvite, FieldFailure, FieldEnd, FieldDuration, FieldSuccessful, FieldFinalSIPCode, FieldCallEndSubReason, FieldMediaBypass},
		},
	} {
		r := c.row
		for f := range r.By {
			r.By[f] = Graph.Witness() // Settle must not trust it
		}
		r.Settle(w, c.complete)
		var want [NumFields]Witness
		for _, f := range c.settled {
			want[f] = w
		}
		if r.By != want {
			t.Errorf("%s: settled by %v, want %v", c.name, r.By, want)
		}
		if !r.Start.Equal(c.start) {
			t.Errorf("%s: it starts at %v, want %v", c.name, r.Start, c.start)
		}
		if r.Seen != CDR.Set() {
			t.Errorf("%s: seen by %v", c.name, r.Seen)
		}
		again := r.Clone()
		if r.By[FieldStart] == 0 {
			again.Start = c.row.Start
		}
		again.Settle(w, c.complete)
		if !again.Equal(&r) {
			t.Errorf("%s: settled twice it is %+v", c.name, again)
		}
	}
}

func TestSettleTimes(t *testing.T) {
	zone := time.FixedZone("", 3600)
	r := Row{Start: time.Date(2024, 1, 1, 1, 0, 0, 199, zone), End: time.Now(), Failure: time.Date(1, 1, 1, 1, 0, 0, 50, zone)}
	end := r.End
	r.Settle(SIP.Hearsay(), false)
	if want := time.Date(2024, 1, 1, 0, 0, 0, 100, time.UTC); r.Start != want {
		t.Errorf("start is %v, want %v", r.Start, want)
	}
	if r.End.Location() != time.UTC || r.End.Nanosecond()%100 != 0 || end.Sub(r.End) >= 100 || r.End.After(end) {
		t.Errorf("end is %v, was %v", r.End, end)
	}
	if r.Settle(CDR.Witness(), false); r.Seen != SIP.Set()|CDR.Set() {
		t.Errorf("seen by %v", r.Seen)
	}
	if !r.Failure.IsZero() || r.By[FieldFailure] != 0 {
		t.Errorf("what 100 ns cannot hold is still known: %v", r.Failure)
	}
}
