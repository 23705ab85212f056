package call

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fakeRows is a reader whose rows are all selected.
type fakeRows []Row

func (rs fakeRows) Rows(context.Context, Query) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for i := range rs {
			lent := rs[i].Clone()
			if !yield(&lent, nil) {
				return
			}
		}
	}
}

func groupsOf(t *testing.T, rows []Row, by Grouping) (all []Group) {
	t.Helper()
	for g, err := range AddUp(t.Context(), fakeRows(rows), Query{}, by) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *g)
	}
	return all
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSumsOfARow(t *testing.T) {
	at := time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC)
	answered := func(seconds int32, invite time.Time) Row {
		return Row{Start: at, Successful: true, Duration: seconds, Invite: invite}
	}
	for _, c := range []struct {
		row  Row
		want Sums
	}{
		{Row{Start: at, Invite: at.Add(-time.Second), Duration: 3}, Sums{Calls: 1, Seconds: 3}},
		{answered(5, time.Time{}), Sums{Calls: 1, Answered: 1, Seconds: 5, Under6: 1, Under10: 1, Under15: 1}},
		{answered(6, at), Sums{Calls: 1, Answered: 1, Seconds: 6, Under10: 1, Under15: 1, AnswerN: 1}},
		{answered(10, at.Add(-2500*time.Millisecond)), Sums{Calls: 1, Answered: 1, Seconds: 10, Under15: 1, AnswerMS: 2500, AnswerN: 1}},
		{answered(15, at.Add(1)), Sums{Calls: 1, Answered: 1, Seconds: 15}}, // invited after it began
	} {
		if got := sumsOf(&c.row); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
		got := groupsOf(t, []Row{c.row, c.row}, Grouping{})
		var twice Sums
		twice.Add(&c.want, 2)
		if len(got) != 1 || got[0] != (Group{Sums: twice}) {
			t.Errorf("%+v, want %+v", got, twice)
		}
	}
}

// Each number of Sums is one of Values, and takes part in Add.
func TestSumsAreWhole(t *testing.T) {
	var s, twice Sums
	for i, p := range s.Values() {
		*p = int64(i + 1)
	}
	twice.Add(&s, 3)
	twice.Add(&s, -1)
	v := reflect.ValueOf(twice)
	if v.NumField() != NumSums {
		t.Errorf("%d numbers, and %d values", v.NumField(), NumSums)
	}
	seen := map[int64]bool{}
	for i := range v.NumField() {
		n := v.Field(i).Int()
		if n == 0 || n%2 != 0 || seen[n] {
			t.Errorf("%s is %d", v.Type().Field(i).Name, n)
		}
		seen[n] = true
	}
}

func TestGroupKeys(t *testing.T) {
	at := time.Date(2024, 3, 10, 12, 34, 0, 0, time.UTC)
	rows := []Row{
		{Start: at, Trunk: "SBC1.Ä.com", CallType: "dr_in", FinalSIPCode: 486, UserID: GUID{1}},
		{Start: at, Trunk: "sbc1.Ä.com", CallType: "ByotIn", CallEndSubReason: 10, Successful: true, UserID: GUID{1}},
		{Start: at, Trunk: "sbc1.ä.com", CallType: "ByotOut", UserID: GUID{2}},
	}
	for dim, want := range map[Dim][]Key{
		ByTrunk:     {{Trunk: "sbc1.Ä.com"}, {Trunk: "sbc1.ä.com"}},
		ByDirection: {{}, {Inbound: true}},
		ByCallType:  {{CallType: "ByotIn"}, {CallType: "ByotOut"}, {CallType: "dr_in"}},
		ByCode:      {{}, {Code: 486}},
		BySubcode:   {{}, {Subcode: 10}},
		ByRang:      {{}},
		ByAnswered:  {{}, {Answered: true}},
		ByUser:      {{User: GUID{1}}, {User: GUID{2}}},
	} {
		got := groupsOf(t, rows, Grouping{By: []Dim{dim, dim}})
		var keys []Key
		for _, g := range got {
			keys = append(keys, g.Key)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("by %v: %+v, want %+v", dim, keys, want)
		}
	}
}

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		zone  string
		every Slot
		call  string
		want  string
	}{
		{"UTC", QuarterHour, "2024-03-10T12:44:59.9Z", "2024-03-10T12:30:00Z"},
		{"UTC", Hour, "1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z"},
		{"Asia/Kolkata", Hour, "2024-03-10T12:29:59Z", "2024-03-10T17:00:00+05:30"},
		{"Asia/Kolkata", Day, "2024-03-10T18:30:00Z", "2024-03-11T00:00:00+05:30"},
		// 31 March has 23 hours, 27 October has 25 and 02:00 twice.
		{"Europe/Berlin", Day, "2024-03-31T21:59:59Z", "2024-03-31T00:00:00+01:00"},
		{"Europe/Berlin", Day, "2024-10-27T22:59:59Z", "2024-10-27T00:00:00+02:00"},
		{"Europe/Berlin", Day, "2024-10-27T23:00:00Z", "2024-10-28T00:00:00+01:00"},
		{"Europe/Berlin", Hour, "2024-10-27T00:30:00Z", "2024-10-27T02:00:00+02:00"},
		{"Europe/Berlin", Hour, "2024-10-27T01:30:00Z", "2024-10-27T02:00:00+01:00"},
		// Midnight of 5 November comes twice, and on 4 November 2018 it does not come.
		{"America/Havana", Day, "2023-11-05T05:30:00Z", "2023-11-05T00:00:00-04:00"},
		{"America/Havana", Day, "2023-11-05T12:00:00Z", "2023-11-05T00:00:00-04:00"},
		{"America/Sao_Paulo", Day, "2018-11-04T12:00:00Z", "2018-11-04T01:00:00-02:00"},
		// A date that begins, ends, and goes on.
		{"America/St_Johns", Day, "2010-11-07T02:30:30Z", "2010-11-07T00:00:00-02:30"},
		{"America/St_Johns", Day, "2010-11-07T02:45:00Z", "2010-11-06T00:00:00-02:30"},
		{"America/St_Johns", Day, "2010-11-07T12:00:00Z", "2010-11-07T00:00:00-02:30"},
		{"Pacific/Apia", Day, "2011-12-30T10:00:00Z", "2011-12-31T00:00:00+14:00"},
		{"Africa/Monrovia", QuarterHour, "1971-06-01T12:00:00Z", "1971-06-01T11:15:00-00:44"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.call)
		if err != nil {
			t.Fatal(err)
		}
		got := groupsOf(t, []Row{{Start: at}}, Grouping{Every: c.every, Zone: zone(t, c.zone)})
		if len(got) != 1 || got[0].At.Format(time.RFC3339) != c.want {
			t.Errorf("%s in %s: %v, want %s", c.call, c.zone, got, c.want)
		}
	}
}

// TestSlotsOfAnyMoment compares slots with the clock: a day begins at the first moment at which the
// clock shows the date, found by stepping back; and a moment gives the same alone and after others.
func TestSlotsOfAnyMoment(t *testing.T) {
	rnd := newRand(t)
	for _, name := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "America/Havana", "America/Sao_Paulo", "Pacific/Apia", "Africa/Cairo"} {
		z := zone(t, name)
		kept := map[Slot]*slots{}
		for every := QuarterHour; every <= Day; every++ {
			s := newSlots(Grouping{Every: every, Zone: z})
			kept[every] = &s
		}
		at := time.Date(1985+rnd.IntN(40), time.Month(1+rnd.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
		for range scale(t, 300) {
			at = at.Add(time.Duration(rnd.IntN(20*3600)) * time.Second)
			for every, s := range kept {
				alone := newSlots(Grouping{Every: every, Zone: z})
				got := s.find(at.Unix())
				if want := naiveSlot(at, z, every); got != want || alone.find(at.Unix()) != got {
					t.Fatalf("%v by %d in %s: %v, alone %v, want %v", at, every, name, time.Unix(got, 0).In(z), time.Unix(alone.at, 0).In(z), time.Unix(want, 0).In(z))
				}
			}
		}
	}
}

func naiveSlot(at time.Time, zone *time.Location, every Slot) int64 {
	in := at.In(zone)
	hour, minute, second := in.Clock()
	switch every {
	case QuarterHour:
		return at.Unix() - int64(minute%15*60+second)
	case Hour:
		return at.Unix() - int64(minute*60+second)
	}
	first := at.Unix()
	for m := at.Unix() - int64(second); m > at.Unix()-int64((hour+4)*3600); m -= 60 {
		t := time.Unix(m, 0).In(zone)
		if t.YearDay() == in.YearDay() && t.Year() == in.Year() {
			first = m
		}
	}
	return first
}

func TestTooManyGroups(t *testing.T) {
	a, err := NewAdder(Query{}, Grouping{By: []Dim{ByUser}})
	if err != nil {
		t.Fatal(err)
	}
	a.most = 3000
	for i := range 3001 {
		if err = a.Row(&Row{UserID: GUID{byte(i), byte(i >> 8)}}); (err != nil) != (i == 3000) {
			t.Fatalf("user %d: %v", i, err)
		}
	}
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "ask for less time") {
		t.Error(err)
	}
	n := 0
	for range a.Groups() {
		n++
	}
	if n != 3000 {
		t.Errorf("%d groups", n)
	}
}

func TestBadGroupings(t *testing.T) {
	for _, c := range []struct {
		q  Query
		by Grouping
	}{
		{Query{Skip: -1}, Grouping{}},
		{Query{Limit: 1}, Grouping{}},
		{Query{Reverse: true}, Grouping{}},
		{Query{After: Cursor{ID: GUID{1}}}, Grouping{}},
		{Query{}, Grouping{Every: numSlots}},
		{Query{}, Grouping{By: []Dim{numDims}}},
	} {
		for g, err := range AddUp(t.Context(), fakeRows{{}}, c.q, c.by) {
			if g != nil || !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v, %v", c, g, err)
			}
		}
	}
	for d := range numDims {
		if d.String() == "" || d.String() == "unknown" {
			t.Errorf("dimension %d has no name", d)
		}
	}
}

// TestCellsStandForRows answers questions from cells where CellsFor allows it, and compares with
// the rows.
func TestCellsStandForRows(t *testing.T) {
	rnd := newRand(t)
	var rows []Row
	for range 400 {
		rows = append(rows, Row{
			Start: time.Date(2024, 10, 26, 0, 0, rnd.IntN(3*86400), 0, time.UTC), Trunk: pick(rnd, "a", "A", "b"), CallType: pick(rnd, "ByotIn", "dr_out"),
			FinalSIPCode: pick[int32](rnd, 0, 486), Successful: rnd.IntN(2) == 0, Duration: rnd.Int32N(20), UserID: GUID{byte(rnd.IntN(4))},
		})
	}
	zones := []*time.Location{nil, zone(t, "Europe/Berlin"), time.FixedZone("", 19*60), zone(t, "Asia/Kathmandu")}
	wheres := []Expr{nil, Compare{FieldTrunk, EQ, "a"}, Not{TextMatch{FieldTrunk, EqualFold, "A"}}, And{Compare{FieldSuccessful, EQ, true}, Or{Compare{FieldFinalSIPCode, GT, int32(0)}}}}
	asked := 0
	for range scale(t, 300) {
		by := Grouping{Every: Slot(rnd.IntN(int(numSlots))), Zone: pick(rnd, zones...), By: randomDims(rnd)}
		q := Query{Where: wheres[rnd.IntN(len(wheres))]}
		kind, ok := CellsFor(q, by)
		if !ok {
			continue
		}
		asked++
		a, b := mustAdder(t, q, by), mustAdder(t, q, by)
		for i := range rows {
			r := &rows[i]
			c := Cells(r)[kind]
			if holds := q.Where == nil || q.Where.Match(r); holds {
				if err := a.Row(r); err != nil {
					t.Fatal(err)
				}
			} else if _, holds := b.CellKey(&c.Key); holds {
				t.Fatalf("the cell of %+v holds", r)
			}
			n, holds := b.CellKey(&c.Key)
			var err error
			switch {
			case !holds:
			case b.Within(kind, c.Slot):
				err = b.Cell(kind, c.Slot, n, &c.Sums)
			default:
				err = b.Row(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if x, y := list(a), list(b); !slices.Equal(x, y) {
			t.Fatalf("by %v where %v: rows give\n%+v\ncells\n%+v", by, q.Where, x, y)
		}
	}
	if asked == 0 {
		t.Error("no cells were asked")
	}
}

func randomDims(rnd *rand.Rand) (by []Dim) {
	if rnd.IntN(3) == 0 {
		return []Dim{ByUser}
	}
	for d := range numDims {
		if rnd.IntN(4) == 0 {
			by = append(by, d)
		}
	}
	return by
}

func mustAdder(t *testing.T, q Query, by Grouping) *Adder {
	t.Helper()
	a, err := NewAdder(q, by)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func list(a *Adder) (all []Group) {
	for g := range a.Groups() {
		all = append(all, *g)
	}
	return all
}

func TestCellsFor(t *testing.T) {
	trunk, user := Compare{FieldTrunk, EQ, "a"}, Compare{FieldUserID, EQ, GUID{1}}
	for _, c := range []struct {
		where Expr
		by    Grouping
		want  int // the kind, or -1
	}{
		{nil, Grouping{}, 0},
		{nil, Grouping{Every: QuarterHour, By: []Dim{ByTrunk, ByDirection, ByCallType, ByCode, BySubcode, ByRang, ByAnswered}}, 0},
		{And{trunk, Not{Or{trunk}}}, Grouping{Every: Day}, 0},
		{nil, Grouping{By: []Dim{ByUser}}, 1},
		{nil, Grouping{Every: Day, By: []Dim{ByUser}}, 1},
		{nil, Grouping{Every: Hour, By: []Dim{ByUser}}, -1},
		{nil, Grouping{By: []Dim{ByUser, ByTrunk}}, -1},
		{trunk, Grouping{By: []Dim{ByUser}}, -1},
		{user, Grouping{}, -1},
		{And{trunk, Digits("1")}, Grouping{}, -1},
		{TextMatch{FieldCaller, HasPrefix, "1"}, Grouping{}, -1},
		{Compare{FieldStart, GT, time.Now()}, Grouping{}, -1},
	} {
		kind, ok := CellsFor(Query{Where: c.where}, c.by)
		if ok != (c.want >= 0) || ok && int(kind) != c.want {
			t.Errorf("%v by %v: %v, %v; want %d", c.where, c.by, kind, ok, c.want)
		}
	}
}

func BenchmarkCells(b *testing.B) {
	r := Row{Start: time.Now(), Trunk: "sbc1.contoso.com", CallType: "ByotIn", Successful: true, Invite: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		if c := Cells(&r); c[0].Sums.Calls != 1 {
			b.Fatal(c)
		}
	}
}
