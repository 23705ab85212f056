package hep

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The defaults of parameters.
const (
	defaultIdle        = 30 * time.Second
	defaultConnections = 10_000
)

// settings are what the URL sets.
type settings struct {
	network     string // udp, tcp or tls
	host        string // HOST:PORT
	tenant      string
	trunk       string
	microsoft   []netip.Prefix
	key         []byte
	idle        time.Duration
	connections int

	tls          *tls.Config // nil unless network is tls
	clientCAs    *x509.CertPool
	certRequired bool
}

// parameters returns the names of the parameters that a kind of source understands, sorted.
func parameters(network string) []string {
	all := []string{"auth", "auth-file", "microsoft", "tenant", "trunk"}
	if network != "udp" {
		all = append(all, "connections", "idle")
	}
	if network == "tls" {
		all = append(all, "cert", "client-ca", "client-cert", "key", "sender-name")
	}
	slices.Sort(all)
	return all
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", call.ErrInvalid, fmt.Sprintf(format, args...))
}

// parse reads the URL, and the files that it names, so that the operator learns of their faults at
// the start.
func (c *settings) parse(u *url.URL, o *Options) error {
	network, ok := strings.CutPrefix(u.Scheme, "hep+")
	if !ok || network != "udp" && network != "tcp" && network != "tls" {
		return invalid("unknown kind %q: hep+udp, hep+tcp and hep+tls are possible", u.Scheme)
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return invalid("%q is not HOST:PORT, such as 127.0.0.1:9060, or :9060 for all addresses", u.Host)
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.Fragment != "" || u.Opaque != "" {
		return invalid("there must be nothing but HOST:PORT and parameters behind ?")
	}
	values, err := c.values(u, network)
	if err != nil {
		return err
	}
	*c = settings{network: network, host: u.Host, tenant: values["tenant"], trunk: values["trunk"]}
	if c.microsoft, err = prefixes(values["microsoft"]); err != nil {
		return err
	}
	if err := c.parseLimits(values); err != nil {
		return err
	}
	if err := c.parseKey(values, o); err != nil {
		return err
	}
	if network == "tls" {
		return c.parseTLS(values, o)
	}
	return nil
}

// values returns the parameters, each of them known, given once and not empty.
func (c *settings) values(u *url.URL, network string) (map[string]string, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, invalid("the parameters cannot be read: a %% must be followed by two hexadecimal digits, and there must be no semicolon")
	}
	known := parameters(network)
	out := make(map[string]string, len(query))
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case !slices.Contains(known, name):
			return nil, invalid("unknown parameter %q: %s are possible", name, strings.Join(known, ", "))
		case len(query[name]) > 1:
			return nil, invalid("%s is there %d times", name, len(query[name]))
		case query[name][0] == "":
			return nil, invalid("%s is empty", name)
		}
		out[name] = query[name][0]
	}
	return out, nil
}

// prefixes reads a list of addresses and networks, separated by commas.
func prefixes(list string) (all []netip.Prefix, err error) {
	for one := range strings.SplitSeq(list, ",") {
		if one == "" {
			continue
		}
		p, err := netip.ParsePrefix(one)
		if err != nil {
			a, err := netip.ParseAddr(one)
			if err != nil {
				return nil, invalid("microsoft: %q is neither an address nor a network such as 52.112.0.0/14", one)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p)
	}
	return all, nil
}

func (c *settings) parseLimits(values map[string]string) error {
	c.idle, c.connections = defaultIdle, defaultConnections
	if v := values["idle"]; v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return invalid("idle: %q is not a length of time such as 30s", v)
		}
		c.idle = d
	}
	if v := values["connections"]; v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return invalid("connections: %q is not a number above 0", v)
		}
		c.connections = n
	}
	return nil
}

func (c *settings) parseKey(values map[string]string, o *Options) error {
	c.key = []byte(values["auth"])
	file := values["auth-file"]
	if file == "" {
		return nil
	}
	if len(c.key) > 0 {
		return invalid("auth and auth-file exclude each other")
	}
	b, err := o.ReadFile(file)
	if err != nil {
		return fmt.Errorf("auth-file: %w", err)
	}
	if c.key = bytes.TrimSpace(b); len(c.key) == 0 {
		return invalid("auth-file: %s is empty", file)
	}
	return nil
}

func (c *settings) parseTLS(values map[string]string, o *Options) error {
	certFile, keyFile := values["cert"], values["key"]
	if (certFile == "") != (keyFile == "") {
		return invalid("cert and key belong together")
	}
	var err error
	switch {
	case o.TLS != nil:
		c.tls, err = o.TLS(certFile, keyFile)
	case certFile == "":
		err = invalid("cert and key are missing")
	default:
		c.tls, err = keyPair(certFile, keyFile, o)
	}
	if err != nil {
		return err
	}
	return c.parseClientCA(values, o)
}

// keyPair reads the server's certificate and its key.
func keyPair(certFile, keyFile string, o *Options) (*tls.Config, error) {
	cert, err := o.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("cert: %w", err)
	}
	key, err := o.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, invalid("cert %s and key %s: %v", certFile, keyFile, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// parseClientCA reads which certificates senders must show.
func (c *settings) parseClientCA(values map[string]string, o *Options) error {
	c.tls = c.tls.Clone()
	c.tls.NextProtos = nil // the server's own configuration offers HTTP
	mode, file, names := values["client-cert"], values["client-ca"], values["sender-name"]
	own := file == "" && names == "" && mode != ""
	switch {
	case own && o.SenderCA == nil:
		return invalid("client-cert needs client-ca or sender-name: there is no server here whose own authority would count")
	case file == "" && names == "" && !own:
		return nil
	case mode == "" || mode == "required":
		c.certRequired, c.tls.ClientAuth = true, tls.RequireAndVerifyClientCert
	case mode != "optional":
		return invalid("client-cert: %q is neither required nor optional", mode)
	case names != "":
		return invalid("sender-name and client-cert=optional exclude each other: without a certificate there is no name")
	default:
		c.tls.ClientAuth = tls.VerifyClientCertIfGiven
	}
	var err error
	if own {
		c.clientCAs, err = o.SenderCA()
	} else if file != "" {
		c.clientCAs, err = readAuthorities(file, o)
	}
	if err != nil {
		return err
	}
	c.tls.ClientCAs = c.clientCAs // nil stands for the system's
	return c.parseSenderNames(names)
}

// readAuthorities reads the file that client-ca names.
func readAuthorities(file string, o *Options) (*x509.CertPool, error) {
	b, err := o.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("client-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, invalid("client-ca: %s holds no certificate in PEM", file)
	}
	return pool, nil
}

// parseSenderNames sets up the check of senders' names, if the URL lists any.
func (c *settings) parseSenderNames(list string) error {
	if list == "" {
		return nil
	}
	names, err := senderNames(list)
	if err != nil {
		return err
	}
	if c.clientCAs == nil {
		// Reading the system's authorities now tells the operator at the start if there are none.
		if system, err := x509.SystemCertPool(); err != nil || system.Equal(x509.NewCertPool()) {
			return invalid("sender-name: this machine has no certificates of authorities: install them (ca-certificates), or name a file by client-ca")
		}
	}
	check := &senderCheck{names: names, roots: c.clientCAs, tls: c.tls}
	c.tls.ClientAuth, c.tls.VerifyConnection = tls.RequireAnyClientCert, check.verify
	return nil
}
