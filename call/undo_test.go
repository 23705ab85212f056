package call

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A spoken is a report of a voice, and what it did to the row.
type spoken struct {
	Told
	source string
}

// speak folds random reports into a row, and returns it and them; they have gone through the stored
// form.
func speak(t *testing.T, rnd *rand.Rand, n int, voices func() (Witness, string)) (r Row, all []spoken) {
	t.Helper()
	for range n {
		w, source := voices()
		told := Told{Row: randomReport(rnd, w, source), Fate: New}
		if len(all) == 0 {
			r = told.Row.Clone()
		} else {
			told.Was = r.Clone()
			if told.Fate = Same; r.Fold(&told.Row) {
				told.Fate = Changed
			}
			r = r.Clone()
		}
		kept := AppendTold(nil, &told)
		for again, err := range ParseTold(string(kept), told.Row.Tenant) {
			if err != nil || again.Fate != told.Fate || told.Fate != Same && !again.Row.Equal(&told.Row) || again.Fate > New && !again.Was.Equal(&told.Was) {
				t.Fatalf("%v: kept as %+v, want %+v", err, again, told)
			}
			told = again
		}
		all = append(all, spoken{told, source})
	}
	return r, all
}

// TestTakeBackLast: taking back the reports, the last first, gives the earlier row each time, until
// no voice is left.
func TestTakeBackLast(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 5000) {
		r, all := speak(t, rnd, 1+rnd.IntN(5), func() (Witness, string) { return randomVoice(rnd) })
		for i, told := range slices.Backward(all) {
			if told.Fate == Same {
				continue
			}
			want := told.Was.Clone()
			_, left := r.TakeBack(&told.Told)
			if left != slices.ContainsFunc(all[:i], func(s spoken) bool { return s.Fate != Same && len(s.Row.testimonies(nil)) > 0 }) && told.Fate == New {
				t.Fatalf("report %d: left %v", i, left)
			}
			if told.Fate == New {
				break
			}
			if got := r.Clone(); !sameShown(&got, &want) {
				t.Fatalf("report %d of %d taken back:\n%+v\nwant\n%+v", i, len(all), got, want)
			}
			r = want
		}
	}
}

// sameShown reports whether two rows show and keep the same, after Infer.
func sameShown(a, b *Row) bool {
	x, y := a.Clone(), b.Clone()
	x.Infer()
	y.Infer()
	x.Rest, y.Rest = "", "" // taking back leaves it
	x.Seen, y.Seen = 0, 0
	return x.Equal(&y)
}

// TestTakeBackAny: the words of other voices stand, earlier and later ones, as if the taken one had
// never spoken.
func TestTakeBackAny(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 5000) {
		used := map[string]bool{}
		r, all := speak(t, rnd, 2+rnd.IntN(4), func() (w Witness, source string) {
			for {
				w, source = randomVoice(rnd)
				key := "source " + source // it also says its inferences
				if w.oneVoice() {
					key = w.Kind().String()
				}
				if !used[key] {
					used[key] = true
					return w, source
				}
			}
		})
		i := rnd.IntN(len(all))
		if all[i].Fate == Same {
			continue
		}
		changed, left := r.TakeBack(&all[i].Told)
		var want Row
		for k, told := range all {
			switch {
			case k == i:
			case want.ID.IsZero():
				want = told.Row.Clone()
			case told.Fate != Same:
				want.Fold(&told.Row)
			}
		}
		if !changed || !left {
			if len(want.testimonies(nil)) > 0 && !left {
				t.Fatalf("nobody has said anything, without report %d of %d", i, len(all))
			}
			continue
		}
		if want.By[FieldStart] == 0 {
			want.Start = r.Start // no voice has it
		}
		if !sameShown(&r, &want) {
			t.Fatalf("report %d of %d taken back:\n%+v\nwant\n%+v", i, len(all), r, want)
		}
		if again, _ := r.TakeBack(&all[i].Told); again {
			t.Fatal("it was taken back twice")
		}
	}
}

// TestTakeBackKept: later words stay, of the same voice and of others.
func TestTakeBackKept(t *testing.T) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	say := func(w Witness, source string, set func(*Row)) Row {
		r := Row{Tenant: GUID{1}, ID: GUID{2}, Start: at, Source: source}
		set(&r)
		r.Settle(w, false)
		return r
	}
	first := say(CDR.Witness(), "csv", func(r *Row) { r.Caller, r.Callee, r.Trunk = "+4930", "+4940", "sbc1" })
	r := first.Clone()
	later := say(CDR.Witness(), "csv", func(r *Row) { r.Caller = "+4931" })
	graph := say(Graph.Witness(), "", func(r *Row) { r.Callee = "+4940" })
	r.Fold(&later)
	r.Fold(&graph)
	changed, left := r.TakeBack(&Told{Row: first, Fate: New})
	if !changed || !left || r.Caller != "+4931" || r.Callee != "+4940" || r.By[FieldCallee] != Graph.Witness() || r.Trunk != "" || r.Seen != CDR.Set()|Graph.Set() {
		t.Errorf("%v, %v, %+v", changed, left, r)
	}
	if changed, left = r.TakeBack(&Told{Row: later, Fate: Changed, Was: first}); !changed || !left {
		t.Errorf("%v, %v", changed, left)
	}
	if r.Caller != "+4930" || r.Seen != CDR.Set()|Graph.Set() {
		t.Errorf("what was said before stands again: %+v", r)
	}
	if changed, left = r.TakeBack(&Told{Row: graph, Fate: New}); !changed || !left || r.Callee != "" || r.Seen != CDR.Set() {
		t.Errorf("who has said nothing that stands has not seen the call: %v, %v, %+v", changed, left, r)
	}
	for s := string(AppendTold(nil, &Told{Row: first, Fate: New})); len(s) > 0; s = s[:len(s)-1] {
		for _, err := range ParseTold(s[:len(s)-1], GUID{1}) {
			if err != nil && !errors.Is(err, ErrInvalid) {
				var corrupt *CorruptError
				if !errors.As(err, &corrupt) {
					t.Fatalf("%d bytes: %v", len(s)-1, err)
				}
			}
		}
	}
}

// TestAppendNew: a new row is kept the same, by either function.
func TestAppendNew(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 1000) {
		w, source := randomVoice(rnd)
		r := randomReport(rnd, w, source)
		want := AppendTold([]byte{7}, &Told{Row: r, Fate: New})
		if got := AppendNew([]byte{7}, &r, r.AppendBody(nil)); string(got) != string(want) {
			t.Fatalf("%x, not %x", got, want)
		}
	}
}
