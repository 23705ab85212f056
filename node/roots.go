package node

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/auth"
)

// Roots knows under which addresses clients may reach the server. If the
// operator has said by which URL clients know it, links and issuers are made of
// that: a proxy in front of the server sends it a Host of its own, and plain
// HTTP. If not, they are made of the address that the client itself has used,
// because that is the one it can reach and, in the SDKs, the one it may send its
// token to; but only if the address is one of ours. Whatever else a Host header
// says gives the canonical root.
//
// A program that knows Microsoft's hosts and nothing else is a client of ours when
// it is led here. Hosts of Microsoft's that the operator has named are answered by
// themselves even beside a public URL: no proxy calls us by such a name, and the
// client can use no other.
type roots struct {
	public    *url.URL // as configured; nil if not
	name      string   // in canonical, if public is nil
	canonical string   // without a slash at its end
	hosts     []string // lower-case host names and addresses of this machine
}

// newRoots makes the roots of a server that listens on listen and is known as
// public, which may be empty, and extra names.
func newRoots(public, listen string, extra []string) (*roots, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, wrongSetting("--listen %q: %w", listen, err)
	}
	r, name := &roots{hosts: []string{"localhost", "127.0.0.1", "::1"}}, "localhost"
	if own, err := os.Hostname(); err == nil {
		r.add(own)
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		r.add(host)
		if host != "127.0.0.1" && host != "::1" {
			name = host // localhost does not lead there
		}
	}
	for _, name := range extra {
		r.add(name)
	}
	if public == "" {
		r.name = name
		r.canonical = "https://" + withPort(name, port)
		return r, nil
	}
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, wrongSetting("--public-url %q: an https address such as https://calls.contoso.com or https://intranet.contoso.com/trunklog is needed", public)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	r.public = u
	r.canonical = u.String()
	r.add(u.Hostname())
	return r, nil
}

func (r *roots) add(host string) {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host != "" && !slices.Contains(r.hosts, host) {
		r.hosts = append(r.hosts, host)
	}
}

// listening sets the port to the one that the server has got, which --listen may
// have left to the system, or named in words.
func (r *roots) listening(at net.Addr) {
	if tcp, ok := at.(*net.TCPAddr); ok && r.public == nil {
		r.canonical = "https://" + withPort(r.name, strconv.Itoa(tcp.Port))
	}
}

func withPort(host, port string) string {
	if port == "443" {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, port)
}

// prefix returns the path under which the server's own paths lie, such as
// "/trunklog", or nothing.
func (r *roots) prefix() string {
	if r.public == nil {
		return ""
	}
	return r.public.Path
}

// of returns the root for the answer to a request; for no request, the
// canonical one.
func (r *roots) of(req *http.Request) string {
	if req == nil || !r.ours(req.Host) || r.public != nil && !auth.OfMicrosoft(req.Host) {
		return r.canonical
	}
	scheme := "https"
	if req.TLS == nil {
		scheme = "http"
	}
	return scheme + "://" + strings.ToLower(req.Host)
}

// known reports whether root is one that of can return.
func (r *roots) known(root string) bool {
	if root == r.canonical || root == defaultRoot {
		return true
	}
	u, err := url.Parse(root)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || !r.ours(u.Host) {
		return false
	}
	if auth.OfMicrosoft(u.Host) {
		return u.Path == ""
	}
	return u.Path == r.prefix()
}

// ours reports whether hostport, a Host header, names this machine.
func (r *roots) ours(hostport string) bool {
	u, err := url.Parse("https://" + hostport)
	if err != nil || u.Host != hostport || u.Path != "" {
		return false
	}
	return slices.Contains(r.hosts, strings.ToLower(u.Hostname()))
}

// defaultRoot is under which tokens are issued by a command before a server
// has ever run.
const defaultRoot = "https://localhost:8443"

// rootState is the name under which a server leaves its canonical root, so
// that commands can issue tokens that it takes.
const rootState = "server/root"
