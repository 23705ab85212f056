package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
)

func (l *listening) status(shared bool) admin.SourceStatus {
	about, totals := l.About(), l.sink.Totals()
	s := admin.SourceStatus{
		Name: l.name, Kind: about.Kind, Address: about.Address, Tenant: about.Tenant, Trunk: about.Trunk, Authenticated: about.Authenticated, Authority: authorityOf(&about, shared),
		Calls:  admin.SourceCalls{New: totals.New, Changed: totals.Changed, Same: totals.Same, Rejected: totals.Rejected},
		Counts: admin.CountsOf(l),
	}
	if !about.Seen.IsZero() {
		s.Seen = &about.Seen
	}
	return s
}

// authorityOf returns for whose calls the senders of a source speak; shared is set if there are
// several tenants.
func authorityOf(about *call.About, shared bool) string {
	switch {
	case about.Tenant != "":
		return admin.OfTenant
	case about.Trunk != "":
		return admin.OfTrunk
	case !shared:
		return admin.OfAny
	case about.Authenticated:
		return admin.OfSender
	}
	return admin.OfNone
}

// warnOfHearsay warns the operator of sources whose senders prove nothing, if there are several
// tenants.
func (n *Node) warnOfHearsay(ctx context.Context) {
	shared := n.tenants.Authority(ctx, nil).Shared()
	for _, l := range n.sources {
		if about := l.About(); authorityOf(&about, shared) == admin.OfNone {
			n.c.Log.Warn("several tenants share a source whose senders prove nothing: what they tell is hearsay, which changes no record; bind it with tenant=NAME or trunk=HOST, or have its senders show certificates (client-cert=required, client-ca=FILE, sender-name=HOST)",
				"source", l.name, "address", about.Address)
		}
	}
}

// statuses returns the status of each source.
func (n *Node) statuses(ctx context.Context) []admin.SourceStatus {
	shared := n.tenants.Authority(ctx, nil).Shared()
	all := make([]admin.SourceStatus, len(n.sources))
	for i, l := range n.sources {
		all[i] = l.status(shared)
		all[i].Refused = n.refused.of(l.name)
	}
	return all
}

// listSources answers with the sources, as JSON.
func (w *watch) listSources(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(rw).Encode(w.statuses(r.Context())) // it fails if the client is gone
}

// health answers ok for as long as the process can answer. With ?verbose it adds a line for each
// source that says when it was last seen.
func (w *watch) health(rw http.ResponseWriter, r *http.Request) {
	text := "ok"
	if r.URL.Query().Has("verbose") {
		var b strings.Builder
		for _, l := range w.sources {
			about := l.About()
			fmt.Fprintf(&b, "\nsource %s: %s at %s, last seen %s", l.name, about.Kind, about.Address, admin.LastSeen(about.Seen))
		}
		text += b.String()
	}
	say(rw, http.StatusOK, text)
}
