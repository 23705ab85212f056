package call

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// randomVoice returns a witness and a source, which make a voice.
func randomVoice(rnd *rand.Rand) (Witness, string) {
	w := pick(rnd, everyWitness()...)
	if w.oneVoice() {
		return w, ""
	}
	return w, pick(rnd, "", "a", "b", "b2")
}

// randomReport returns a possible report of a voice on a call: true or not, and of any fields. Some
// of it may be inferred, as when SIP lacks the end of a call.
func randomReport(rnd *rand.Rand, w Witness, source string) Row {
	r := randomRow(rnd)
	r.Tenant, r.ID, r.ClaimedStart, r.Seen, r.Rest = GUID{1}, GUID{2}, time.Time{}, 0, ""
	for f := range timeSet.all { // few values, so that some agree
		if f.Type() == Time && rnd.IntN(4) > 0 {
			r.SetTime(f, time.Time{})
			if rnd.IntN(3) > 0 {
				r.SetTime(f, time.Date(2024, 1, 1, 0, 0, rnd.IntN(4), 0, time.UTC))
			}
		}
	}
	r.Duration = rnd.Int32N(3)
	if firstTime(r.Start, r.Invite, r.Failure, r.End).IsZero() {
		r.Start = time.Date(2024, 1, 1, 0, 0, 1, 0, time.UTC)
	}
	r.Settle(w, rnd.IntN(2) == 0)
	r.Source, r.Faces = source, source == "b" || source != "" && rnd.IntN(2) == 0
	if source != "" && rnd.IntN(3) == 0 {
		for f := range r.By {
			if r.By[f] != 0 && rnd.IntN(2) == 0 {
				r.By[f] = w&authenticated | Witness(Inferred)
			}
		}
	}
	return r
}

// soundReport returns a report of a call that does not contradict itself.
func soundReport(rnd *rand.Rand, w Witness, source string) Row {
	at := func() time.Time { return time.Date(2024, 1, 1, 0, 0, rnd.IntN(5), 1000*rnd.IntN(3), time.UTC) }
	r := Row{Tenant: GUID{1}, ID: GUID{2}, Start: at(), Caller: randomText(rnd), CallType: pick(rnd, "ByotIn", "ByotOut")}
	if rnd.IntN(2) == 0 {
		r.Invite = r.Start.Add(-time.Duration(rnd.IntN(3)) * time.Second)
	}
	ends := r.Start.Add(time.Duration(rnd.IntN(4000)) * time.Millisecond)
	family := int32(540_000)
	if !r.Inbound() {
		family = 560_000
	}
	if rnd.IntN(2) == 0 {
		r.Successful, r.End, r.Duration, r.FinalSIPPhrase = true, ends, int32(ends.Sub(r.Start)/time.Second), "BYE"
	} else {
		r.Failure, r.FinalSIPCode, r.FinalSIPPhrase = ends, pick[int32](rnd, 404, 486, 487), pick(rnd, "Busy", "Gone")
	}
	if rnd.IntN(2) == 0 {
		r.CallEndSubReason = family + r.FinalSIPCode
	}
	r.Settle(w, rnd.IntN(2) == 0)
	r.Source, r.Faces = source, source == "b"
	return r
}

type reporter func(rnd *rand.Rand, w Witness, source string) Row

// voices returns the reports of several sources, each in its order.
func voices(rnd *rand.Rand, report reporter) (all [][]Row) {
	type voice struct {
		by     Witness
		source string
	}
	bySource := map[voice][]Row{}
	for range 1 + rnd.IntN(5) {
		w, source := randomVoice(rnd)
		key := voice{source: source}
		if w.oneVoice() {
			key.by = w
		}
		for range 1 + rnd.IntN(2) {
			bySource[key] = append(bySource[key], report(rnd, w, source))
		}
	}
	for _, words := range bySource {
		all = append(all, words)
	}
	return all
}

// interleave returns all reports in some order, those of each source in theirs.
func interleave(rnd *rand.Rand, all [][]Row) (words []Row) {
	left := slices.Clone(all)
	for len(left) > 0 {
		i := rnd.IntN(len(left))
		words = append(words, left[i][0].Clone())
		if left[i] = left[i][1:]; len(left[i]) == 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return words
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

// TestFoldLaws: the result depends neither on the order of different sources, nor on the grouping
// of their reports, nor on repetitions, nor on whether the row has been on a disk in between.
func TestFoldLaws(t *testing.T) {
	rnd := newRand(t)
	for _, report := range []reporter{randomReport, soundReport} {
		for range scale(t, 4000) {
			all := voices(rnd, report)
			words := interleave(rnd, all)
			want := fold(words)

			if got := fold(interleave(rnd, all)); !got.Equal(&want) {
				t.Fatalf("the row depends on the order:\n%+v\n%+v\nof %+v", got, want, words)
			}
			again := want.Clone()
			for _, w := range interleave(rnd, all) {
				again.Fold(&w)
			}
			if !again.Equal(&want) {
				t.Fatalf("the row has changed when all spoke once more:\n%+v\n%+v", again, want)
			}
			if w := want.Clone(); again.Fold(&w) || !again.Equal(&want) {
				t.Fatalf("the row has changed when it was folded with itself:\n%+v\n%+v", again, want)
			}
			n := 1 + rnd.IntN(len(words))
			grouped := fold(words[:n])
			if n < len(words) {
				rest := fold(words[n:])
				grouped.Fold(&rest)
			}
			if !grouped.Equal(&want) {
				t.Fatalf("folding the rest first gives\n%+v\n%+v\nof %+v", grouped, want, words)
			}
			kept := words[0]
			for i := range words[1:] {
				kept = onDisk(t, &kept)
				w := onDisk(t, &words[i+1])
				kept.Fold(&w)
			}
			if !kept.Equal(&want) {
				t.Fatalf("a row that was on a disk in between is\n%+v\n%+v", kept, want)
			}
		}
	}
}

func onDisk(t *testing.T, r *Row) (back Row) {
	t.Helper()
	if err := back.ParseBody(r.Tenant, r.Start, r.ID, string(r.AppendBody(nil))); err != nil || !back.Equal(r) {
		t.Fatalf("%+v\ncomes back as\n%+v, %v", r, back, err)
	}
	return back
}

// TestFoldChanges: Fold reports a change of r if and only if there is one.
func TestFoldChanges(t *testing.T) {
	rnd := newRand(t)
	same := 0
	for range scale(t, 4000) {
		words := interleave(rnd, voices(rnd, randomReport))
		r := words[0].Clone()
		for range 6 {
			w := pick(rnd, words...)
			before, w := r.Clone(), w.Clone()
			if changed := r.Fold(&w); changed == r.Equal(&before) {
				t.Fatalf("changed is %t:\n%+v\n%+v", changed, before, r)
			} else if !changed {
				same++
			}
		}
	}
	if same == 0 {
		t.Error("nothing was ever the same")
	}
}

// A model voice is the last word of one voice on each field.
type modelVoice struct {
	by     Witness
	source string
	faces  bool
	row    Row
	said   map[Field]bool
}

// TestFoldModel compares the shown values and the claims with the reports themselves: each voice's
// last word on each field is shown or claimed.
func TestFoldModel(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 3000) {
		words := interleave(rnd, voices(rnd, randomReport))
		var model []*modelVoice
		var seen Kinds
		for i := range words {
			model = tell(model, &words[i])
			seen |= words[i].Seen
		}
		slices.SortFunc(model, func(a, b *modelVoice) int {
			x, y := testimony{by: a.by, source: a.source, faces: a.faces}, testimony{by: b.by, source: b.source, faces: b.faces}
			return x.compare(&y)
		})
		got := fold(words)
		if got.ID != words[0].ID || got.Tenant != words[0].Tenant || got.Seen != seen {
			t.Fatalf("id %v, tenant %v, seen by %v", got.ID, got.Tenant, got.Seen)
		}
		checkShown(t, &got, model)
		var claims []Claim
		for _, v := range model {
			for f := range NumFields {
				if v.said[f] && f != FieldID && !v.row.same(&got, f) {
					claims = append(claims, Claim{f, v.by, v.source, v.row.value(f)})
				}
			}
		}
		if have := slices.Collect(got.Claims()); !slices.EqualFunc(have, claims, sameClaim) {
			t.Fatalf("claims\n%+v\nwant\n%+v", have, claims)
		}
	}
}

func tell(model []*modelVoice, w *Row) []*modelVoice {
	for f := range NumFields {
		if w.By[f] == 0 {
			continue
		}
		source, faces := w.Source, w.Faces
		if w.By[f].oneVoice() {
			source, faces = "", false
		}
		i := slices.IndexFunc(model, func(v *modelVoice) bool { return v.by == w.By[f] && v.source == source })
		if i < 0 {
			i = len(model)
			model = append(model, &modelVoice{by: w.By[f], source: source, said: map[Field]bool{}})
		}
		v := model[i]
		v.faces = v.faces || faces
		v.row.take(w, f)
		v.said[f] = true
	}
	return model
}

func checkShown(t *testing.T, got *Row, model []*modelVoice) {
	t.Helper()
	for f := range NumFields {
		var best, teller *modelVoice
		for _, v := range model {
			if v.said[f] && best == nil {
				best = v
			}
			if v.said[f] && v.by == got.By[f] && (f == FieldID || f == FieldDuration || v.row.same(got, f)) {
				teller = v
			}
		}
		free := (timeSet | codeSet | numberSet).has(f) || f == FieldCallType && best != nil && !best.by.Authenticated()
		switch {
		case best == nil && got.By[f] != 0, got.By[f] != 0 && teller == nil:
			t.Fatalf("nobody has said %s as it is shown", f)
		case best != nil && !free && got.By[f] != best.by, best != nil && !free && f != FieldID && !got.same(&best.row, f):
			t.Fatalf("%s is not what the best voice has said", f)
		case best == nil && got.Known(f) && !setOf(FieldStart, FieldSuccessful, FieldDuration).has(f):
			t.Fatalf("%s is known, but nobody has said it", f)
		}
	}
}

func sameClaim(a, b Claim) bool {
	var x, y Row
	a.Put(&x)
	b.Put(&y)
	return a.Field == b.Field && a.Witness == b.Witness && a.Source == b.Source && x.same(&y, a.Field)
}

// decided returns r as it is after others have spoken who say nothing: a row of one source that has
// inferred some of it need not agree with itself.
func decided(r Row) Row {
	var order []*testimony
	all := r.testimonies(nil)
	for i := range all {
		order = append(order, &all[i])
	}
	slices.SortFunc(order, (*testimony).compare)
	r.decide(order)
	return r
}

// TestHearsayChangesNothing: a sender of mere packets can add to a row, the digits behind a mask
// included, but cannot change what an authenticated witness has said, a zero included.
func TestHearsayChangesNothing(t *testing.T) {
	rnd := newRand(t)
	added := 0
	for i := range scale(t, 4000) {
		report := reporter(randomReport)
		if i%2 == 0 {
			report = soundReport
		}
		var known, others []Row
		for range 1 + rnd.IntN(3) {
			w, source := randomVoice(rnd)
			known = append(known, report(rnd, w|authenticated, source))
		}
		for range 1 + rnd.IntN(3) {
			w, source := randomVoice(rnd)
			others = append(others, report(rnd, w&^authenticated, source))
		}
		was, r := decided(fold(known)), fold(append(others, known...))
		for f := range NumFields {
			switch {
			case was.By[f] == 0:
				if r.Known(f) {
					added++
				}
			case numberSet.has(f) && masked(was.Text(f)):
				if !r.same(&was, f) && !unmasks(r.Text(f), was.Text(f)) {
					t.Fatalf("hearsay has made %q of %q", r.Text(f), was.Text(f))
				}
			case f != FieldID && !r.same(&was, f), r.By[f] != was.By[f]:
				t.Fatalf("hearsay has changed %s:\n%+v\n%+v", f, was, r)
			}
		}
	}
	if added == 0 {
		t.Error("hearsay has added nothing")
	}
}

// TestFoldSound: folding sound reports gives a sound row.
func TestFoldSound(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 10_000) {
		words := interleave(rnd, voices(rnd, soundReport))
		for i := range words {
			if err := words[i].Sound(); err != nil {
				t.Fatal("the test makes rows that are not sound: ", err)
			}
			for j := range words[:i] { // a source that corrects itself reports everything anew
				if words[j].Source == words[i].Source && words[j].By[FieldStart] == words[i].By[FieldStart] {
					words[j].Settle(words[i].By[FieldStart], true)
					words[i].Settle(words[i].By[FieldStart], true)
				}
			}
		}
		r := fold(words)
		if err := r.Sound(); err != nil {
			t.Fatalf("%v\n%+v\nof %+v", err, r, words)
		}
	}
}
