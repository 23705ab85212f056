package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// writeTLS writes the settings of Kamailio's TLS and returns their path: it
// trusts the authority whose certificate is in the file ca, and has a
// certificate of its own, which nobody asks for but without which it does not
// start.
func writeTLS(dir, ca string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "sbc1.contoso.test"},
		DNSNames:     []string{"sbc1.contoso.test"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	if ca, err = filepath.Abs(ca); err != nil {
		return "", err
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	text := fmt.Sprintf(`[server:default]
method = TLSv1.2+
certificate = %s
private_key = %s

[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
ca_list = %s
`, path("sbc.pem"), path("sbc.key"), ca)
	for name, b := range map[string][]byte{
		"sbc.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		"sbc.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"tls.cfg": []byte(text),
	} {
		if err := os.WriteFile(path(name), b, 0o600); err != nil {
			return "", err
		}
	}
	return path("tls.cfg"), nil
}
