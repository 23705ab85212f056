package call

import (
	"slices"
	"time"
)

// Proven reports whether an authenticated witness has told anything of r.
func (r *Row) Proven() bool { return slices.ContainsFunc(r.By[:], Witness.Authenticated) }

// Sober returns r without what hearsay alone has told of it: r itself if there is nothing of the
// kind. Its place and id stay.
func (r *Row) Sober() *Row {
	hearsay := func(w Witness) bool { return w != 0 && !w.Authenticated() }
	if r.Said == "" && !slices.ContainsFunc(r.By[:], hearsay) {
		return r
	}
	s := *r
	for f, w := range r.By {
		if f := Field(f); hearsay(w) && f != FieldStart && f != FieldID {
			s.Unsay(f)
		}
	}
	if !heardProven(r) {
		s.Seen &^= SIP.Set()
	}
	return &s
}

// heardProven reports whether an authenticated source has heard the call of r.
func heardProven(r *Row) bool {
	for w := range (&Told{Row: *r}).Voices() {
		if w == SIP.Witness() {
			return true
		}
	}
	return false
}

// Unsay takes the value of a field out of r, and who has told it.
func (r *Row) Unsay(f Field) {
	r.By[f] = 0
	switch f.Type() {
	case ID:
		r.SetGUID(f, GUID{})
	case Text:
		r.SetText(f, "")
	case Time:
		r.SetTime(f, time.Time{})
	case Number:
		r.SetNumber(f, 0)
	case Bool:
		r.SetBool(f, false)
	}
}

// A ToldProven holds if X does for what authenticated witnesses alone tell of a call, and there are
// such. X is never nil; an empty [And] holds for every call.
type ToldProven struct{ X Expr }

func (ToldProven) expr() {}

// Match implements [Expr].
func (t ToldProven) Match(r *Row) bool { return r.Proven() && t.X.Match(r.Sober()) }
