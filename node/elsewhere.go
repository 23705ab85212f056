package node

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// mostElsewhere is for how many hosts the server logs a warning. A stranger may send any Host
// header and must not fill the log.
const mostElsewhere = 10

// An elsewhere warns the operator when links, issuers and token endpoints in answers lead to
// another host than the one that a client has asked. Such a client follows a link without its
// token, because SDKs send tokens only to hosts in their list, or it refuses the issuer. Neither
// tells the user why.
type elsewhere struct {
	roots *roots
	log   *slog.Logger

	mu   sync.Mutex
	told map[string]bool
}

// watch returns h with a Warning header (RFC 7234, section 5.5) in the answers that lead elsewhere.
// It logs each host once.
func (e *elsewhere) watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, e.roots.prefix())
		// Answers to deliveries have no links. Of the answers to requests without a token, only the
		// issuer's have any.
		if isIssuerPath(path) || r.Header.Get("Authorization") != "" && !strings.HasPrefix(path, "/ingest/") {
			root, asked := e.roots.of(r), e.askedHost(r)
			if !leadsTo(root, asked) {
				w.Header().Set("Warning", fmt.Sprintf("299 trunklog %q", "links lead to "+root))
				e.tell(asked, root)
			}
		}
		h.ServeHTTP(w, r)
	})
}

func (e *elsewhere) tell(asked, root string) {
	asked = strings.ToLower(asked[:min(len(asked), 100)])
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.told[asked] || len(e.told) >= mostElsewhere {
		return
	}
	if e.told == nil {
		e.told = map[string]bool{}
	}
	e.told[asked] = true
	e.log.Warn("links in answers lead to another host than the one that a client has asked: name that with --public-url, or with --tls-host if it is this machine's",
		"asked", asked, "links", root)
}

// askedHost returns the host that a client has asked, or nothing if a proxy hides it. Beside a
// public URL, a proxy that passes no host on addresses this machine by a name of its own (as nginx
// does by default).
func (e *elsewhere) askedHost(r *http.Request) string {
	h := r.Header
	if first, _, _ := strings.Cut(h.Get("X-Forwarded-Host"), ","); first != "" {
		first = strings.TrimSpace(first)
		if u, err := url.Parse(e.roots.canonical); err == nil && strings.EqualFold(first, u.Hostname()) {
			return u.Host // proxies leave out ports
		}
		return first
	}
	behind := e.roots.public != nil && e.roots.ours(r.Host) && !leadsHere(e.roots.public, r.Host)
	if behind || h.Get("Forwarded") != "" || h.Get("X-Forwarded-For") != "" || h.Get("Via") != "" {
		return ""
	}
	return r.Host
}

// leadsHere reports whether a Host header names the host of u, with any port.
func leadsHere(u *url.URL, host string) bool {
	asked, err := url.Parse("https://" + host)
	return err == nil && strings.EqualFold(asked.Hostname(), u.Hostname())
}

// leadsTo reports whether root is on the host. It returns true if host is empty, because it is then
// unknown.
func leadsTo(root, host string) bool {
	u, err := url.Parse(root)
	if err != nil || host == "" {
		return true
	}
	asked, err := url.Parse(u.Scheme + "://" + host)
	if err != nil {
		return false
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return strings.EqualFold(asked.Hostname(), u.Hostname()) && cmp.Or(asked.Port(), usual) == cmp.Or(u.Port(), usual)
}
