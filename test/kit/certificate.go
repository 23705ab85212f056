package kit

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

// A KeyPair is a certificate that has signed itself, and its key.
type KeyPair struct {
	Certificate     *x509.Certificate
	Key             crypto.Signer
	CertPEM, KeyPEM []byte
}

// NewKeyPair makes a certificate for a host name or an IP address, or for whatever
// else is called so. It is good for servers and clients, as its own authority, from
// an hour ago until tomorrow. Its key is the given one, or if that is nil a new one
// on the curve P-256.
func NewKeyPair(name string, key crypto.Signer) (p KeyPair, err error) {
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return p, err
		}
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return p, err
	}
	if p.Certificate, err = x509.ParseCertificate(der); err != nil {
		return p, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, err
	}
	p.Key = key
	p.CertPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.KeyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return p, nil
}

// Write writes the certificate and the key to files, for their user alone.
func (p KeyPair) Write(certFile, keyFile string) error {
	return errors.Join(os.WriteFile(certFile, p.CertPEM, 0o600), os.WriteFile(keyFile, p.KeyPEM, 0o600))
}
