package ingest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// Several sources may hear one dialog: the SBC and a tap in front of it, or two
// nodes of a cluster. Their clocks differ, so the times of a row are those of one
// of them, and the others add what it does not know.

// siblings returns the legs of the same dialog that other sources have heard, and
// that no other tenant owns.
func (h *hearing) siblings(l *leg) (all []*leg) {
	if len(h.legs) < 2 {
		return nil
	}
	for source, legs := range h.legs {
		if o := legs[l.callID]; o != nil && source != l.source && !walled(l, o) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *leg) int { return strings.Compare(a.source, b.source) })
	return all
}

// awaited reports whether another source may yet tell how the call of a leg ended
// that is over for this one.
func (h *hearing) awaited(l *leg) bool {
	for _, o := range h.siblings(l) {
		if v := o.view(); v.facing > notFacing && o.life.closed.IsZero() && !v.ended() {
			return true
		}
	}
	return false
}

// headOf returns which of several legs of one dialog makes the row; nil if that is
// l itself. A row that is there already stays that of its leg, unless another
// source knows better: by what faces Microsoft surely, and by who is authenticated.
func (h *hearing) headOf(l *leg, v *view, siblings []*leg) (head *leg) {
	best := standingOf(l, v)
	for _, o := range siblings {
		w := o.view()
		if o.life.row.IsZero() && !w.ended() || w.facing == notFacing {
			continue
		}
		if s := standingOf(o, &w); s.compare(best) > 0 {
			head, best = o, s
		}
	}
	return head
}

// claim notes that a leg has made the row of what the others have heard, too. They
// may be open long after it was forgotten.
func (h *hearing) claim(l *leg, siblings []*leg) {
	for _, o := range siblings {
		if o.life.partOf.IsZero() && o.life.row.IsZero() {
			o.life.partOf = l.id
			h.soil(o)
		}
	}
}

// follow notes of a leg that has no row whether another source's leg has made it.
func (h *hearing) follow(l *leg) {
	if len(h.legs) < 2 || !l.life.row.IsZero() || !l.life.partOf.IsZero() {
		return
	}
	for _, o := range h.siblings(l) {
		if !o.life.row.IsZero() {
			l.life.partOf = o.id
			h.soil(l)
			return
		}
	}
}

// A standing is what makes the word of one source count for more than that of
// another.
type standing struct {
	facing                   facing
	authenticated, published bool
	source                   string
}

func standingOf(l *leg, v *view) standing {
	return standing{v.facing, l.told.Authenticated(), !l.life.row.IsZero(), l.source}
}

func (s standing) compare(o standing) int {
	return cmp.Or(
		cmp.Compare(s.facing, o.facing),
		cmp.Compare(btoi(s.authenticated), btoi(o.authenticated)),
		cmp.Compare(btoi(s.published), btoi(o.published)),
		strings.Compare(o.source, s.source),
	)
}

// adopt gives a row the ids and texts that its own source has not heard and
// another one has, and reports whether there were any.
func adopt(r *call.Row, from *call.Row) (changed bool) {
	for f := range call.NumFields {
		if f == call.FieldID || r.Known(f) || !from.Known(f) {
			continue
		}
		switch f.Type() {
		case call.ID:
			r.SetGUID(f, from.GUID(f))
		case call.Text:
			if slices.Contains(outcomes, f) {
				continue
			}
			r.SetText(f, from.Text(f))
		default:
			continue
		}
		r.By[f], changed = from.By[f], true
	}
	return changed
}

// adoptAll lets a row adopt what the legs of other sources know.
func (l *leg) adoptAll(r *call.Row, siblings []*leg, plan func(string) string) (changed bool) {
	for _, o := range siblings {
		w := o.view()
		if w.facing == notFacing {
			continue
		}
		told := o.row(&w, plan)
		changed = adopt(r, &told) || changed
	}
	return changed
}

// teach has the leg that made the row of l's call look again if l knows more.
func (h *hearing) teach(head, l *leg) {
	if head.life.row.IsZero() || head.source == l.source {
		return
	}
	v := head.view()
	plan := func(number string) string { return number }
	r := head.row(&v, plan)
	if head.adoptAll(&r, []*leg{l}, plan) {
		head.life.changed = true
		h.soil(head)
		h.wait(head)
	}
}
