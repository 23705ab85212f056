package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1" // x5t is a SHA-1 thumbprint (RFC 7515, section 4.1.7); it only names a key
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"
)

// addSecret makes a secret for c and returns it. A life of 0 is DefaultExpiry, and with a negative
// one the secret never expires.
func (a *Authority) addSecret(c *storedClient, life time.Duration) (Secret, error) {
	s, err := newSecret(a.rand)
	if err != nil {
		return Secret{}, err
	}
	id, err := newGUID(a.rand)
	if err != nil {
		return Secret{}, err
	}
	rec := storedSecret{ID: id, Hash: a.hashSecret(c.Tenant, c.ID, s), Hint: s.Reveal()[len(secretPrefix):][:3], Created: a.today()}
	switch {
	case life == 0:
		rec.Expires = rec.Created.Add(DefaultExpiry)
	case life > 0:
		rec.Expires = rec.Created.Add(life)
	}
	c.Secrets = append(c.Secrets, rec)
	return s, nil
}

// secretOf returns the record of s among the secrets of c, if s is one of them. It compares s with
// all, so that the time it takes tells a caller nothing.
func (a *Authority) secretOf(c storedClient, s Secret) (storedSecret, bool) {
	hash := a.hashSecret(c.Tenant, c.ID, s)
	var found storedSecret
	ok := false
	for _, x := range c.Secrets {
		if hmac.Equal(x.Hash, hash) {
			found, ok = x, true
		}
	}
	return found, ok
}

const maxKeys = 10

// addKey parses a certificate or public key and adds it to c.
func (a *Authority) addKey(c *storedClient, file []byte) error {
	k, err := parseClientKey(file, a.now())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.Keys, func(x storedClientKey) bool { return x.ID == k.ID && string(x.SHA256) == string(k.SHA256) }) {
		return fmt.Errorf("auth: client %s has this key already: %w", c.ID, ErrInvalid)
	}
	if len(c.Keys) >= maxKeys {
		return fmt.Errorf("auth: client %s has %d keys, and more are not allowed; remove one first: %w", c.ID, maxKeys, ErrInvalid)
	}
	if k.Ref, err = newGUID(a.rand); err != nil {
		return err
	}
	k.Created = a.today()
	c.Keys = append(slices.Clone(c.Keys), k)
	return nil
}

// parseClientKey reads a file with one certificate or public key. In a chain it reads the first
// certificate, which is the client's own.
func parseClientKey(file []byte, now time.Time) (storedClientKey, error) {
	block, rest := pem.Decode(file)
	for b, r := block, rest; b != nil; b, r = pem.Decode(r) {
		if strings.Contains(b.Type, "PRIVATE KEY") {
			return storedClientKey{}, fmt.Errorf("auth: the file holds a private key, which must stay with the client; give only the certificate: %w", ErrInvalid)
		}
	}
	if block == nil {
		// The file may be DER: Windows exports a .cer in that form by default.
		block = &pem.Block{Type: "CERTIFICATE", Bytes: file}
	}
	switch block.Type {
	case "CERTIFICATE":
		return parseCertificate(block.Bytes, now)
	case "PUBLIC KEY":
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return storedClientKey{}, fmt.Errorf("auth: reading a public key: %w: %w", err, ErrInvalid)
		}
		return newClientKey(public)
	case "RSA PUBLIC KEY":
		public, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return storedClientKey{}, fmt.Errorf("auth: reading an RSA public key: %w: %w", err, ErrInvalid)
		}
		return newClientKey(public)
	}
	return storedClientKey{}, fmt.Errorf("auth: the file holds a %q; a CERTIFICATE or a PUBLIC KEY is needed: %w", block.Type, ErrInvalid)
}

func parseCertificate(der []byte, now time.Time) (storedClientKey, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return storedClientKey{}, fmt.Errorf("auth: reading a certificate: %w: %w", err, ErrInvalid)
	}
	if now.After(cert.NotAfter) {
		return storedClientKey{}, fmt.Errorf("auth: the certificate has expired on %s: %w", cert.NotAfter.UTC().Format(time.DateOnly), ErrInvalid)
	}
	k, err := newClientKey(cert.PublicKey)
	if err != nil {
		return storedClientKey{}, err
	}
	one, two := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
	k.SHA1, k.SHA256 = one[:], two[:]
	k.Subject, k.NotAfter = cert.Subject.String(), cert.NotAfter.UTC()
	return k, nil
}

// newClientKey returns the record of a key, or an error if the key is too weak or of another kind.
func newClientKey(public crypto.PublicKey) (storedClientKey, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < 2048 || n > 8192 {
			return storedClientKey{}, fmt.Errorf("auth: the RSA key has %d bits; 2048 to 8192 are allowed: %w", n, ErrInvalid)
		}
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return storedClientKey{}, fmt.Errorf("auth: the key is on the curve %s; only P-256 is allowed: %w", p.Curve.Params().Name, ErrInvalid)
		}
	default:
		return storedClientKey{}, fmt.Errorf("auth: the key is a %T; RSA and EC keys are allowed: %w", public, ErrInvalid)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return storedClientKey{}, fmt.Errorf("auth: encoding a public key: %w", err)
	}
	id, err := thumbprint(public)
	if err != nil {
		return storedClientKey{}, err
	}
	return storedClientKey{ID: id, SPKI: spki}, nil
}
