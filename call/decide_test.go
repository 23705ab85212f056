package call

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// sec returns a time of 2024-01-01T00:00 in seconds, and none for a negative one.
func sec(s float64) time.Time {
	if s < 0 {
		return time.Time{}
	}
	return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

// told returns the report of a witness of a source.
func told(w Witness, source string, complete bool, say func(r *Row)) Row {
	r := Row{Tenant: GUID{1}, ID: GUID{2}}
	say(&r)
	r.Settle(w, complete)
	r.Source = source
	return r
}

// everyOrder calls f with each order of rows.
func everyOrder(rows []Row, f func([]Row)) {
	var step func(n int)
	step = func(n int) {
		if n == len(rows) {
			f(slices.Clone(rows))
		}
		for i := n; i < len(rows); i++ {
			rows[n], rows[i] = rows[i], rows[n]
			step(n + 1)
			rows[n], rows[i] = rows[i], rows[n]
		}
	}
	step(0)
}

func TestDecideNumbers(t *testing.T) {
	number := func(w Witness, source, number string) Row {
		return told(w, source, false, func(r *Row) { r.Start, r.Caller = sec(1), number })
	}
	graph := func(n string) Row { return number(Graph.Witness(), "", n) }
	for _, c := range []struct {
		name string
		rows []Row
		want string
		by   Witness
	}{
		{"the best", []Row{graph("+431"), number(CDR.Witness(), "a", "+432")}, "+431", Graph.Witness()},
		{"a whole one for a masked one", []Row{graph("+4312***"), number(CDR.Witness(), "a", "+4312345")}, "+4312345", CDR.Witness()},
		{"written otherwise", []Row{graph("+4312***"), number(CDR.Witness(), "a", "+43 (12) 345")}, "+43 (12) 345", CDR.Witness()},
		{"one that does not agree", []Row{graph("+4312***"), number(CDR.Witness(), "a", "+4313345")}, "+4312***", Graph.Witness()},
		{"one of another length", []Row{graph("+4312***"), number(CDR.Witness(), "a", "+43123456")}, "+4312***", Graph.Witness()},
		{"one with another prefix", []Row{graph("+4312***"), number(CDR.Witness(), "a", "004312345")}, "+4312***", Graph.Witness()},
		{"the best of those that agree", []Row{graph("+4312***"), number(SIP.Witness(), "b", "+4399999"), number(CDR.Witness(), "a", "+4312345"), number(RADIUS.Witness(), "c", "+4312346")}, "+4312345", CDR.Witness()},
		{"a masked one is no better", []Row{graph("+4312***"), number(CDR.Witness(), "a", "+43123**")}, "+4312***", Graph.Witness()},
		{"a mask alone stands for nothing", []Row{graph("***"), number(CDR.Witness(), "a", "123")}, "***", Graph.Witness()},
		{"the digits behind a mask may be hearsay", []Row{graph("+4312***"), number(SIP.Hearsay(), "a", "+4312345")}, "+4312345", SIP.Hearsay()},
		{"a whole one is not changed by hearsay", []Row{graph("+4312345"), number(SIP.Hearsay(), "a", "+4312346")}, "+4312345", Graph.Witness()},
		{"of two sources the one that surely faces Microsoft", []Row{faces(number(SIP.Witness(), "z", "+431")), number(SIP.Witness(), "a", "+432")}, "+431", SIP.Witness()},
		{"of two like sources the first by name", []Row{number(SIP.Witness(), "z", "+431"), number(SIP.Witness(), "a", "+432")}, "+432", SIP.Witness()},
		{"a source with a name before one without", []Row{number(SIP.Witness(), "", "+431"), number(SIP.Witness(), "a", "+432")}, "+432", SIP.Witness()},
	} {
		everyOrder(c.rows, func(rows []Row) {
			if r := fold(rows); r.Caller != c.want || r.By[FieldCaller] != c.by {
				t.Errorf("%s: %q by %d, want %q by %d", c.name, r.Caller, r.By[FieldCaller], c.want, c.by)
			}
		})
	}
}

func faces(r Row) Row {
	r.Faces = true
	return r
}

// goes writes how a call went: invite, start, failure, end, duration, whether it was
// answered, code, subcode and phrase.
func goes(r *Row) string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprint(t.Sub(sec(0)).Seconds())
	}
	return strings.Join([]string{
		at(r.Invite), at(r.Start), at(r.Failure), at(r.End), fmt.Sprint(r.Duration, r.Successful, r.FinalSIPCode, r.CallEndSubReason), r.FinalSIPPhrase,
	}, " ")
}

func answered(ahead float64) func(r *Row) {
	return func(r *Row) {
		r.Invite, r.Start, r.End, r.Duration, r.Successful, r.FinalSIPPhrase = sec(ahead), sec(ahead+5), sec(ahead+15), 10, true, "BYE"
	}
}

func failedCall(ahead float64) func(r *Row) {
	return func(r *Row) {
		r.CallType = "ByotIn"
		r.Invite, r.Start, r.Failure, r.FinalSIPCode, r.CallEndSubReason, r.FinalSIPPhrase = sec(ahead), sec(ahead), sec(ahead+2), 486, 540486, "Busy Here"
	}
}

func TestDecideTimes(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []Row
		want string
	}{
		{"one source's times are taken whole", []Row{
			told(SIP.Witness(), "b", true, answered(3)), told(SIP.Witness(), "a", true, answered(0)),
		}, "0 5 - 15 10 true 0 0 BYE"},
		{"that of the source that surely faces Microsoft", []Row{
			faces(told(SIP.Witness(), "b", true, answered(3))), told(SIP.Witness(), "a", true, answered(0)),
		}, "3 8 - 18 10 true 0 0 BYE"},
		{"a better witness that tells less than how it went is not asked first", []Row{
			told(CDR.Witness(), "a", true, answered(0)), told(SIP.Witness(), "b", false, func(r *Row) { r.Invite, r.Start = sec(3), sec(8) }),
		}, "0 5 - 15 10 true 0 0 BYE"},
		{"what the best does not tell is filled in", []Row{
			told(CDR.Witness(), "a", true, answered(0)),
			told(Graph.Witness(), "", false, func(r *Row) { r.Start, r.End = sec(5.5), sec(15.5) }),
		}, "0 5.5 - 15.5 10 true 0 0 BYE"},
		{"where it agrees", []Row{
			told(CDR.Witness(), "a", false, answered(4)),
			told(Graph.Witness(), "", false, func(r *Row) { r.Start, r.End = sec(3), sec(15.5) }),
		}, "- 3 - 15.5 12 true 0 0 BYE"},
		{"a call that failed takes nothing of one that was answered", []Row{
			told(CDR.Witness(), "a", false, answered(0)), told(SIP.Witness(), "b", false, failedCall(0)),
		}, "0 0 2 - 0 false 486 540486 Busy Here"},
		{"nor the other way round", []Row{
			told(CDR.Witness(), "a", false, failedCall(0)), told(SIP.Witness(), "b", false, answered(0)),
		}, "0 5 - 15 10 true 0 0 BYE"},
		{"one that is told in steps", []Row{
			told(CDR.Witness(), "a", false, func(r *Row) { r.Invite, r.Caller = sec(0), "+431" }),
			told(RADIUS.Witness(), "c", false, func(r *Row) { r.Start = sec(5) }),
			told(Inferred.Witness(), "d", false, func(r *Row) { r.End, r.Duration, r.Successful = sec(15), 10, true }),
		}, "0 5 - 15 10 true 0 0 "},
		{"hearsay is not asked if anybody else has told a time", []Row{
			told(CDR.Witness(), "a", false, func(r *Row) { r.Invite = sec(1) }), told(SIP.Hearsay(), "b", true, answered(0)),
		}, "1 5 - 15 10 true 0 0 BYE"},
		{"Graph alone stands as it is told", []Row{
			told(Graph.Witness(), "", true, func(r *Row) {
				r.Invite, r.Start, r.Failure, r.End, r.Duration, r.Successful, r.FinalSIPCode, r.CallEndSubReason = sec(9), sec(5), sec(1), sec(2), 77, true, 404, 540487
			}),
		}, "9 5 1 2 77 true 404 540487 "},
		{"the code of one that knows how it went", []Row{
			told(CDR.Witness(), "a", false, func(r *Row) { r.Start, r.Failure = sec(0), sec(2) }),
			told(RADIUS.Witness(), "b", false, answered(0)),
			told(Inferred.Witness(), "c", false, failedCall(0)),
		}, "0 0 2 - 0 false 486 540486 Busy Here"},
		{"a subcode goes with the code that is shown", []Row{
			told(CDR.Witness(), "a", false, func(r *Row) { r.Start, r.Failure, r.FinalSIPCode = sec(0), sec(2), 487 }),
			told(Inferred.Witness(), "c", false, failedCall(0)),
		}, "0 0 2 - 0 false 487 0 "},
		{"nobody has told a start", []Row{
			told(CDR.Witness(), "a", false, func(r *Row) { r.Failure = sec(3) }), told(RADIUS.Witness(), "b", false, func(r *Row) { r.Invite = sec(1) }),
		}, "1 1 3 - 0 false 0 0 "},
	} {
		everyOrder(c.rows, func(rows []Row) {
			if r := fold(rows); goes(&r) != c.want {
				t.Errorf("%s: %s, want %s", c.name, goes(&r), c.want)
			}
		})
	}
}

// TestAssumedStart: an INVITE is a start only until a voice has one, and By of such a start is 0.
func TestAssumedStart(t *testing.T) {
	w := CDR.Witness()
	rang := told(w, "a", false, func(r *Row) { r.Invite = sec(0) })
	talks := told(w, "a", false, func(r *Row) { r.Invite, r.Start, r.Successful = sec(0), sec(5), true })
	over := told(w, "a", false, func(r *Row) { r.Start, r.End, r.Duration, r.Successful = sec(5), sec(15), 10, true })
	if r := fold([]Row{rang, rang}); !r.Start.Equal(sec(0)) || r.By[FieldStart] != 0 {
		t.Errorf("assumed: %s by %d", goes(&r), r.By[FieldStart])
	}
	everyOrder([]Row{rang, talks, over}, func(rows []Row) {
		if r := fold(rows); goes(&r) != "0 5 - 15 10 true 0 0 " || r.By[FieldStart] != w || r.Said != "" {
			t.Errorf("%s by %d, %q", goes(&r), r.By[FieldStart], r.Said)
		}
	})
	less := told(RADIUS.Hearsay(), "b", false, func(r *Row) { r.Start = sec(4) })
	everyOrder([]Row{rang, less}, func(rows []Row) {
		if r := fold(rows); !r.Start.Equal(sec(4)) || r.By[FieldStart] != RADIUS.Hearsay() {
			t.Errorf("a start that is told by less: %s by %d", goes(&r), r.By[FieldStart])
		}
	})
}

// TestFirstRelease: rows of the first release have a witness a field and no source,
// and a start beside the one under which they were published.
func TestFirstRelease(t *testing.T) {
	r := told(CDR.Witness(), "", false, answered(0))
	r.UserID, r.By[FieldUserID], r.By[FieldStart], r.ClaimedStart = GUID{7}, Graph.Witness(), Graph.Witness(), sec(5.5)
	w := told(RADIUS.Witness(), "radius", false, func(r *Row) { r.Trunk = "sbc1" })
	if !r.Fold(&w) || !r.Start.Equal(sec(5.5)) || !r.ClaimedStart.IsZero() || r.By[FieldStart] != Graph.Witness() || r.UserID != (GUID{7}) || r.Trunk != "sbc1" {
		t.Errorf("%+v", r)
	}
	empty := Row{ID: r.ID, Start: r.Start}
	old := told(CDR.Witness(), "", false, func(r *Row) { r.Start, r.ClaimedStart = sec(1), sec(2) })
	if !old.Fold(&empty) || !old.Start.Equal(sec(2)) || old.Fold(&empty) {
		t.Errorf("%+v", old)
	}
}

// TestSaid: a row of one source has no list of testimonies, one on which two agree has no values in
// it, and claims are the values that the row does not show.
func TestSaid(t *testing.T) {
	steps := []Row{told(CDR.Witness(), "a", false, func(r *Row) { r.Invite = sec(0) }), told(CDR.Witness(), "a", false, answered(0))}
	if r := fold(steps); r.Said != "" || r.Source != "a" {
		t.Errorf("of one source: %q of %q", r.Said, r.Source)
	}
	a, b := told(CDR.Witness(), "a", true, answered(0)), told(SIP.Witness(), "b", true, answered(0))
	r := fold([]Row{a, b})
	if len(r.Said) > 32 || r.Source != "b" || len(slices.Collect(r.Claims())) > 0 {
		t.Errorf("of two that agree: %d bytes, source %q", len(r.Said), r.Source)
	}
	graph := told(Graph.Witness(), "", true, answered(2))
	r.Fold(&graph)
	got := ""
	for c := range r.Claims() {
		got += fmt.Sprintf("%v %v %s: %v\n", c.Field, c.Witness.Kind(), c.Source, c.Value.(time.Time).Sub(sec(0)))
	}
	if want := "startDateTime sip b: 5s\ninviteDateTime sip b: 0s\nendDateTime sip b: 15s\nstartDateTime cdr a: 5s\ninviteDateTime cdr a: 0s\nendDateTime cdr a: 15s\n"; got != want {
		t.Errorf("claims:\n%s", got)
	}
	if !r.HasSaid(SIP.Witness(), "b", FieldEnd) || r.HasSaid(SIP.Witness(), "a", FieldEnd) || !r.HasSaid(Graph.Witness(), "mirror", FieldEnd) || r.HasSaid(CDR.Witness(), "a", FieldUserID) {
		t.Error("HasSaid is wrong")
	}
	if r.Said = "\xff"; len(slices.Collect(r.Claims())) != 0 || r.Fold(&graph) {
		t.Error("a list that makes no sense says something")
	}
}

// TestContradictsItself: if a voice has reported contradictory times one after another, as from
// clocks of different hours, the start that lies behind the end does not count, in whatever order
// it spoke.
func TestContradictsItself(t *testing.T) {
	late := told(SIP.Witness(), "tap", false, func(r *Row) { r.Start, r.Successful = sec(2000), true })
	over := told(SIP.Witness(), "tap", false, func(r *Row) {
		r.Start, r.Invite, r.End, r.Successful, r.Duration = sec(0), sec(0), sec(8), true, 8
	})
	over.By[FieldStart] = Inferred.Witness()
	over.Seen |= Inferred.Set()
	for name, rows := range map[string][]Row{"two words": {late, over}, "three": {late, over, late}, "and another voice": {late, over, told(RADIUS.Witness(), "r", false, func(r *Row) { r.Start = sec(1) })}} {
		everyOrder(rows, func(rows []Row) {
			r := rows[0]
			for i := range rows[1:] {
				r.Fold(&rows[i+1])
			}
			if err := r.Sound(); err != nil {
				t.Errorf("%s: %v: %s", name, err, goes(&r))
			}
		})
	}
	// An INVITE behind the end does not take the start with it.
	r := told(CDR.Witness(), "sbc", false, func(r *Row) { r.Invite = sec(300) })
	end := told(CDR.Witness(), "sbc", false, func(r *Row) { r.Start, r.End = sec(5), sec(30) })
	if r.Fold(&end); !r.Start.Equal(sec(5)) || r.Duration != 25 {
		t.Errorf("it starts at %v and takes %d s", r.Start, r.Duration)
	}
}
