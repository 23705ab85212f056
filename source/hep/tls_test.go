package hep

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A pki is an authority, with a certificate of a server and one of a client.
type pki struct {
	ca, cert, key []byte // PEM
	roots         *x509.CertPool
	client        tls.Certificate
	stranger      tls.Certificate // of another authority
}

func newPKI(t testing.TB) pki {
	t.Helper()
	ca, caKey := issue(t, nil, nil)
	other, otherKey := issue(t, nil, nil)
	server, serverKey := issue(t, ca, caKey)
	client, clientKey := issue(t, ca, caKey)
	stranger, strangerKey := issue(t, other, otherKey)
	der, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	p := pki{
		ca:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
		cert:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Raw}),
		key:      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		roots:    x509.NewCertPool(),
		client:   tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey},
		stranger: tls.Certificate{Certificate: [][]byte{stranger.Raw}, PrivateKey: strangerKey},
	}
	p.roots.AddCert(ca)
	return p
}

// issue makes a certificate, of an authority if there is no parent.
func issue(t testing.TB, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// runTLS starts a source with the given parameters.
func runTLS(t *testing.T, p pki, parameters string) *running {
	files := map[string][]byte{"cert": p.cert, "key": p.key, "ca": p.ca}
	return run(t, "hep+tls://127.0.0.1:0?cert=cert&key=key"+parameters, newRecorder(), func(o *Options) {
		o.ReadFile = func(name string) ([]byte, error) { return files[name], nil }
	})
}

// TestTLS checks who may send over TLS.
func TestTLS(t *testing.T) {
	p := newPKI(t)
	for _, test := range []struct {
		parameters, client string
		want               bool
	}{
		{"", "", true},
		{"", "client", true},
		{"", "stranger", true},
		{"", "plain", false},
		{"&client-ca=ca", "", false},
		{"&client-ca=ca", "client", true},
		{"&client-ca=ca", "stranger", false},
		{"&client-ca=ca&client-cert=optional", "", true},
		{"&client-ca=ca&client-cert=optional", "client", true},
		{"&client-ca=ca&client-cert=optional", "stranger", false},
	} {
		t.Run(strings.Trim(test.parameters+" "+test.client, "& "), func(t *testing.T) {
			r := runTLS(t, p, test.parameters)
			c := r.dial()
			conf := &tls.Config{RootCAs: p.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				switch test.client {
				case "client":
					return &p.client, nil
				case "stranger":
					return &p.stranger, nil
				}
				return &tls.Certificate{}, nil
			}
			if test.client != "plain" {
				c = tls.Client(c, conf)
			}
			// A client may learn only later that it was refused.
			_, _ = c.Write(packet("a"))
			if test.want {
				r.messages(1)
			} else {
				closed(t, c)
				r.until("a refusal", func(s Stats) bool { return s.Handshakes == 1 && s.Connections == 0 })
			}
			if s := r.Stats(); (s.Messages == 1) != test.want {
				t.Errorf("%+v", s)
			}
			if strings.Contains(r.logs.String(), "level=ERROR") {
				t.Errorf("logged: %s", r.logs.String())
			}
		})
	}
}

// TestTLSStream sends many packets over TLS while the sink is slow, and checks
// that all arrive, in batches larger than a TLS record.
func TestTLSStream(t *testing.T) {
	p := newPKI(t)
	r := runTLS(t, p, "&idle=10s")
	gate := make(chan struct{})
	r.sink.set(func(s *recorder) { s.gate = gate })
	c := tls.Client(r.dial(), &tls.Config{RootCAs: p.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	n := max(scale(5000), 2000)
	sent := make(chan error)
	go func() {
		for i := range n {
			if _, err := c.Write(large(strconv.Itoa(i), 1000)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for r.Stats().Messages < uint64(n) {
		select {
		case gate <- struct{}{}:
		default:
		}
		pause()
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got := len(r.sink.ids()); got != n || r.sink.most <= 16 {
		t.Errorf("%d of %d messages, %d in the largest batch", got, n, r.sink.most)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	r.until("the end", func(s Stats) bool { return s.Connections == 0 })
	if got := r.refused(); got != "" {
		t.Errorf("refused: %s", got)
	}
}

// TestHandshakeStalls checks that a client that never begins, or never ends, to
// agree on TLS is not waited for.
func TestHandshakeStalls(t *testing.T) {
	r := runTLS(t, newPKI(t), "&idle=100ms")
	silent, halfway := r.dial(), r.dial()
	r.send(halfway, []byte("\x16\x03\x01\x02\x00\x01"))
	closed(t, silent)
	closed(t, halfway)
	r.until("refusals", func(s Stats) bool { return s.Handshakes == 2 && s.Connections == 0 })
}
