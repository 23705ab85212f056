package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// leafLife is a day less than the longest life that browsers accept: Apple, "About upcoming
	// limits on trusted certificates", HT211025.
	leafLife = 397 * 24 * time.Hour
	// early is how far a certificate reaches back, for clients whose clocks are slow.
	early = time.Hour
	// retry is the pause after a renewal that has failed.
	retry = time.Minute
)

// An Authority is a certificate authority in a folder, and the certificate that it has issued to
// this server. Its methods may be called from many goroutines at once.
//
// Only their owner can read the files in the folder:
//
//	ca.pem    the authority's certificate, for clients to trust
//	ca.key    its private key, with a copy of the certificate
//	leaf.pem  the server's certificate and private key; an operator may delete it at any time
type Authority struct {
	dir    string
	names  names
	now    func() time.Time
	report func(error)
	ca     ca

	leaf atomic.Pointer[leaf]
	mu   sync.Mutex // held while a handshake renews the leaf
}

// A leaf is the server's certificate.
type leaf struct {
	tls.Certificate
	due time.Time // time of its renewal
}

// Own returns the authority in dir, and makes one if there is none. The server's certificate is
// for localhost, 127.0.0.1, ::1, the names of this machine and the given hosts, which are names or
// IP addresses without a port.
//
// The authority lives for ten years and never changes by itself. It may sign only for the names
// and addresses of its first start, and for names below them. A host that the operator adds later
// is an error; if the machine's own name has changed, Own leaves it out and reports that. An
// authority that is unreadable, incomplete or expired is an error that says what to do.
//
// The server's certificate lives for 397 days. The authority renews it when a third of that is
// left, and when the hosts or the authority have changed.
//
// Own hands warnings and later errors to report. now and report may be nil.
func Own(dir string, hosts []string, now func() time.Time, report func(error)) (*Authority, error) {
	a := &Authority{dir: dir}
	a.now, a.report = withDefaults(now, report)
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "" // the given hosts name it
	}
	wanted, err := newNames(hosts, hostname)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	files := caFiles{dir, caFile, caKeyFile, "start with --new-ca to make a new authority, whose " + caFile + " all clients need"}
	if a.ca, err = files.open(func() ([]byte, error) { return newCA(hostname, wanted, a.now()) }, a.now()); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if a.names, err = a.permitted(wanted, hostname); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if warning := exposed(filepath.Join(dir, caKeyFile)); warning != nil {
		a.report(warning)
	}
	if left := a.ca.cert.NotAfter.Sub(a.now()); left < leafLife {
		a.report(fmt.Errorf("the certificate authority in %s ends on %s: make a new one before, and hand its %s to the clients",
			a.File(), a.ca.cert.NotAfter.Format(time.DateOnly), caFile))
	}
	if l, err := a.readLeaf(); err == nil {
		a.leaf.Store(l)
		return a, nil
	}
	// Clients trust the authority and not a single leaf, so a new leaf can replace one that is
	// missing, damaged or out of date.
	if err := a.renew(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return a, nil
}

// File returns the name of the file with the authority's certificate, for
// clients to trust.
func (a *Authority) File() string { return filepath.Join(a.dir, caFile) }

// Pool returns a pool that holds the authority alone, for clients in Go.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.ca.cert)
	return p
}

// TLS returns the settings of a server: TLS 1.2 or later, HTTP/2 and HTTP/1.1.
func (a *Authority) TLS() *tls.Config { return config(a.GetCertificate) }

// GetCertificate returns the server's certificate for every server name, and renews it first if
// it is time. It has the type of [tls.Config.GetCertificate].
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l := a.leaf.Load()
	if !l.stale(a.now()) || !a.mu.TryLock() {
		return &l.Certificate, nil
	}
	defer a.mu.Unlock()
	if l = a.leaf.Load(); !l.stale(a.now()) {
		return &l.Certificate, nil
	}
	if err := a.renew(); err != nil {
		a.report(fmt.Errorf("certificate: %w", err))
		again := *l
		again.due = a.now().Add(retry)
		a.leaf.Store(&again)
	}
	return &a.leaf.Load().Certificate, nil
}

// stale reports whether it is time for another leaf. If the leaf is not valid yet, the clock was
// wrong when the authority issued it, or is wrong now.
func (l *leaf) stale(now time.Time) bool { return !now.Before(l.due) || now.Before(l.Leaf.NotBefore) }

func newLeaf(c tls.Certificate) *leaf {
	life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)
	return &leaf{Certificate: c, due: c.Leaf.NotAfter.Add(-life / 3)}
}

const leafFile = "leaf.pem"

// readLeaf returns the leaf in the folder, or an error if it is no longer usable.
func (a *Authority) readLeaf() (*leaf, error) {
	b, err := os.ReadFile(filepath.Join(a.dir, leafFile))
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, err
	}
	if err := c.Leaf.CheckSignatureFrom(a.ca.cert); err != nil {
		return nil, err
	}
	l := newLeaf(c)
	if l.stale(a.now()) || !a.names.equal(c.Leaf) {
		return nil, fmt.Errorf("%s is not for these names or this time", leafFile)
	}
	return l, nil
}

// renew makes a leaf, writes it to the folder and begins to use it.
func (a *Authority) renew() error {
	now := a.now()
	if err := a.ca.valid(now); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := x509.Certificate{
		Subject:     pkix.Name{CommonName: "trunklog"},
		NotBefore:   latest(now.Add(-early), a.ca.cert.NotBefore),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    a.names.dns,
		IPAddresses: a.names.ips,
		// A leaf is not an authority (RFC 5280, section 4.2.1.9).
		BasicConstraintsValid: true,
	}
	t.NotAfter = t.NotBefore.Add(leafLife)
	if t.NotAfter.After(a.ca.cert.NotAfter) {
		t.NotAfter = a.ca.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, a.ca.cert, key.Public(), a.ca.key)
	if err != nil {
		return err
	}
	b, err := encode(key, der)
	if err != nil {
		return err
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return err
	}
	if err := replace(filepath.Join(a.dir, leafFile), b); err != nil {
		return err
	}
	a.leaf.Store(newLeaf(c))
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// encode returns a private key and its certificate as PEM.
func encode(key *ecdsa.PrivateKey, cert []byte) ([]byte, error) {
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})
	return append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...), nil
}

// names are the names and addresses of a leaf, sorted.
type names struct {
	dns []string
	ips []net.IP
}

func (n names) equal(c *x509.Certificate) bool {
	return slices.Equal(n.dns, c.DNSNames) && slices.EqualFunc(n.ips, c.IPAddresses, net.IP.Equal)
}
