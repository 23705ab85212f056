package cert

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Pair is a certificate and its private key in two PEM files, which are read
// again when they change. Its methods may be called from many goroutines at
// once.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time
	report            func(error)

	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex // held by who looks at the files
	looked  time.Time
	seen    [2][]byte // what was in the files, whether it could be used or not
	failure string    // of the last look; empty if there was none
	warned  bool      // of a key that others can read
}

// every is how often the files are looked at, at most.
const every = time.Second

// Files returns the certificate in certFile, with those between it and its
// root behind it, and its private key in keyFile; both may be the same file.
//
// When a client knocks, and the last look is a second or more ago, the files
// are read again. If they have changed and fit together the new certificate is
// used from then on. If not, the old one is, and report is told; once for each
// change. report is also told of a key that others can read, and of a
// certificate that has expired. now and report may be nil.
func Files(certFile, keyFile string, now func() time.Time, report func(error)) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile}
	p.now, p.report = withDefaults(now, report)
	p.looked = p.now()
	if err := p.read(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return p, nil
}

// TLS returns the settings of a server: TLS 1.2 or later, HTTP/2 and HTTP/1.1.
func (p *Pair) TLS() *tls.Config { return config(p.GetCertificate) }

// GetCertificate returns the certificate, whatever the client asked for. It
// has the type of [tls.Config.GetCertificate].
func (p *Pair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	// While one client waits for the files the others go on with what is there.
	if p.mu.TryLock() {
		p.look()
		p.mu.Unlock()
	}
	return p.current.Load(), nil
}

// look reads the files again if it is time, and reports what is new of what is
// wrong.
func (p *Pair) look() {
	now := p.now()
	if since := now.Sub(p.looked); since >= 0 && since < every {
		return
	}
	p.looked = now
	err := p.read()
	if err == nil {
		p.failure = ""
		return
	}
	if err.Error() != p.failure {
		p.failure = err.Error()
		p.report(fmt.Errorf("certificate: the old one stays in use: %w", err))
	}
}

// read reads the files and, if they are others than before, uses them.
func (p *Pair) read() error {
	cert, err := os.ReadFile(p.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(p.keyFile)
	if err != nil {
		return err
	}
	p.warn()
	if p.current.Load() != nil && p.failure == "" && bytes.Equal(cert, p.seen[0]) && bytes.Equal(key, p.seen[1]) {
		return nil
	}
	p.seen = [2][]byte{cert, key}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", p.certFile, p.keyFile, err)
	}
	if now := p.now(); now.After(c.Leaf.NotAfter) {
		p.report(fmt.Errorf("the certificate in %s has expired on %s: clients will refuse it", p.certFile, c.Leaf.NotAfter.Format(time.DateOnly)))
	}
	p.current.Store(&c)
	return nil
}

// warn reports a key that others can read, once until that has changed.
func (p *Pair) warn() {
	warning := exposed(p.keyFile)
	if warning != nil && !p.warned {
		p.report(warning)
	}
	p.warned = warning != nil
}
