package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of the senders' authority.
const (
	sendersFile    = "senders.pem"
	sendersKeyFile = "senders.key"
)

// SendersFile returns the file in dir with the certificate of the senders' authority, for a source to
// trust.
func SendersFile(dir string) string { return filepath.Join(dir, sendersFile) }

// TrustSenders returns a pool that holds the senders' authority in dir alone. It makes none: if one
// that senders have certificates of was lost, the operator must learn it.
func TrustSenders(dir string) (*x509.CertPool, error) {
	b, err := os.ReadFile(SendersFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s, whose certificates senders would show: 'trunklog source cert NAME' makes it, with the first certificate", SendersFile(dir))
	}
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate in PEM: put it back from where it is kept", SendersFile(dir))
	}
	return pool, nil
}

// A Sender is what a sender of SIP messages needs to prove its name.
type Sender struct {
	Cert, Key         []byte // PEM; Cert has the authority's certificate behind the sender's own
	NotBefore, Expiry time.Time
	Serial            string // hexadecimal
}

// NewSender issues a certificate for clients, with the given DNS name or wildcard such as
// "*.carrier.com". The authority lies in dir, apart from that of [Own], which may sign for this
// server's hosts alone; NewSender makes it if there is none. It may sign for clients alone (RFC 5280,
// section 4.2.1.12, which Go and OpenSSL heed in an authority, too), so no client of this server
// trusts what it signs. The certificate lives as long as said, and no longer than the authority.
func NewSender(dir, name string, life time.Duration, now time.Time) (Sender, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if host := strings.TrimPrefix(name, "*."); !isName(host) || net.ParseIP(host) != nil {
		return Sender{}, fmt.Errorf("%q is not the name of a host, such as sbc1.contoso.com or *.carrier.com", name)
	}
	authority, err := openSenders(dir, now)
	if err != nil {
		return Sender{}, fmt.Errorf("the senders' certificate authority: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Sender{}, err
	}
	t := x509.Certificate{
		NotBefore:             latest(now.Add(-early), authority.cert.NotBefore),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:              []string{name},
		BasicConstraintsValid: true,
	}
	if len(name) <= 64 { // RFC 5280, appendix A
		t.Subject = pkix.Name{CommonName: name}
	}
	if t.NotAfter.After(authority.cert.NotAfter) {
		t.NotAfter = authority.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, authority.cert, key.Public(), authority.key)
	if err != nil {
		return Sender{}, err
	}
	both, err := encode(key, der)
	if err != nil {
		return Sender{}, err
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return Sender{}, err
	}
	chain := append(pem.EncodeToMemory(find(both, "CERTIFICATE")), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.cert.Raw})...)
	return Sender{
		Cert: chain, Key: pem.EncodeToMemory(find(both, "PRIVATE KEY")),
		NotBefore: made.NotBefore, Expiry: made.NotAfter, Serial: made.SerialNumber.Text(16),
	}, nil
}

func openSenders(dir string, now time.Time) (ca, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ca{}, err
	}
	files := caFiles{dir, sendersFile, sendersKeyFile, "issue all senders new certificates ('trunklog source cert'), which makes a new authority"}
	return files.open(func() ([]byte, error) {
		hostname, err := os.Hostname()
		if err != nil {
			hostname = "" // it is there for people alone
		}
		t := caTemplate("trunklog senders", hostname, now)
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		return selfSigned(t)
	}, now)
}
