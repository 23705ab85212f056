package ingest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The records of the admin centre's export have no ids. Each gets a name made of what it says, so
// that it is the same record when it comes again: see format/teams. Two things break that.
//
// A file that a spreadsheet has resaved, or that another admin has exported who may see whole
// numbers, says the same in another way: without fractions of seconds, without a plus, without a
// mask. Such a record gets another name, and sameRecord finds the earlier one by what it says.
// Records of one batch are of one file, and never the same.
//
// Records of one file that differ in the user or the outcome alone have one name, since the name
// leaves these out. The first keeps it; ownName gives each other one a name of its own.

// ofExport reports whether r is a record of the export, and nothing else.
func ofExport(r *call.Row) bool { return r.Seen == call.AdminExport.Set() }

// asExported returns what the export itself has said of the call of r. A field of which it has said
// nothing has no witness.
func asExported(r *call.Row) call.Row {
	w := call.AdminExport.Witness()
	told := *r
	for f := range call.NumFields {
		if told.By[f] != w && (r.Said == "" || !r.HasSaid(w, "", f)) {
			told.By[f] = 0
		}
	}
	for claim := range r.Claims() {
		if claim.Witness == w {
			claim.Put(&told)
		}
	}
	return told
}

// tellApart are the fields by which records with one name differ.
var tellApart = [...]call.Field{
	call.FieldUserID, call.FieldUserPrincipalName,
	call.FieldSuccessful, call.FieldFinalSIPCode, call.FieldCallEndSubReason,
}

// otherOutcome reports whether a record says something else of the user or the outcome than the
// export has told. A user without a name may be any.
func otherOutcome(told, r *call.Row) bool {
	for _, f := range tellApart {
		if told.By[f] == 0 || r.By[f] == 0 {
			continue
		}
		other := false
		switch f.Type() {
		case call.ID:
			other = told.GUID(f) != r.GUID(f) && told.Known(f) && r.Known(f)
		case call.Text:
			other = !strings.EqualFold(told.Text(f), r.Text(f)) && told.Known(f) && r.Known(f)
		case call.Number:
			other = told.Number(f) != r.Number(f)
		case call.Bool:
			other = told.Bool(f) != r.Bool(f)
		}
		if other {
			return true
		}
	}
	return false
}

// ownName returns an id for a record whose name is that of another record.
func ownName(r *call.Row) call.GUID {
	return call.NameGUID(r.ID.String(), "record", r.UserID.String(), strings.ToLower(r.UserPrincipalName),
		fmt.Sprint(r.Successful, r.FinalSIPCode, r.CallEndSubReason))
}

// recordTimes are the times of a record.
var recordTimes = [...]call.Field{call.FieldInvite, call.FieldStart, call.FieldFailure, call.FieldEnd}

// coarse reports whether all times of a record are whole seconds.
func coarse(r *call.Row) bool {
	for _, f := range recordTimes {
		if r.Time(f).Nanosecond() != 0 {
			return false
		}
	}
	return true
}

// sameRecord reports whether the export has already told r, one of its records, and by how much
// their times are apart. The two may differ in what is masked, and in a fraction of a second if
// only one of them has fractions.
func sameRecord(told, r *call.Row) (apart time.Duration, ok bool) {
	most := time.Millisecond
	if coarse(told) != coarse(r) {
		most = time.Second
	}
	for _, f := range recordTimes {
		a, b := told.Time(f), r.Time(f)
		d := a.Sub(b).Abs()
		if a.IsZero() != b.IsZero() || d >= most {
			return 0, false
		}
		apart += d
	}
	return apart, sameType(told, r) && strings.EqualFold(told.Trunk, r.Trunk) && told.Duration == r.Duration &&
		sameParty(told.Caller, r.Caller) && sameParty(told.Callee, r.Callee) && !otherOutcome(told, r)
}

// sameParty reports whether two numbers are one, with or without a mask or a plus. A masked number
// must show enough digits.
func sameParty(a, b string) bool {
	const enough = 3 // digits
	if a == b {
		return true
	}
	x, xMasked := call.AppendDigits(nil, a)
	y, yMasked := call.AppendDigits(nil, b)
	if xMasked+yMasked > 0 && min(len(x), len(y)) < enough {
		return false
	}
	return len(x) > 0 && len(y) > 0 && !otherNumber(a, b)
}

// findRecord is find for rows of all kinds. It gives a record of the export whose name another one
// has its own name, and lets a record that came before say the same as exactly as then.
func (p *pass) findRecord(ctx context.Context, r *call.Row, near []*candidate) (*candidate, error) {
	c, err := p.find(ctx, r, near)
	if c == nil || !ofExport(r) || !c.row.Seen.Has(call.AdminExport) {
		return c, err
	}
	told := asExported(&c.row)
	if otherOutcome(&told, r) {
		r.ID = ownName(r)
		if c, err = p.find(ctx, r, near); c == nil {
			return nil, err
		}
		told = asExported(&c.row)
	}
	tellAsBefore(r, &told)
	return c, err
}

// record returns the row that the export has told as r, in another way; nil if there is none. A row
// that another record of the batch tells is not r.
func (p *pass) record(r *call.Row, near []*candidate) (best *candidate) {
	if !ofExport(r) {
		return nil
	}
	var least time.Duration
	for _, c := range near {
		if !c.row.Seen.Has(call.AdminExport) || p.inBatch(c) {
			continue
		}
		told := asExported(&c.row)
		if apart, ok := sameRecord(&told, r); ok && (best == nil || apart < least) {
			best, least = c, apart
		}
	}
	return best
}

// inBatch reports whether a record of the batch has the id of c, or an id that became part of it.
func (p *pass) inBatch(c *candidate) bool {
	if p.ids == nil {
		p.ids = make(map[rowKey]bool, len(p.b.Rows))
		for i := range p.b.Rows {
			p.ids[rowKey{p.b.Rows[i].Tenant, p.b.Rows[i].ID}] = true
		}
	}
	if p.ids[rowKey{c.row.Tenant, c.row.ID}] {
		return true
	}
	for id := range c.linkedIDs {
		if p.ids[rowKey{c.row.Tenant, id}] {
			return true
		}
	}
	return false
}

// tellAsBefore lets r, a record of the export, say what the export has said before where r says the
// same less exactly.
func tellAsBefore(r, told *call.Row) {
	if coarse(r) && !coarse(told) {
		for _, f := range recordTimes {
			if d := told.Time(f).Sub(r.Time(f)); told.By[f] != 0 && !told.Time(f).IsZero() && d.Abs() < time.Second {
				r.SetTime(f, told.Time(f))
			}
		}
	}
	for _, f := range [...]call.Field{call.FieldCaller, call.FieldCallee} {
		before, now := told.Text(f), r.Text(f)
		if told.By[f] == 0 || before == now || !sameParty(before, now) {
			continue
		}
		_, wasMasked := call.AppendDigits(nil, before)
		_, isMasked := call.AppendDigits(nil, now)
		if isMasked > 0 || wasMasked == 0 && strings.HasPrefix(before, "+") {
			r.SetText(f, before)
		}
	}
}
