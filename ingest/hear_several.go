package ingest

import (
	"slices"
	"strings"
)

// Several sources may hear one dialog: the SBC and a tap in front of it, or two
// nodes of a cluster. Each tells the row what it has heard, under one id, and
// [call.Row.Fold] decides whose times are shown, because their clocks differ.

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

// follow gives a leg that has no row that of the same dialog, if another source's leg
// has made it: it may be open long after that one was forgotten.
func (h *hearing) follow(l *leg) {
	if len(h.legs) < 2 || !l.life.row.IsZero() || !l.life.partOf.IsZero() {
		return
	}
	for _, o := range h.siblings(l) {
		if !o.life.row.IsZero() {
			l.life.row, l.life.rowTenant = o.life.row, o.life.rowTenant
			h.soil(l)
			return
		}
	}
}

// lead gives the row that a leg has made to those of other sources that have none.
func (h *hearing) lead(l *leg, siblings []*leg) {
	for _, o := range siblings {
		if o.life.partOf.IsZero() && o.life.row.IsZero() {
			o.life.row, o.life.rowTenant = l.life.row, l.life.rowTenant
			h.soil(o)
		}
	}
}
