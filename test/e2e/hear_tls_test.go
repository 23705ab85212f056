package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// selfSigned makes a certificate that is its own authority.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestHeardNoTLS: an SBC that cannot connect over TLS is in the metrics and in
// the log, with the reason.
func TestHeardNoTLS(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	known := selfSigned(t, "sbc")
	authorities := filepath.Join(t.TempDir(), "sbcs.pem")
	if err := os.WriteFile(authorities, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	listen, monitor := kit.FreeAddress(t), kit.FreeAddress(t)
	s := start(t, data, "--admin-listen", monitor, "--source", "sbc1=hep+tls://"+listen+"?tenant=contoso&client-ca="+authorities)
	ca, err := os.ReadFile(filepath.Join(data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	connect := func(roots *x509.CertPool, certs ...tls.Certificate) {
		raw, err := net.Dial("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(patience))
		c := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &append(certs, tls.Certificate{})[0], nil
		}})
		good, _ := secretPackets(t)
		if _, err := c.Write(good); err == nil {
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for range 2 {
		connect(roots)
	}
	connect(roots, selfSigned(t, "stranger"))
	connect(x509.NewCertPool(), known)
	connect(roots, known)
	var body string
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, body, err = getPlain(t, "http://"+monitor+"/metrics"); err != nil {
			t.Fatal(err)
		}
		missing := ""
		for _, want := range []string{
			`trunklog_hep_connections_refused_total{cause="no-certificate",source="sbc1"} 2`, `trunklog_hep_connections_refused_total{cause="certificate",source="sbc1"} 1`,
			`trunklog_hep_connections_refused_total{cause="alert",source="sbc1"} 1`, `trunklog_hep_connections_refused_total{cause="crowded",source="sbc1"} 0`,
			`trunklog_hep_connections_accepted_total{source="sbc1"} 5`, `trunklog_hep_messages_total{source="sbc1"} 1`,
		} {
			if !strings.Contains(body, want+"\n") {
				missing += want + "\n"
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the metrics lack\n%sin\n%s", missing, body)
		}
	}
	for cause, words := range map[string]string{"no-certificate": "didn't provide a certificate", "certificate": "unknown authority", "alert": "remote error"} {
		lines := 0
		for line := range strings.Lines(s.Log.String()) {
			if strings.Contains(line, `"cause":"`+cause+`"`) {
				lines++
				if !strings.Contains(line, "WARN") || !strings.Contains(line, `"from":"127.0.0.1:`) || !strings.Contains(line, `"address":"`+listen) || !strings.Contains(line, words) {
					t.Errorf("%s: %s", cause, line)
				}
			}
		}
		if lines != 1 {
			t.Errorf("%s is in %d lines of the log, want 1:\n%s", cause, lines, s.Log)
		}
	}
}
