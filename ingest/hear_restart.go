package ingest

import (
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// An SBC that has restarted has lost its calls. The server finds them by the names of trunks in
// their messages, so that a notice of a restart costs as much as the calls that it ends, however
// often it comes.

// A restart is one of a trunk, or of all trunks of the source if trunk is empty.
type restart struct {
	source string
	tenant call.GUID
	trunk  string
}

// restarts returns the restarts in the events, each once.
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

// restart ends the calls of an SBC that has restarted. With a trunk, those are its calls that any
// source of the tenant has heard; without one, all that the source itself has heard.
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
		return // another tenant owns the trunk
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

// joinTrunks enters a leg that has not ended under the trunks that it names.
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
