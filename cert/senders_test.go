package cert

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func senderOf(t *testing.T, dir, name string, now time.Time) (Sender, *x509.Certificate) {
	t.Helper()
	s, err := NewSender(dir, name, 90*24*time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(s.Cert, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	return s, pair.Leaf
}

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	b, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(b) {
		t.Fatal(file, err)
	}
	return pool
}

// TestSenders: what the senders' authority issues is good for clients alone, as long as said.
func TestSenders(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	s, c := senderOf(t, dir, "SBC1.contoso.com.", now)
	if len(c.DNSNames) != 1 || c.DNSNames[0] != "sbc1.contoso.com" || c.Subject.CommonName != "sbc1.contoso.com" {
		t.Errorf("it is for %q, %q", c.DNSNames, c.Subject.CommonName)
	}
	pool := poolOf(t, SendersFile(dir))
	verify := func(usage x509.ExtKeyUsage, at time.Time) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
		return err
	}
	if err := verify(x509.ExtKeyUsageClientAuth, now); err != nil {
		t.Error(err)
	}
	if verify(x509.ExtKeyUsageServerAuth, now) == nil {
		t.Error("it is good for a server")
	}
	if verify(x509.ExtKeyUsageClientAuth, now.Add(90*24*time.Hour+time.Second)) == nil || !s.Expiry.Equal(now.Add(90*24*time.Hour)) {
		t.Errorf("it ends on %v", s.Expiry)
	}
	for _, file := range []string{sendersFile, sendersKeyFile} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	// The authority itself may not stand for a server either, whoever has its key.
	key, _ := pem.Decode(mustRead(t, filepath.Join(dir, sendersKeyFile)))
	signer, err := parseKey(key.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(find(mustRead(t, SendersFile(dir)), "CERTIFICATE").Bytes)
	if err != nil {
		t.Fatal(err)
	}
	forged := *c
	forged.ExtKeyUsage, forged.SerialNumber = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil
	der, err := x509.CreateCertificate(rand.Reader, &forged, ca, c.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil || verify(x509.ExtKeyUsageServerAuth, now) == nil {
		t.Errorf("the authority stands for a server; %v", err)
	}
	// It stays, beside our own, which knows nothing of it.
	if _, again := senderOf(t, dir, "*.carrier.com", now.AddDate(1, 0, 0)); again.CheckSignatureFrom(ca) != nil {
		t.Error("another authority has issued the second")
	}
	own, err := Own(dir, []string{"calls.contoso.com"}, func() time.Time { return now }, nil)
	if err != nil || own.ca.cert.Equal(ca) {
		t.Errorf("our own: %v", err)
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSendersAtOnce: commands that make the authority at the same time make one.
func TestSendersAtOnce(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	var wg sync.WaitGroup
	var all [16]Sender
	for i := range all {
		wg.Go(func() {
			var err error
			if all[i], err = NewSender(dir, "sbc1.contoso.com", time.Hour, now); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, rest := pem.Decode(all[0].Cert)
	for _, s := range all {
		if !bytes.HasSuffix(s.Cert, rest) {
			t.Fatal("there were two authorities")
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestBadSenders(t *testing.T) {
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for _, name := range []string{"", ".", "*", "*.", "a b", "a/b", "192.0.2.1", "süd.example", "*.*.example", "x.*.example", strings.Repeat("a.", 200)} {
		if _, err := NewSender(t.TempDir(), name, time.Hour, now); err == nil {
			t.Errorf("%q has a certificate", name)
		}
	}
	for what, harm := range map[string]func(dir string) error{
		"without its private key": func(dir string) error { return os.Remove(filepath.Join(dir, sendersKeyFile)) },
		"senders.key":             func(dir string) error { return os.WriteFile(filepath.Join(dir, sendersKeyFile), []byte("x"), 0o600) },
		"senders.pem":             func(dir string) error { return os.WriteFile(filepath.Join(dir, sendersFile), []byte("x"), 0o600) },
	} {
		dir := t.TempDir()
		senderOf(t, dir, "sbc1.contoso.com", now)
		if err := harm(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := NewSender(dir, "sbc1.contoso.com", time.Hour, now); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "source cert") {
			t.Errorf("%s: %v", what, err)
		}
	}
	dir := t.TempDir()
	senderOf(t, dir, "sbc1.contoso.com", now)
	if _, err := NewSender(dir, "sbc1.contoso.com", time.Hour, now.AddDate(caYears, 0, 1)); err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("ten years later: %v", err)
	}
	if s, err := NewSender(dir, "sbc1.contoso.com", 3650*24*time.Hour, now.AddDate(9, 0, 0)); err != nil || s.Expiry.After(now.AddDate(caYears, 0, 0)) {
		t.Errorf("it outlives its authority: %v, %v", s.Expiry, err)
	}
}
