package call

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWitnessOrder writes down who is believed more than whom.
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

// TestWitnessBytes holds numbers that are on disks already.
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

// said returns what w says of a call: the fields of full that are in the set.
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
		{"no start but an invite", Row{Invite: at(1), Failure: at(2), End: at(3)}, false, at(1), []Field{FieldStart, FieldInvite, FieldFailure, FieldEnd}},
		{"no start but a failure", Row{Failure: at(2), End: at(3)}, false, at(2), []Field{FieldStart, FieldFailure, FieldEnd}},
		{"no start but an end", Row{End: at(3)}, false, at(3), []Field{FieldStart, FieldEnd}},
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
			r.By[f] = Graph.Witness() // which Settle must not believe
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

func TestFold(t *testing.T) {
	full := fullRow()
	full.ClaimedStart = time.Time{}
	other := full
	other.Caller, other.Duration, other.Successful, other.End = "+99", 77, false, full.End.Add(time.Hour)
	other.UserID = GUID{7}
	best := said(full, Graph.Witness(), true, FieldCaller, FieldDuration, FieldSuccessful, FieldEnd)

	t.Run("a lower witness fills gaps only", func(t *testing.T) {
		r := best.Clone()
		w := said(other, CDR.Witness(), true, FieldCaller, FieldDuration, FieldSuccessful, FieldEnd, FieldUserID)
		if !r.Fold(&w) || r.Caller != full.Caller || r.Duration != full.Duration || !r.Successful || !r.End.Equal(full.End) {
			t.Errorf("got %+v", r)
		}
		if r.UserID != other.UserID || r.By[FieldUserID] != CDR.Witness() {
			t.Errorf("the gap was not filled: %v", r.UserID)
		}
		if r.Seen != CDR.Set()|Graph.Set() {
			t.Errorf("seen by %v", r.Seen)
		}
	})
	t.Run("a complete witness says none", func(t *testing.T) {
		r := said(other, CDR.Witness(), false, FieldFailure, FieldDuration, FieldFinalSIPCode, FieldMediaBypass)
		w := said(full, Graph.Witness(), true)
		if !r.Fold(&w) || !r.Failure.IsZero() || r.Duration != 0 || r.FinalSIPCode != 0 || r.MediaBypass {
			t.Errorf("got %+v", r)
		}
		late := said(other, CDR.Witness(), false, FieldDuration, FieldMediaBypass)
		if r.Fold(&late); r.Duration != 0 || r.MediaBypass {
			t.Errorf("a lower witness filled in a zero that is settled: %+v", r)
		}
	})
	t.Run("a witness that is not complete leaves what it does not know", func(t *testing.T) {
		r := said(other, CDR.Witness(), false, FieldDuration, FieldCaller)
		w := said(full, Graph.Witness(), false, FieldCaller)
		if r.Fold(&w); r.Duration != other.Duration || r.Caller != full.Caller {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a complete witness leaves texts and ids that it does not know", func(t *testing.T) {
		r := said(other, CDR.Witness(), false, FieldCaller, FieldUserID, FieldAdministrativeUnits)
		w := said(full, Graph.Witness(), true)
		if r.Fold(&w); r.Caller != other.Caller || r.UserID != other.UserID || len(r.AdministrativeUnits) != 2 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("of two equal witnesses the later stands", func(t *testing.T) {
		r := best.Clone()
		w := said(other, Graph.Witness(), true, FieldCaller, FieldDuration, FieldEnd)
		if !r.Fold(&w) || r.Caller != "+99" || r.Duration != 77 || r.Successful || !r.End.Equal(other.End) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the same once more changes nothing", func(t *testing.T) {
		r := best.Clone()
		if w := best.Clone(); r.Fold(&w) || !r.Equal(&best) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a better witness of the same value is noted", func(t *testing.T) {
		r := said(full, CDR.Witness(), false, FieldCaller)
		w := said(full, Graph.Witness(), false, FieldCaller)
		r.Seen = w.Seen
		if !r.Fold(&w) || r.By[FieldCaller] != Graph.Witness() || r.Caller != full.Caller {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("what nobody has settled is not taken", func(t *testing.T) {
		r := said(full, CDR.Witness(), false, FieldCaller)
		w := Row{Callee: "+99", Duration: 77, Seen: r.Seen}
		if r.Fold(&w) || r.Callee != "" || r.Duration != 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the id, the start and the tenant stay", func(t *testing.T) {
		r := said(full, CDR.Hearsay(), false, FieldCaller)
		w := best.Clone()
		w.ID, w.Tenant, w.Start = GUID{8}, GUID{9}, full.Start.Add(time.Hour)
		if !r.Fold(&w) || r.ID != full.ID || r.Tenant != full.Tenant || !r.Start.Equal(full.Start) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a witness with nothing new is noted as seen", func(t *testing.T) {
		r := best.Clone()
		w := Row{ID: best.ID, Start: best.Start}
		w.Settle(RADIUS.Hearsay(), false)
		w.By = [NumFields]Witness{}
		if !r.Fold(&w) || !r.Seen.Has(RADIUS) || r.Fold(&w) {
			t.Errorf("got %+v", r)
		}
	})
}

// TestFoldClaimedStart: the place stays, and the best witness's start is kept
// beside it for as long as it differs.
func TestFoldClaimedStart(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2024, 1, 1, 0, 0, s, 0, time.UTC) }
	row := func(w Witness, s int) Row {
		r := Row{ID: GUID{1}, Start: at(s)}
		r.Settle(w, false)
		return r
	}
	r := row(CDR.Witness(), 10)
	for _, step := range []struct {
		name    string
		w       Row
		claimed time.Time
		changed bool
		by      Witness
	}{
		{"a lower witness is not asked", row(RADIUS.Witness(), 20), time.Time{}, true, CDR.Witness()},
		{"nor is hearsay", row(Graph.Hearsay(), 21), time.Time{}, true, CDR.Witness()},
		{"a better one is", row(SIP.Witness(), 11), at(11), true, SIP.Witness()},
		{"and changes nothing the second time", row(SIP.Witness(), 11), at(11), false, SIP.Witness()},
		{"the first witness is a lower one now", row(CDR.Witness(), 12), at(11), false, SIP.Witness()},
		{"an equal one corrects itself", row(SIP.Witness(), 13), at(13), true, SIP.Witness()},
		{"the best agrees with the place", row(Graph.Witness(), 10), time.Time{}, true, Graph.Witness()},
		{"and is believed", row(SIP.Witness(), 14), time.Time{}, false, Graph.Witness()},
		{"the best changes its mind", row(Graph.Witness(), 15), at(15), true, Graph.Witness()},
	} {
		if changed := r.Fold(&step.w); changed != step.changed {
			t.Errorf("%s: changed is %t", step.name, changed)
		}
		if !r.Start.Equal(at(10)) || !r.ClaimedStart.Equal(step.claimed) || r.By[FieldStart] != step.by {
			t.Errorf("%s: start %v, claimed %v by %d", step.name, r.Start, r.ClaimedStart, r.By[FieldStart])
		}
	}

	// A row that was published elsewhere brings its claim with it.
	elsewhere := row(CDR.Witness(), 30)
	better := row(Graph.Witness(), 31)
	elsewhere.Fold(&better)
	r = row(SIP.Witness(), 10)
	if r.Fold(&elsewhere); !r.Start.Equal(at(10)) || !r.ClaimedStart.Equal(at(31)) {
		t.Errorf("start %v, claimed %v", r.Start, r.ClaimedStart)
	}
}

// randomReport returns what some witness may say of the call with the given
// place: true or not, and of any fields.
func randomReport(rnd *rand.Rand, w Witness) Row {
	r := randomRow(rnd)
	r.Tenant, r.ID, r.ClaimedStart, r.Seen = GUID{1}, GUID{2}, time.Time{}, 0
	if rnd.IntN(2) == 0 {
		r.Start = time.Date(2024, 1, 1, 0, 0, rnd.IntN(3), 0, time.UTC)
	}
	r.Settle(w, rnd.IntN(2) == 0)
	return r
}

// fold returns the fold of reports in the given order.
func fold(reports []Row) Row {
	r := reports[0].Clone()
	for i := range reports[1:] {
		w := reports[i+1].Clone()
		r.Fold(&w)
	}
	return r
}

// TestFoldModel compares Fold with what it is said to do, field by field: the
// greatest witness's last word stands.
func TestFoldModel(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 3000) {
		reports := make([]Row, 1+rnd.IntN(6))
		var words [NumFields]*Row // whose value stands
		for i := range reports {
			reports[i] = randomReport(rnd, pick(rnd, everyWitness()...))
			for f := range NumFields {
				w := &reports[i]
				if w.By[f] != 0 && (words[f] == nil || w.By[f] >= words[f].By[f]) {
					words[f] = w
				}
			}
		}
		got := fold(reports)
		if got.Tenant != reports[0].Tenant || got.ID != reports[0].ID || !got.Start.Equal(reports[0].Start) {
			t.Fatalf("the place has moved to %v %v", got.Start, got.ID)
		}
		for f := range NumFields {
			switch w := words[f]; {
			case w == nil:
				if got.By[f] != 0 || got.Known(f) {
					t.Fatalf("%s is known, but nobody has said it", f)
				}
			case got.By[f] != w.By[f]:
				t.Fatalf("%s is settled by %d, want %d", f, got.By[f], w.By[f])
			case f != FieldStart && f != FieldID && !got.same(w, f):
				t.Fatalf("%s is not what witness %d has said", f, w.By[f])
			case f == FieldStart && !got.claim().Equal(w.Start):
				t.Fatalf("the claimed start is %v, want %v", got.claim(), w.Start)
			case f == FieldStart && got.ClaimedStart.Equal(got.Start):
				t.Fatal("the start is claimed to be what it is")
			}
		}
		var seen Kinds
		for i := range reports {
			seen |= reports[i].Seen
		}
		if got.Seen != seen {
			t.Fatalf("seen by %v, want %v", got.Seen, seen)
		}
	}
}

// TestFoldLaws: the order of different witnesses does not matter, nor how they
// are put together, nor how often they speak; only the place is the first's.
func TestFoldLaws(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 3000) {
		witnesses := everyWitness()
		rnd.Shuffle(len(witnesses), func(i, j int) { witnesses[i], witnesses[j] = witnesses[j], witnesses[i] })
		reports := make([]Row, 2+rnd.IntN(4))
		for i := range reports {
			reports[i] = randomReport(rnd, witnesses[i])
		}
		want := fold(reports)

		again := want.Clone()
		for i := range reports {
			w := reports[i].Clone()
			if again.Fold(&w) || !again.Equal(&want) {
				t.Fatalf("report %d changed the row when it came again:\n%+v\n%+v", i, again, want)
			}
		}

		if len(reports) > 2 {
			first, rest := reports[0].Clone(), fold(reports[1:])
			if first.Fold(&rest); !first.Equal(&want) {
				t.Fatalf("folding the rest first gives\n%+v\n%+v", first, want)
			}
		}

		shuffled := make([]Row, 0, len(reports))
		for _, i := range rnd.Perm(len(reports)) {
			shuffled = append(shuffled, reports[i])
		}
		got := fold(shuffled)
		if !got.claim().Equal(want.claim()) {
			t.Fatalf("the claimed start depends on the order: %v, %v", got.claim(), want.claim())
		}
		got.Start, got.ClaimedStart = want.Start, want.ClaimedStart
		if !got.Equal(&want) {
			t.Fatalf("the row depends on the order:\n%+v\n%+v", got, want)
		}
	}
}

// TestHearsayChangesNothing: whoever can send a packet can add to a row, but
// cannot touch what an authenticated witness has settled, a zero included.
func TestHearsayChangesNothing(t *testing.T) {
	rnd := newRand(t)
	added := 0
	for range scale(t, 3000) {
		known := randomReport(rnd, pick(rnd, Inferred, RADIUS, CDR, SIP, AdminExport, Graph).Witness())
		r := known.Clone()
		for range 1 + rnd.IntN(3) {
			w := randomReport(rnd, pick(rnd, Inferred, RADIUS, CDR, SIP, AdminExport, Graph).Hearsay())
			r.Fold(&w)
		}
		for f := range NumFields {
			if known.By[f] != 0 && (!r.same(&known, f) || r.By[f] != known.By[f]) {
				t.Fatalf("hearsay has changed %s", f)
			}
			if known.By[f] == 0 && r.Known(f) {
				added++
			}
		}
		if !r.Start.Equal(known.Start) || !r.ClaimedStart.IsZero() {
			t.Fatalf("hearsay has claimed the start %v", r.ClaimedStart)
		}
	}
	if added == 0 {
		t.Error("hearsay has added nothing")
	}
}
