package cert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/cert"
)

// stolen returns a certificate for a host, signed with the authority's own key by
// somebody who has it.
func stolen(t *testing.T, dir string, c *clock, dns []string, ips ...net.IP) *x509.Certificate {
	t.Helper()
	b := read(t, filepath.Join(dir, "ca.key"))
	ca, err := tls.X509KeyPair(b, b)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(7), DNSNames: dns, IPAddresses: ips, NotBefore: c.now(), NotAfter: c.now().Add(day),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// authority writes an authority that was made elsewhere.
func authority(t *testing.T, dir string, tmpl *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber, tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = big.NewInt(1), true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, filepath.Join(dir, "ca.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b}))
}

// TestOwnSignsForItsHosts: the authority is trusted for the hosts that it was made
// for, and what is below them, whoever has its key.
func TestOwnSignsForItsHosts(t *testing.T) {
	c, l, dir := &clock{t: time.Now().Truncate(time.Second)}, &log{}, t.TempDir()
	a := own(t, dir, c, l, "calls.example.com", "*.wild.example.com", "192.0.2.7", "2001:db8::1")
	l.none(t)
	openssl, _ := exec.LookPath("openssl")
	for _, x := range []struct {
		dns  []string
		ips  []net.IP
		good bool
	}{
		{dns: []string{"localhost"}, good: true},
		{dns: []string{"calls.example.com"}, good: true},
		{dns: []string{"a.calls.example.com", "*.calls.example.com"}, good: true},
		{dns: []string{"a.wild.example.com", "wild.example.com"}, good: true},
		{ips: []net.IP{net.IPv4(192, 0, 2, 7).To4()}, good: true},
		{ips: []net.IP{net.ParseIP("2001:db8::1"), net.IPv6loopback}, good: true},
		{dns: []string{"example.com"}},
		{dns: []string{"other.example.com"}},
		{dns: []string{"calls.example.com.evil.test"}},
		{dns: []string{"notcalls.example.com"}},
		{dns: []string{"*.example.com"}},
		{dns: []string{"calls.example.com", "graph.microsoft.com"}},
		{ips: []net.IP{net.IPv4(192, 0, 2, 8).To4()}},
		{ips: []net.IP{net.ParseIP("2001:db8::2")}},
		{dns: []string{"localhost"}, ips: []net.IP{net.IPv4(8, 8, 8, 8).To4()}},
	} {
		leaf := stolen(t, dir, c, x.dns, x.ips...)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), CurrentTime: c.now()})
		var invalid x509.CertificateInvalidError
		if (err == nil) != x.good || err != nil && (!errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName) {
			t.Errorf("%v %v: %v", x.dns, x.ips, err)
		}
		if openssl == "" {
			continue
		}
		file := filepath.Join(t.TempDir(), "leaf.pem")
		write(t, file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
		out, err := exec.CommandContext(t.Context(), openssl, "verify", "-CAfile", a.File(), file).CombinedOutput()
		if (err == nil) != x.good || err != nil && !strings.Contains(string(out), "permitted subtree violation") {
			t.Errorf("OpenSSL: %v %v: %s, %v", x.dns, x.ips, out, err)
		}
	}
}

// TestOwnFurtherHost: a host that the authority may not sign for is an error that
// says so, and nothing is changed.
func TestOwnFurtherHost(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	own(t, dir, c, l, "calls.example.com")
	kept := files(t, dir)
	for _, h := range []string{"example.com", "other.example.com", "notcalls.example.com", "192.0.2.7", "2001:db8::1", "*.example.com"} {
		_, err := cert.Own(dir, []string{"localhost", "calls.example.com", h}, c.now, l.report)
		if !contains(err, "may not sign for "+h+" (but for ") || !contains(err, "--new-ca") || !contains(err, "calls.example.com, ") {
			t.Errorf("%s: %v", h, err)
		}
		same(t, dir, kept)
	}
	a := own(t, dir, c, l, "below.calls.example.com")
	if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, "below.calls.example.com")); err != nil {
		t.Error(err)
	}
	l.none(t)
}

// TestOwnOtherNames: an authority that is for neither this machine's names nor its
// addresses is used for what it may; what is left out is told.
func TestOwnOtherNames(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	_, all, _ := net.ParseCIDR("192.0.2.0/24")
	authority(t, dir, &x509.Certificate{
		NotBefore: c.now().Add(-day), NotAfter: c.now().Add(4000 * day),
		PermittedDNSDomains: []string{".Calls.example.com", "localhost"}, PermittedIPRanges: []*net.IPNet{all},
	})
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	l := &log{}
	a := own(t, dir, c, l, "a.calls.example.com", "192.0.2.9", "127.0.0.1", "::1", hostname)
	if err := l.only(); !contains(err, "not for ") || !contains(err, "::1, 127.0.0.1, as this machine is called") || !contains(err, "192.0.2.0/24") {
		t.Errorf("reported: %v", err)
	}
	for _, host := range []string{"a.calls.example.com", "192.0.2.9", "localhost"} {
		if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, host)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, h := range []string{"calls.example.com", "198.51.100.1"} {
		if _, err := cert.Own(dir, []string{h}, c.now, l.report); !contains(err, "may not sign for "+h+" ") {
			t.Errorf("%s: %v", h, err)
		}
	}
}

// TestOwnEmptyConstraint: an empty constraint permits all names (RFC 5280, section
// 4.2.1.10: whatever is made by adding labels to it).
func TestOwnEmptyConstraint(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	authority(t, dir, &x509.Certificate{NotBefore: c.now().Add(-day), NotAfter: c.now().Add(4000 * day), PermittedDNSDomains: []string{""}})
	a := own(t, dir, c, l, "calls.example.com", "192.0.2.7")
	for _, host := range []string{"calls.example.com", "192.0.2.7"} {
		if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, host)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	l.none(t)
}

// TestOwnEarlierAuthority: one that may sign for any host, as earlier releases made
// it, stays as it is, is told of, and takes further hosts.
func TestOwnEarlierAuthority(t *testing.T) {
	c, l, dir := newClock(), &log{}, t.TempDir()
	authority(t, dir, &x509.Certificate{
		Subject:   pkix.Name{CommonName: "trunklog CA 01234567", Organization: []string{"trunklog"}},
		NotBefore: c.now().Add(-day), NotAfter: c.now().AddDate(9, 0, 0),
	})
	kept := string(read(t, filepath.Join(dir, "ca.pem")))
	a := own(t, dir, c, l, "calls.example.com")
	if err := l.only(); !contains(err, "of an earlier release and may sign for any host") || !contains(err, "--new-ca") {
		t.Errorf("reported: %v", err)
	}
	if _, err := shake(t, a.TLS(), clientOf(t, a.File(), c, "calls.example.com")); err != nil {
		t.Error(err)
	}
	if string(read(t, filepath.Join(dir, "ca.pem"))) != kept {
		t.Error("the authority has changed")
	}
}

// TestMissing: an authority of which a part is there is not missing.
func TestMissing(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "nowhere")} {
		if !cert.Missing(d) {
			t.Errorf("%s: not missing", d)
		}
	}
	own(t, dir, newClock(), &log{})
	for _, name := range []string{"leaf.pem", "ca.pem", "ca.key"} {
		if cert.Missing(dir) {
			t.Errorf("missing while %s is there", name)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if !cert.Missing(dir) {
		t.Error("not missing")
	}
}
