package cert_test

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/cert"
)

// A spot is a place for a pair of files.
type spot struct {
	cert, key string
	clock     *clock
	log       *log
}

func newSpot(t *testing.T) *spot {
	dir := t.TempDir()
	return &spot{filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"), newClock(), &log{}}
}

// put makes a pair for the given name and writes it.
func (s *spot) put(t *testing.T, name string) (certPEM, keyPEM []byte) {
	t.Helper()
	certPEM, keyPEM = pair(t, name, s.clock.now().Add(-day), s.clock.now().Add(90*day), true)
	write(t, s.cert, certPEM)
	write(t, s.key, keyPEM)
	return certPEM, keyPEM
}

func (s *spot) open(t *testing.T) *cert.Pair {
	t.Helper()
	p, err := cert.Files(s.cert, s.key, s.clock.now, s.log.report)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serves reports the name on the certificate that is served now.
func serves(t *testing.T, p *cert.Pair) string {
	t.Helper()
	c, err := p.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.Subject.CommonName
}

func (s *spot) want(t *testing.T, p *cert.Pair, name string) {
	t.Helper()
	if got := serves(t, p); got != name {
		t.Errorf("serves %s, want %s", got, name)
	}
}

func TestFilesHandshake(t *testing.T) {
	s := newSpot(t)
	s.put(t, "calls.example.com")
	p := s.open(t)
	state, err := shake(t, p.TLS(), clientOf(t, s.cert, s.clock, "calls.example.com"))
	if err != nil || state.NegotiatedProtocol != "h2" {
		t.Errorf("%q, %v", state.NegotiatedProtocol, err)
	}
	var wrongName x509.HostnameError
	if _, err := shake(t, p.TLS(), clientOf(t, s.cert, s.clock, "example.com")); !errors.As(err, &wrongName) {
		t.Errorf("another name: %v", err)
	}
	s.log.none(t)
}

func TestFilesAreReadAgain(t *testing.T) {
	s := newSpot(t)
	s.put(t, "first")
	p := s.open(t)
	s.put(t, "second")
	s.clock.add(time.Second - 1)
	s.want(t, p, "first") // it looks once a second
	s.clock.add(1)
	s.want(t, p, "second")
	s.put(t, "third")
	s.want(t, p, "second")
	s.clock.add(-time.Hour) // the clock has been set back
	s.want(t, p, "third")
	s.log.none(t)
}

// As certbot and Kubernetes do it: the names are links, and what they lead to
// changes.
func TestFilesBehindLinks(t *testing.T) {
	s := newSpot(t)
	dir := filepath.Dir(s.cert)
	at := func(version, file string) string { return filepath.Join(dir, version, file) }
	for _, version := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		c, k := pair(t, version, s.clock.now(), s.clock.now().Add(day), true)
		write(t, at(version, "server.pem"), c)
		write(t, at(version, "server.key"), k)
	}
	link := func(version string) {
		_ = os.Remove(filepath.Join(dir, "live"))
		if err := os.Symlink(version, filepath.Join(dir, "live")); err != nil {
			t.Fatal(err)
		}
	}
	link("1")
	s.cert, s.key = at("live", "server.pem"), at("live", "server.key")
	p := s.open(t)
	s.want(t, p, "1")
	link("2")
	s.clock.add(time.Second)
	s.want(t, p, "2")
	s.log.none(t)
}

// A new pair that cannot be used leaves the old one in use, and is reported
// once.
func TestFilesKeepTheOldOne(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, s *spot){
		"certificate first, key later": func(t *testing.T, s *spot) {
			c, _ := pair(t, "new", s.clock.now(), s.clock.now().Add(day), true)
			write(t, s.cert, c)
		},
		"empty certificate": func(t *testing.T, s *spot) { write(t, s.cert, nil) },
		"garbage":           func(t *testing.T, s *spot) { write(t, s.key, []byte("garbage")) },
		"certificate gone":  func(t *testing.T, s *spot) { _ = os.Remove(s.cert) },
		"key gone":          func(t *testing.T, s *spot) { _ = os.Remove(s.key) },
		"cut":               func(t *testing.T, s *spot) { b := read(t, s.key); write(t, s.key, b[:len(b)/2]) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpot(t)
			oldCert, oldKey := s.put(t, "old")
			p := s.open(t)
			harm(t, s)
			for range 5 {
				s.clock.add(time.Second)
				s.want(t, p, "old")
			}
			if err := s.log.only(); !contains(err, "the old one stays in use") {
				t.Errorf("reported: %v", err)
			}
			s.put(t, "new")
			s.clock.add(time.Second)
			s.want(t, p, "new")
			s.log.none(t)
			harm(t, s)
			s.clock.add(time.Second)
			s.want(t, p, "new")
			if err := s.log.only(); !contains(err, "the old one stays in use") {
				t.Errorf("reported the second time: %v", err)
			}
			write(t, s.cert, oldCert)
			write(t, s.key, oldKey)
			s.clock.add(time.Second)
			s.want(t, p, "old")
			s.log.none(t)
		})
	}
}

func TestFilesAtTheStart(t *testing.T) {
	s := newSpot(t)
	if _, err := cert.Files(s.cert, s.key, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no files: %v", err)
	}
	certPEM, keyPEM := s.put(t, "one")
	_, otherKey := pair(t, "two", s.clock.now(), s.clock.now().Add(day), true)
	write(t, s.key, otherKey)
	if _, err := cert.Files(s.cert, s.key, nil, nil); !contains(err, s.key) {
		t.Errorf("another's key: %v", err)
	}
	// Both in one file.
	write(t, s.cert, append(keyPEM, certPEM...))
	if _, err := cert.Files(s.cert, s.cert, nil, nil); err != nil {
		t.Errorf("one file: %v", err)
	}
}

func TestFilesWarnings(t *testing.T) {
	s := newSpot(t)
	s.put(t, "one")
	mode := func(m os.FileMode) {
		if err := os.Chmod(s.key, m); err != nil {
			t.Fatal(err)
		}
	}
	mode(0o644)
	p := s.open(t)
	if err := s.log.only(); !contains(err, "chmod 600") {
		t.Errorf("at the start: %v", err)
	}
	s.clock.add(time.Second)
	s.want(t, p, "one")
	s.log.none(t)
	mode(0o600)
	s.clock.add(time.Second)
	s.want(t, p, "one")
	mode(0o604)
	s.clock.add(time.Second)
	s.want(t, p, "one")
	if err := s.log.only(); !contains(err, "chmod 600") {
		t.Errorf("later: %v", err)
	}
	mode(0o600)
	s.clock.add(91 * day)
	p = s.open(t)
	if err := s.log.only(); !contains(err, "expired") {
		t.Errorf("expired: %v", err)
	}
	s.want(t, p, "one")
}

func TestFilesManyClients(t *testing.T) {
	s := newSpot(t)
	s.put(t, "0")
	p := s.open(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := p.GetCertificate(nil); err != nil || c == nil {
					t.Error("no certificate")
					return
				}
			}
		})
	}
	for _, name := range []string{"1", "2", "3"} {
		s.put(t, name)
		s.clock.add(time.Second)
		deadline := time.Now().Add(20 * time.Second)
		for serves(t, p) != name {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not served", name)
			}
			s.clock.add(time.Second)
		}
	}
	close(stop)
	wg.Wait()
}

// A reload looks at once, and says itself what is wrong: the next handshake does not again.
func TestReload(t *testing.T) {
	s := newSpot(t)
	s.put(t, "one")
	p := s.open(t)
	s.put(t, "two")
	s.want(t, p, "one") // it has looked a moment ago
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	s.want(t, p, "two")
	write(t, s.cert, []byte("none"))
	if err := p.Reload(); err == nil || !strings.Contains(err.Error(), "the old one stays in use") || !strings.Contains(err.Error(), s.cert) {
		t.Errorf("a file without a certificate: %v", err)
	}
	s.clock.add(time.Minute)
	s.want(t, p, "two")
	s.log.none(t)
	s.put(t, "three")
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	s.want(t, p, "three")
}
