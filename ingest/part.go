package ingest

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Parts are events that each tell a part of a call ([call.PartEvent]). A [part] folds them, by a
// rule that is commutative, associative and idempotent, so that neither their order, nor repeats,
// nor how the sender splits them over Puts matter. Each conclusion is drawn anew from all of them.
//
// The row is made when the last part has come and any part has told a time; or, without a last one,
// after a day. Later parts amend it for as long as the state has the fold, which is until no part
// has told anything new for a day.
//
//	part.go        the fold, and the row that it makes
//	part_codec.go  its form in the state
//	part_put.go    the parts of one Put
//	part_end.go    calls whose last part never comes, and the deletion of old folds
//	part_index.go  the open calls, in memory

// A part is what the parts of a call have told.
type part struct {
	since time.Time   // when the first part came; once there is a row, when a part last told anything new
	row   call.Row    // Start is zero until a part tells it
	last  fieldSet    // the fields whose value a last part has told
	done  bool        // a last part has come
	at    call.Cursor // where its row stood when it was made, in the log of row.Tenant; zero: not yet
}

// A fieldSet is a set of fields.
type fieldSet uint64

func (s fieldSet) has(f call.Field) bool { return s>>f&1 != 0 }

// add folds in what a part tells, and reports whether any of it was new. Of two values of one
// field, that of the greater witness stands; of equal witnesses, that of a last part; and then the
// one that compareValues finds greater.
func (p *part) add(r *call.Row, done bool) (changed bool) {
	for f := range call.NumFields {
		if r.By[f] == 0 || f == call.FieldStart && r.Start.IsZero() {
			continue
		}
		value := compareValues(f, r, &p.row)
		rank := cmp.Compare(r.By[f], p.row.By[f])
		if cmp.Or(rank, cmp.Compare(btoi(done), btoi(p.last.has(f))), value) <= 0 {
			continue
		}
		changed = changed || rank != 0 || value != 0
		setValue(f, &p.row, r)
		p.row.By[f] = r.By[f]
		if p.last &^= 1 << f; done {
			p.last |= 1 << f
		}
	}
	changed = changed || p.row.Seen|r.Seen != p.row.Seen
	p.row.Seen |= r.Seen
	p.done = p.done || done
	return changed
}

// compareValues returns which of two values of a field stands if nothing else tells them apart, as
// [cmp.Compare] does. A call was invited, began and ended at the earliest time told, and failed at
// the latest. Of all other fields the greater value stands, and any value before none.
func compareValues(f call.Field, a, b *call.Row) int {
	switch f.Type() {
	case call.ID:
		x, y := a.GUID(f), b.GUID(f)
		return bytes.Compare(x[:], y[:])
	case call.Text:
		return cmp.Compare(a.Text(f), b.Text(f))
	case call.Time:
		x, y := a.Time(f), b.Time(f)
		if f == call.FieldFailure {
			return x.Compare(y)
		}
		return cmp.Or(cmp.Compare(btoi(y.IsZero()), btoi(x.IsZero())), y.Compare(x))
	case call.Number:
		return cmp.Compare(a.Number(f), b.Number(f))
	case call.Bool:
		return cmp.Compare(btoi(a.Bool(f)), btoi(b.Bool(f)))
	}
	return slices.CompareFunc(a.AdministrativeUnits, b.AdministrativeUnits, func(x, y call.GUID) int {
		return bytes.Compare(x[:], y[:])
	})
}

// setValue gives r the value that w has in a field.
func setValue(f call.Field, r, w *call.Row) {
	switch f.Type() {
	case call.ID:
		r.SetGUID(f, w.GUID(f))
	case call.Text:
		r.SetText(f, w.Text(f))
	case call.Time:
		r.SetTime(f, w.Time(f))
	case call.Number:
		r.SetNumber(f, w.Number(f))
	case call.Bool:
		r.SetBool(f, w.Bool(f))
	case call.List:
		r.AdministrativeUnits = w.AdministrativeUnits
	}
}

// complete reports whether the last part has come and any has told a time, so that they make a row.
func (p *part) complete() bool {
	return p.done && !firstKnown(p.row.Start, p.row.Invite, p.row.Failure, p.row.End).IsZero()
}

// finish returns the row of all parts. What they do not tell but imply is inferred.
func (p *part) finish() call.Row {
	r := p.row
	r.Infer()
	return r
}

func firstKnown(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// amend returns what the last parts change of a row in the log, which was made of was: the fields
// that differ from it. So a repeated part does not stand against what other sources have said
// meanwhile.
func (p *part) amend(was *call.Row) call.Row {
	r := p.row
	for f := range call.NumFields {
		if f == call.FieldID || compareValues(f, &r, was) == 0 && r.By[f] == was.By[f] {
			r.By[f] = 0
		}
	}
	if r.Start.IsZero() {
		r.Start = p.at.Start
	}
	r.ID = p.at.ID
	return r
}
