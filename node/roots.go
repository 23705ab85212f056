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

// roots are the addresses under which clients may reach the server. If the operator has set a
// public URL, links and issuers begin with that, because a proxy in front of the server sends it a
// Host of its own, and plain HTTP. If not, they begin with the address that the client has used,
// because the client can reach that one, and SDKs send their token there; but only if it is an
// address of this machine. For any other Host header they begin with the canonical root.
//
// Some programs know only Microsoft's hosts, and come here because their network leads those names
// to this server. If the operator has named such a host, links keep it even beside a public URL: no
// proxy addresses this server by that name, and the client can use no other.
type roots struct {
	public    *url.URL // as configured; nil if not
	name      string   // the host in canonical, if public is nil
	canonical string   // without a slash at its end
	hosts     []string // lower-case host names and addresses of this machine
}

// newRoots makes the roots of a server that listens on listen. public is its public URL, which may
// be empty, and extra are further names of this machine.
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
			name = host // localhost does not reach that address
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

// listening sets the port to the actual one, because --listen may name it in words or leave it to
// the system.
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

// prefix returns the path in front of the server's own paths, such as "/trunklog", or nothing.
func (r *roots) prefix() string {
	if r.public == nil {
		return ""
	}
	return r.public.Path
}

// of returns the root for the answer to a request; for no request, the canonical one.
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

// known reports whether of may have returned root, now or in a command (see defaultRoot).
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

// ours reports whether hostport, the value of a Host header, names this machine.
func (r *roots) ours(hostport string) bool {
	u, err := url.Parse("https://" + hostport)
	if err != nil || u.Host != hostport || u.Path != "" {
		return false
	}
	return slices.Contains(r.hosts, strings.ToLower(u.Hostname()))
}

// defaultRoot is the root under which a command issues tokens before a server has ever run.
const defaultRoot = "https://localhost:8443"

// rootState is the name of the state in which a server keeps its canonical root, so that commands
// issue tokens that it accepts.
const rootState = "server/root"
