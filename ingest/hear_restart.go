package ingest

import (
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// When an SBC has restarted it knows nothing of its calls any more. They are found
// by the names of trunks in their messages, so that what tells of a restart costs
// as much as it ends, however often it is told and whoever is asked to listen.

// A restart is that of a trunk, or of all trunks of the source if it is empty.
type restart struct {
	source string
	tenant call.GUID
	trunk  string
}

// restarts returns the restarts that are told of, each once.
func restarts(all []*heard) (out []restart) {
	seen := make(map[restart]bool)
	for _, p := range all {
		for i := range p.events {
			if e := &p.events[i]; e.Kind == call.RestartEvent {
				r := restart{p.sink.source, p.sink.tenant, strings.ToLower(e.Row.Trunk)}
				if !seen[r] {
					seen[r] = true
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// restart ends the calls of an SBC that has restarted. If the trunk is named,
// those are its calls that any source of the tenant's has heard; if not, all that
// the source itself has.
func (h *hearing) restart(r restart) {
	cut := func(l *held) {
		if l.Life.Closed.IsZero() {
			l.Life.Cut = true
			h.soil(l)
			h.wait(l)
		}
	}
	if r.trunk == "" {
		for l := range h.legs[r.source].all {
			cut(l)
		}
		return
	}
	if owner, ok := h.in.tenant(r.trunk); ok && owner != r.tenant && !r.tenant.IsZero() {
		return // it is another tenant's
	}
	for l := range h.trunks[r.trunk] {
		if l.Source == r.source || h.ownerOf(l) == r.tenant {
			cut(l)
		}
	}
}

func (h *hearing) ownerOf(l *held) call.GUID {
	if !l.Tenant.IsZero() {
		return l.Tenant
	}
	v := h.view(l)
	_, tenant := l.TrunkOf(&v, h.in.tenant)
	return tenant
}

// joinTrunks has a leg that has not ended be found by the trunks that it names.
func (h *hearing) joinTrunks(l *held) {
	if !l.Life.Closed.IsZero() {
		return
	}
	l.Hosts(func(host string) {
		if slices.Contains(l.trunks, host) {
			return
		}
		l.trunks = append(l.trunks, host)
		legs := h.trunks[host]
		if legs == nil {
			legs = make(map[*held]struct{})
			h.trunks[host] = legs
		}
		legs[l] = struct{}{}
	})
}

func (h *hearing) leaveTrunks(l *held) {
	for _, host := range l.trunks {
		if delete(h.trunks[host], l); len(h.trunks[host]) == 0 {
			delete(h.trunks, host)
		}
	}
	l.trunks = nil
}
