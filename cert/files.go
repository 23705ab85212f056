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

// A Pair is a certificate and its private key in two PEM files, which it reads again when they
// change. Its methods may be called from many goroutines at once.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time
	report            func(error)

	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex // guards the fields below
	looked  time.Time
	seen    [2][]byte // contents of the files at the last look, usable or not
	failure string    // error of the last look; empty if there was none
	warned  bool      // it has reported that others can read the key
}

// every is the shortest time between two looks at the files.
const every = time.Second

// Files returns the certificate in certFile, which its intermediate certificates follow, and its
// private key in keyFile. Both may be the same file.
//
// At a client's handshake the pair reads the files again if its last look is a second or more
// ago. If they have changed and fit together, it uses the new certificate from then on. If they do
// not fit, it keeps the old one and calls report, once for each change. It also reports a key that
// other users can read, and a certificate that has expired. now and report may be nil.
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

// GetCertificate returns the same certificate for every server name. It has the type of
// [tls.Config.GetCertificate].
func (p *Pair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	// While one handshake reads the files, the others use the current certificate.
	if p.mu.TryLock() {
		p.look()
		p.mu.Unlock()
	}
	return p.current.Load(), nil
}

// look reads the files again if it is time. It reports an error once, not at every look.
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

// Reload reads the files now, whenever the last look was. After an error the old certificate stays
// in use; handshakes do not report the same error again.
func (p *Pair) Reload() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked = p.now()
	if err := p.read(); err != nil {
		p.failure = err.Error()
		return fmt.Errorf("certificate: the old one stays in use: %w", err)
	}
	p.failure = ""
	return nil
}

// read reads the files and, if they have changed, uses them.
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

// warn reports, once, that other users can read the key. It does so again if the operator mends
// the mode and it becomes wrong again.
func (p *Pair) warn() {
	warning := exposed(p.keyFile)
	if warning != nil && !p.warned {
		p.report(warning)
	}
	p.warned = warning != nil
}
