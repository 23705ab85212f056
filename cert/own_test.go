package cert_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/cert"
)

const day = 24 * time.Hour

// own opens the authority in dir and fails the test if that fails.
func own(t *testing.T, dir string, c *clock, l *log, hosts ...string) *cert.Authority {
	t.Helper()
	a, err := cert.Own(dir, hosts, c.now, l.report)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leafOf(t *testing.T, a *cert.Authority) *x509.Certificate {
	t.Helper()
	c, err := a.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestOwnIsTrustedByItsNames(t *testing.T) {
	c, l, dir := newClock(), &log{}, filepath.Join(t.TempDir(), "data", "tls")
	a := own(t, dir, c, l, "Calls.Example.COM.", "192.0.2.7", "[2001:db8::1]", "*.wild.example.com")
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"localhost", "127.0.0.1", "::1", "calls.example.com", "192.0.2.7", "2001:db8::1", "sbc.wild.example.com", hostname,
	} {
		state, err := shake(t, a.TLS(), clientOf(t, a.File(), c, host))
		if err != nil {
			t.Errorf("%s: %v", host, err)
		} else if state.NegotiatedProtocol != "h2" || state.Version != tls.VersionTLS13 {
			t.Errorf("%s: %q over TLS version %x", host, state.NegotiatedProtocol, state.Version)
		}
	}
	var wrongName x509.HostnameError
	if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, "other.example.com")); !errors.As(err, &wrongName) {
		t.Errorf("another name: %v", err)
	}
	other := own(t, t.TempDir(), c, l)
	var unknown x509.UnknownAuthorityError
	if _, err := shake(t, a.TLS(), clientOf(t, other.File(), c, "localhost")); !errors.As(err, &unknown) {
		t.Errorf("another authority: %v", err)
	}
	if v := a.TLS().MinVersion; v != tls.VersionTLS12 {
		t.Errorf("the least version is %x, whatever GODEBUG says", v)
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true} {
		client := clientOf(t, a.File(), c, "localhost")
		client.MinVersion, client.MaxVersion = tls.VersionTLS10, version
		if _, err := shake(t, a.TLS(), client); (err == nil) != ok {
			t.Errorf("TLS version %x: %v", version, err)
		}
	}
	if _, err := leafOf(t, a).Verify(x509.VerifyOptions{Roots: a.Pool(), CurrentTime: c.now()}); err != nil {
		t.Errorf("by the pool: %v", err)
	}
	l.none(t)
}

func TestOwnFiles(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	a := own(t, dir, c, l)
	for _, name := range []string{"ca.pem", "ca.key", "leaf.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
	if bytes.Contains(read(t, a.File()), []byte("PRIVATE")) {
		t.Error("the clients' file has the private key")
	}
	leaf := leafOf(t, a)
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 397*day || life < 396*day {
		t.Errorf("the leaf lives for %v", life)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Error("the leaf can do more than it should")
	}
	l.none(t)
}

// ca.pem is in the trust stores of clients: nothing may change it.
func TestOwnStays(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	first := leafOf(t, own(t, dir, c, l, "b.example.com", "a.example.com", "192.0.2.1"))
	kept := files(t, dir)
	c.add(time.Hour)
	second := own(t, dir, c, l, "192.0.2.1", "A.example.com", "b.example.com", "b.example.com", "::ffff:192.0.2.1", "localhost")
	same(t, dir, kept)
	if !leafOf(t, second).Equal(first) {
		t.Error("the same hosts in another order gave another leaf")
	}
	third := own(t, dir, c, l, "a.example.com", "b.example.com")
	if leafOf(t, third).Equal(first) || len(leafOf(t, third).IPAddresses) != 2 {
		t.Error("other hosts gave the same leaf")
	}
	if string(read(t, third.File())) != kept["ca.pem"] {
		t.Error("other hosts gave another authority")
	}
	l.none(t)
}

// A server that runs for ten years serves a valid certificate on every day of
// them, and so does one that is started once in a while.
func TestOwnTenYears(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	a := own(t, dir, c, l)
	end := c.now().AddDate(10, 0, 0)
	ca, leaves, last := string(read(t, a.File())), 0, leafOf(t, a)
	for c.now().Add(9 * day).Before(end) {
		c.add(9 * day)
		if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, "localhost")); err != nil {
			t.Fatalf("on %v: %v", c.now(), err)
		}
		leaf := leafOf(t, a)
		if !leaf.Equal(last) {
			leaves++
			last = leaf
		}
		if left := end.Sub(c.now()); leaf.NotAfter.Sub(c.now()) < min(120*day, left-time.Second) {
			t.Fatalf("on %v the leaf ends at %v", c.now(), leaf.NotAfter)
		}
	}
	if leaves < 13 || leaves > 25 {
		t.Errorf("%d renewals in ten years", leaves)
	}
	l.none(t)
	own(t, dir, c, l)
	if err := l.only(); !contains(err, "ends on") {
		t.Errorf("just before the end: %v", err)
	}
	if string(read(t, a.File())) != ca {
		t.Error("the authority has changed")
	}
	kept := files(t, dir)
	c.add(20 * day)
	if _, err := cert.Own(dir, nil, c.now, l.report); !contains(err, "expired") {
		t.Errorf("after the end: %v", err)
	}
	same(t, dir, kept)
	for range 3 {
		_ = leafOf(t, a)
	}
	if err := l.only(); !contains(err, "expired") {
		t.Errorf("after the end: reported %v", err)
	}
}

func TestOwnLeafIsMadeAnew(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, file string){
		"missing":   func(t *testing.T, file string) { _ = os.Remove(file) },
		"empty":     func(t *testing.T, file string) { write(t, file, nil) },
		"garbage":   func(t *testing.T, file string) { write(t, file, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n")) },
		"truncated": func(t *testing.T, file string) { b := read(t, file); write(t, file, b[:len(b)-40]) },
		"another authority's": func(t *testing.T, file string) {
			c, k := pair(t, "localhost", time.Unix(0, 0), time.Unix(1<<32, 0), false)
			write(t, file, append(c, k...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, l, dir := newClock(), &log{}, t.TempDir()
			own(t, dir, c, l)
			ca := files(t, dir)["ca.pem"]
			harm(t, filepath.Join(dir, "leaf.pem"))
			a := own(t, dir, c, l)
			if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, "localhost")); err != nil {
				t.Error(err)
			}
			if files(t, dir)["ca.pem"] != ca {
				t.Error("the authority has changed")
			}
			l.none(t)
		})
	}
	t.Run("due", func(t *testing.T) {
		c, l, dir := newClock(), &log{}, t.TempDir()
		first := leafOf(t, own(t, dir, c, l))
		c.add(264 * day)
		if !leafOf(t, own(t, dir, c, l)).Equal(first) {
			t.Error("made anew too early")
		}
		c.add(2 * day)
		if leafOf(t, own(t, dir, c, l)).Equal(first) {
			t.Error("not made anew")
		}
	})
	t.Run("authority exchanged", func(t *testing.T) {
		c, l, dir, other := newClock(), &log{}, t.TempDir(), t.TempDir()
		own(t, dir, c, l)
		own(t, other, c, l)
		for _, f := range []string{"ca.pem", "ca.key"} {
			write(t, filepath.Join(dir, f), read(t, filepath.Join(other, f)))
		}
		a := own(t, dir, c, l)
		if _, err := shake(t, a.TLS(), clientOf(t, filepath.Join(other, "ca.pem"), c, "localhost")); err != nil {
			t.Error(err)
		}
	})
}

// An authority of the operator's own making is used as it is.
func TestOwnOperatorsAuthority(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	certPEM, keyPEM := pair(t, "Contoso CA", c.now().Add(-day), c.now().Add(100*day), true)
	write(t, filepath.Join(dir, "ca.pem"), certPEM)
	write(t, filepath.Join(dir, "ca.key"), keyPEM)
	a := own(t, dir, c, l)
	if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, "localhost")); err != nil {
		t.Error(err)
	}
	if end := leafOf(t, a).NotAfter; end.After(c.now().Add(100 * day)) {
		t.Errorf("the leaf outlives its authority: %v", end)
	}
	if err := l.only(); !contains(err, "ends on") {
		t.Errorf("reported: %v", err)
	}
	// Its key alone does not hold the certificate.
	_ = os.Remove(a.File())
	if _, err := cert.Own(dir, nil, c.now, l.report); !contains(err, "without its certificate") {
		t.Errorf("without ca.pem: %v", err)
	}
}

// Whatever is wrong with an authority is an error, and no file is touched.
func TestOwnRefusesBrokenAuthority(t *testing.T) {
	c := newClock()
	aCert, aKey := pair(t, "a", c.now().Add(-day), c.now().Add(4000*day), true)
	leafCert, leafKey := pair(t, "leaf", c.now().Add(-day), c.now().Add(4000*day), false)
	oldCert, oldKey := pair(t, "old", c.now().Add(-2*day), c.now().Add(-day), true)
	newCert, newKey := pair(t, "new", c.now().Add(day), c.now().Add(2*day), true)
	for name, test := range map[string]struct {
		cert, key []byte // nil is no file
		want      string
	}{
		"no key":            {aCert, nil, "without its private key"},
		"no certificate":    {nil, aKey, "without its certificate"},
		"empty files":       {[]byte{}, []byte{}, "no certificate"},
		"empty key":         {aCert, []byte{}, "no private key"},
		"cut certificate":   {aCert[:len(aCert)/2], aKey, "no certificate"},
		"cut key":           {aCert, aKey[:len(aKey)/2], "no private key"},
		"damaged":           {bytes.Replace(aCert, []byte("\nMII"), []byte("\nMIJ"), 1), aKey, "ca.pem"},
		"damaged key":       {aCert, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "cannot be read"},
		"key of another":    {aCert, leafKey, "not that of the certificate"},
		"no authority":      {leafCert, leafKey, "not that of an authority"},
		"expired":           {oldCert, oldKey, "expired"},
		"not yet":           {newCert, newKey, "set the clock"},
		"key for both":      {aKey, aKey, "no certificate"},
		"zeroed on a crash": {make([]byte, 4096), make([]byte, 4096), "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, l := t.TempDir(), &log{}
			if test.cert != nil {
				write(t, filepath.Join(dir, "ca.pem"), test.cert)
			}
			if test.key != nil {
				write(t, filepath.Join(dir, "ca.key"), test.key)
			}
			kept := files(t, dir)
			_, err := cert.Own(dir, nil, c.now, l.report)
			if !contains(err, test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if key := strings.ReplaceAll(string(test.key), "\n", ""); len(key) > 60 && contains(err, key[40:60]) {
				t.Error("the error has a part of the key")
			}
			same(t, dir, kept)
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		for _, f := range []string{"ca.pem", "ca.key"} {
			dir := t.TempDir()
			own(t, dir, c, &log{})
			if err := os.Remove(filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, f), 0o700); err != nil { // unreadable even for root
				t.Fatal(err)
			}
			kept := files(t, dir)
			if _, err := cert.Own(dir, nil, c.now, nil); !contains(err, f+": is a directory") {
				t.Errorf("%s: %v", f, err)
			}
			same(t, dir, kept)
		}
	})
}

// ca.pem alone is written again, as it was.
func TestOwnRestoresCertificate(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	a := own(t, dir, c, l)
	kept := files(t, dir)
	if err := os.Remove(a.File()); err != nil {
		t.Fatal(err)
	}
	own(t, dir, c, l)
	same(t, dir, kept)
}

func TestOwnBadHosts(t *testing.T) {
	for _, h := range []string{"", "a b", "a.example.com:8443", "https://a", "ä.example", "fe80::1%eth0", "-a", "a..b", "*", "a.*.b", strings.Repeat("a", 64), "x\x00y"} {
		dir := t.TempDir()
		if _, err := cert.Own(dir, []string{h}, nil, nil); !contains(err, "is not a host name") {
			t.Errorf("%q: %v", h, err)
		}
		if len(files(t, dir)) != 0 {
			t.Errorf("%q: files were written", h)
		}
	}
}

// A renewal that fails is reported and tried again, not at every handshake;
// meanwhile the old certificate serves.
func TestOwnRenewalFails(t *testing.T) {
	c, l, dir := newClock(), &log{}, filepath.Join(t.TempDir(), "tls")
	a := own(t, dir, c, l)
	first := leafOf(t, a)
	ca := clientOf(t, a.File(), c, "localhost")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	c.add(300 * day)
	for range 5 {
		if _, err := shake(t, a.TLS(), ca); err != nil {
			t.Error(err)
		}
	}
	if n := len(l.take()); n != 1 {
		t.Errorf("%d reports, want 1", n)
	}
	c.add(time.Minute)
	_ = leafOf(t, a)
	if n := len(l.take()); n != 1 {
		t.Errorf("%d reports a minute later, want 1", n)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	c.add(time.Minute)
	if leafOf(t, a).Equal(first) {
		t.Error("not renewed")
	}
	l.none(t)
}

func TestOwnExposedKey(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	own(t, dir, c, l)
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	own(t, dir, c, l)
	if err := l.only(); !contains(err, "chmod 600") {
		t.Errorf("reported: %v", err)
	}
}

// Many clients at the time of a renewal get one new certificate, not many.
func TestOwnManyClients(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	a := own(t, dir, c, l)
	first := leafOf(t, a)
	c.add(300 * day)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 32 {
		wg.Go(func() {
			for range 20 {
				leaf, err := a.GetCertificate(nil)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[string(leaf.Leaf.Raw)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	delete(seen, string(first.Raw))
	if len(seen) != 1 {
		t.Errorf("%d new leaves", len(seen))
	}
	l.none(t)
}

// The whole way: a listener, a port, a client that dials it by address.
func TestOwnListener(t *testing.T) {
	l := &log{}
	a := own(t, t.TempDir(), &clock{t: time.Now()}, l)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", a.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("hello"))
		_ = conn.Close()
	}()
	d := tls.Dialer{Config: &tls.Config{RootCAs: a.Pool()}, NetDialer: &net.Dialer{}}
	conn, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := conn.Read(b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	_ = conn.Close()
	<-done
}
