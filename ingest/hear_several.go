package ingest

import (
	"slices"
	"strings"

	"github.com/trunklog/trunklog/ingest/leg"
)

// Several sources may hear one dialog: the SBC and a tap in front of it, or two nodes of a cluster.
// Each tells the row what it has heard, under one id, and [call.Row.Fold] decides whose times the
// row shows, since their clocks differ.

// siblings returns the legs of the same dialog that other sources have heard, without those of
// other tenants, and without hearsay if l is authenticated.
func (h *hearing) siblings(l *held) []*held {
	return slices.DeleteFunc(h.everywhere(l), func(o *held) bool { return o.Told < l.Told })
}

// everywhere returns the legs of the same dialog that other sources have heard, without those of
// other tenants. It returns none for a leg without a tenant if these legs have several.
func (h *hearing) everywhere(l *held) (all []*held) {
	if len(h.legs) < 2 {
		return nil
	}
	for source, d := range h.legs {
		if source == l.Source {
			continue
		}
		for o := d.byCall[l.CallID]; o != nil; o = o.next {
			if !h.walled(l, o) {
				all = append(all, o)
			}
		}
	}
	if h.torn(l, all) {
		return nil
	}
	slices.SortFunc(all, func(a, b *held) int { return strings.Compare(a.Source, b.Source) })
	return all
}

// awaited reports whether another source may yet tell how the call ended of a leg that is over.
func (h *hearing) awaited(l *held) bool {
	for _, o := range h.siblings(l) {
		if v := h.view(o); v.Facing > leg.NotFacing && o.Life.Closed.IsZero() && !v.Ended() {
			return true
		}
	}
	return false
}

// follow gives a leg without a row the row that another source's leg of the same dialog has made.
// The leg may be open long after the other was forgotten.
func (h *hearing) follow(l *held) {
	if len(h.legs) < 2 || !l.Life.Row.IsZero() || !l.Life.PartOf.IsZero() {
		return
	}
	for _, o := range h.siblings(l) {
		if !o.Life.Row.IsZero() {
			l.Life.Row, l.Life.RowTenant = o.Life.Row, o.Life.RowTenant
			h.soil(l)
			return
		}
	}
}

// lead gives the row that a leg has made to the legs of other sources without one, unless they are
// authenticated and it is hearsay.
func (h *hearing) lead(l *held) {
	for _, o := range h.everywhere(l) {
		if l.Told >= o.Told && o.Life.PartOf.IsZero() && o.Life.Row.IsZero() {
			o.Life.Row, o.Life.RowTenant = l.Life.Row, l.Life.RowTenant
			h.soil(o)
		}
	}
}
