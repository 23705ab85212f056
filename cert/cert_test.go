package cert_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A clock stands still until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// A log keeps what was reported.
type log struct {
	mu   sync.Mutex
	errs []error
}

func (l *log) report(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// take returns what was reported since the last time.
func (l *log) take() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	errs := l.errs
	l.errs = nil
	return errs
}

func (l *log) none(t *testing.T) {
	t.Helper()
	for _, err := range l.take() {
		t.Errorf("reported: %v", err)
	}
}

// shake makes a connection from a client to a server with the given settings.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		s := tls.Server(conn, server)
		err = s.HandshakeContext(context.Background())
		served <- err
		_, _ = s.Read(make([]byte, 1)) // until the client has gone
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, client)
	err = c.HandshakeContext(t.Context())
	if err != nil {
		conn.Close()
	}
	if serverErr := <-served; err == nil {
		err = serverErr
	}
	return c.ConnectionState(), err
}

// clientOf returns the settings of a client that trusts the authority in file
// as curl --cacert does, and nobody else.
func clientOf(t *testing.T, file string, c *clock, host string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(read(t, file)) {
		t.Fatalf("%s is not PEM", file)
	}
	return &tls.Config{RootCAs: pool, ServerName: host, Time: c.now, NextProtos: []string{"h2"}}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// files returns what is in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() {
			m[e.Name()] = string(read(t, filepath.Join(dir, e.Name())))
		}
	}
	return m
}

func same(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	if got := files(t, dir); !maps.Equal(got, want) {
		t.Errorf("the files in the folder have changed")
	}
}

// pair makes a certificate that has signed itself, and its key, as PEM.
func pair(t *testing.T, name string, from, to time.Time, isCA bool) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: to,
		IsCA: isCA, BasicConstraintsValid: true,
	}
	if isCA {
		tmpl.KeyUsage = x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b})
}

func contains(err error, part string) bool {
	return err != nil && bytes.Contains([]byte(err.Error()), []byte(part))
}

var errNone = errors.New("nothing was reported")

// only returns what was reported if it was one thing.
func (l *log) only() error {
	switch errs := l.take(); len(errs) {
	case 0:
		return errNone
	case 1:
		return errs[0]
	default:
		return fmt.Errorf("%d reports", len(errs))
	}
}
