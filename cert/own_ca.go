package cert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	caFile    = "ca.pem"
	caKeyFile = "ca.key"
	caYears   = 10

	organization = "trunklog" // the subject of our own authorities
)

// A ca is an authority's certificate and private key.
type ca struct {
	cert *x509.Certificate
	key  crypto.Signer
	in   caFiles
}

// caFiles are the files of an authority.
type caFiles struct {
	dir, pem, key string
	// anew says what makes another authority once both files are moved away, and what its
	// certificate is for.
	anew string
}

func (f caFiles) paths() (pemFile, keyFile string) {
	return filepath.Join(f.dir, f.pem), filepath.Join(f.dir, f.key)
}

// valid returns an error if the authority is not valid at the given time.
func (c ca) valid(now time.Time) error {
	switch {
	case now.Before(c.cert.NotBefore):
		return fmt.Errorf("%s is not valid before %s, and the clock says %s: set the clock",
			c.in.pem, c.cert.NotBefore.Format(time.RFC3339), now.Format(time.RFC3339))
	case now.After(c.cert.NotAfter):
		return fmt.Errorf("%s has expired on %s: move %s and %s away and %s",
			c.in.pem, c.cert.NotAfter.Format(time.DateOnly), c.in.pem, c.in.key, c.in.anew)
	}
	return nil
}

// open reads the authority in the files. It makes one only if both are missing.
//
// It writes the key first, with a copy of the certificate, so that after a crash between the two
// writes the next call can restore the certificate's file. If two processes make an authority at
// once, the first key stays, and both use it.
func (f caFiles) open(make func() ([]byte, error), now time.Time) (ca, error) {
	pemFile, keyFile := f.paths()
	certPEM, certErr := os.ReadFile(pemFile) // first, since it is written last
	keyPEM, keyErr := os.ReadFile(keyFile)
	switch {
	case errors.Is(keyErr, fs.ErrNotExist) && errors.Is(certErr, fs.ErrNotExist):
		var err error
		if keyPEM, err = make(); err != nil {
			return ca{}, err
		}
		if keyPEM, err = first(keyFile, keyPEM); err != nil {
			return ca{}, err
		}
	case errors.Is(keyErr, fs.ErrNotExist):
		return ca{}, fmt.Errorf("there is %s without its private key: put %s back from where it is kept, or move %s away and %s",
			pemFile, keyFile, pemFile, f.anew)
	case keyErr != nil:
		return ca{}, keyErr
	case certErr != nil && !errors.Is(certErr, fs.ErrNotExist):
		return ca{}, certErr
	}
	if certErr != nil {
		block := find(keyPEM, "CERTIFICATE")
		if block == nil {
			return ca{}, fmt.Errorf("there is %s without its certificate: restore %s from a backup", keyFile, pemFile)
		}
		certPEM = pem.EncodeToMemory(block)
		if err := replace(pemFile, certPEM); err != nil {
			return ca{}, err
		}
	}
	c, err := f.parse(certPEM, keyPEM)
	if err != nil {
		return ca{}, fmt.Errorf("%s and %s: %w: put both back from where they are kept, or move both away and %s",
			pemFile, keyFile, err, f.anew)
	}
	c.in = f
	return c, c.valid(now)
}

// find returns the first PEM block whose type ends in suffix, or nil.
func find(b []byte, suffix string) *pem.Block {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil
		}
		if bytes.HasSuffix([]byte(block.Type), []byte(suffix)) {
			return block
		}
	}
}

// parse returns the authority in the two PEM texts, if they fit together.
func (f caFiles) parse(certPEM, keyPEM []byte) (ca, error) {
	block := find(certPEM, "CERTIFICATE")
	if block == nil {
		return ca{}, fmt.Errorf("no certificate in %s", f.pem)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ca{}, fmt.Errorf("%s: %w", f.pem, err)
	}
	if !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return ca{}, fmt.Errorf("the certificate in %s is not that of an authority", f.pem)
	}
	if block = find(keyPEM, "PRIVATE KEY"); block == nil {
		return ca{}, fmt.Errorf("no private key in %s", f.key)
	}
	key, err := parseKey(block.Bytes)
	if err != nil {
		return ca{}, fmt.Errorf("%s: %w", f.key, err)
	}
	if public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return ca{}, fmt.Errorf("the private key is not that of the certificate")
	}
	return ca{cert: cert, key: key}, nil
}

func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// The parser's error may quote the key, which is a secret.
		return nil, errors.New("the private key cannot be read (one with a passphrase cannot be used)")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the private key is of a kind that cannot sign")
	}
	return signer, nil
}

// newCA makes an authority and returns its key and certificate as PEM. Its name constraints (RFC
// 5280, section 4.2.1.10) let it sign for n alone, so that a thief of its key cannot pose as any
// other host. Go, OpenSSL and the programs that use it (curl, Python, Node), NSS, Java, Windows
// and macOS since 10.13 heed them, even in a root. Any other client refuses the authority, because
// the constraints are critical.
func newCA(hostname string, n names, now time.Time) ([]byte, error) {
	t := caTemplate("trunklog CA", hostname, now)
	t.PermittedDNSDomainsCritical = true
	t.PermittedDNSDomains = n.domains()
	t.PermittedIPRanges = n.ranges()
	return selfSigned(t)
}

// caTemplate returns an authority's certificate without its key.
func caTemplate(name, hostname string, now time.Time) x509.Certificate {
	// A client that trusts several authorities can tell them apart by the random part.
	var id [4]byte
	rand.Read(id[:])
	name += " " + hex.EncodeToString(id[:])
	if isName(hostname) && len(name)+len(hostname) < 60 {
		name += " " + hostname // RFC 5280, appendix A: a common name has at most 64 characters
	}
	return x509.Certificate{
		Subject:               pkix.Name{CommonName: name, Organization: []string{organization}},
		NotBefore:             now.Add(-early),
		NotAfter:              now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
	}
}

// selfSigned returns a new private key and the certificate that it signs, as PEM.
func selfSigned(t x509.Certificate) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return encode(key, der)
}
