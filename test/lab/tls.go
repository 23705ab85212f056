package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// tlsSettings are those of a Kamailio, which trusts whom its file names.
const tlsSettings = `[server:default]
method = TLSv1.2+
certificate = %[1]s.pem
private_key = %[1]s.key

[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
ca_list = %[1]s-trusts.pem
certificate = %[1]s.pem
private_key = %[1]s.key
`

// writeTLS writes the settings of TLS of the SBC and of Microsoft's proxy, and
// returns the path of the SBC's. Each has a certificate of its own making, which
// the other trusts; the SBC trusts trunklog's authority as well, whose
// certificate is in the file ca.
func (s *sbc) writeTLS() (string, error) {
	path := func(name string) string { return filepath.Join(s.dir, name) }
	sbcCert, err := writeCertificate(path("sbc"), "sbc1.contoso.test")
	if err != nil {
		return "", err
	}
	teamsCert, err := writeCertificate(path("teams"), "sip.pstnhub.microsoft.com")
	if err != nil {
		return "", err
	}
	trusts := teamsCert
	if s.network == "tls" {
		ca, err := os.ReadFile(s.ca)
		if err != nil {
			return "", err
		}
		trusts = bytes.Join([][]byte{teamsCert, ca}, nil)
	}
	return path("sbc-tls.cfg"), errors.Join(
		os.WriteFile(path("sbc-trusts.pem"), trusts, 0o600),
		os.WriteFile(path("teams-trusts.pem"), sbcCert, 0o600),
		os.WriteFile(path("sbc-tls.cfg"), fmt.Appendf(nil, tlsSettings, path("sbc")), 0o600),
		os.WriteFile(path("teams-tls.cfg"), fmt.Appendf(nil, tlsSettings, path("teams")), 0o600),
	)
}

// writeCertificate makes a certificate for a name, writes it and its key to
// FILE.pem and FILE.key, and returns it.
func writeCertificate(file, name string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	return text, errors.Join(
		os.WriteFile(file+".pem", text, 0o600),
		os.WriteFile(file+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}
