package hep

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A pki is an authority, with the certificates of a server and of a client.
type pki struct {
	ca, cert, key []byte // PEM
	roots         *x509.CertPool
	client        tls.Certificate
	stranger      tls.Certificate // from another authority
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
		ca:       pemOf(ca),
		cert:     pemOf(server),
		key:      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		roots:    x509.NewCertPool(),
		client:   tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey},
		stranger: tls.Certificate{Certificate: [][]byte{stranger.Raw}, PrivateKey: strangerKey},
	}
	p.roots.AddCert(ca)
	return p
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// issue makes a certificate; without a parent it is that of an authority.
func issue(t testing.TB, parent *x509.Certificate, signer *ecdsa.PrivateKey, change ...func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
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
	for _, f := range change {
		f(c)
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

// TestTLS checks which senders may send over TLS.
func TestTLS(t *testing.T) {
	p := newPKI(t)
	for _, test := range []struct {
		parameters, client string
		want               string // the refusal, or nothing
	}{
		{"", "", ""},
		{"", "client", ""},
		{"", "stranger", ""},
		{"", "plain", "no-tls"},
		{"", "distrustful", "alert"},
		{"", "old", "no-agreement"},
		{"", "gone", "cut"},
		{"&client-ca=ca", "", "no-certificate"},
		{"&client-ca=ca", "client", ""},
		{"&client-ca=ca", "stranger", "certificate"},
		{"&client-ca=ca&client-cert=optional", "", ""},
		{"&client-ca=ca&client-cert=optional", "client", ""},
		{"&client-ca=ca&client-cert=optional", "stranger", "certificate"},
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
			local := c.LocalAddr().String()
			switch test.client {
			case "plain":
			case "gone":
				_ = c.Close()
			case "distrustful":
				conf.RootCAs = x509.NewCertPool()
				c = tls.Client(c, conf)
			case "old":
				conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
				c = tls.Client(c, conf)
			default:
				c = tls.Client(c, conf)
			}
			// Over TLS 1.3 a client learns of its refusal only after the handshake.
			_, _ = c.Write(packet("a"))
			if test.want == "" {
				r.messages(1)
			} else {
				if test.client != "gone" {
					closed(t, c)
				}
				r.until("a refusal", func(s Stats) bool { return turnedAway(s) != "" && s.Connections == 0 })
			}
			s := r.Stats()
			want := ""
			if test.want != "" {
				want = test.want + " 1"
			}
			if got := turnedAway(s); got != want || (s.Messages == 1) != (want == "") {
				t.Errorf("turned away %q, %+v", got, s)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			logs := r.logs.String()
			if strings.Contains(logs, "level=ERROR") || strings.Contains(logs, "level=WARN") != (test.want != "") {
				t.Errorf("logged: %s", logs)
			}
			if test.want != "" && (!strings.Contains(logs, "from="+local+" cause="+test.want+" so_far=1 err=") || strings.Count(logs, "\n") != 1) {
				t.Errorf("logged: %s", logs)
			}
		})
	}
}

// turnedAway returns the counted refusals, such as "crowded 3, cut 1".
func turnedAway(s Stats) string {
	var out []string
	for r := range Refusal(NumRefusals) {
		if n := s.TurnedAway[r]; n > 0 {
			out = append(out, fmt.Sprintf("%v %d", r, n))
		}
	}
	return strings.Join(out, ", ")
}

// TestRefusalsAreLogged checks that the source logs refused connections of each reason once a
// minute, with the count so far.
func TestRefusalsAreLogged(t *testing.T) {
	now := benchTime
	var logs strings.Builder
	s, err := New(testURL(t, "hep+tcp://127.0.0.1:0"), Options{Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 40000}
	for range 150 { // for 150 seconds
		s.turnAway(Crowded, from, nil)
		s.turnAway(Certificate, from, errors.New("words"))
		now = now.Add(time.Second)
	}
	if got := turnedAway(s.Stats()); got != "crowded 150, certificate 150" {
		t.Errorf("counted %s", got)
	}
	for _, want := range []string{"cause=crowded so_far=1\n", "cause=crowded so_far=61\n", "cause=crowded so_far=121\n", "cause=certificate so_far=121 err=words\n", "from=192.0.2.7:40000", "address=" + s.Addr().String()} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("no %q in the log", want)
		}
	}
	if n := strings.Count(logs.String(), "\n"); n != 6 {
		t.Errorf("%d lines, want 6:\n%s", n, logs.String())
	}
}

// TestStopInHandshake checks that a source that stops does not count its senders' handshakes as
// refusals.
func TestStopInHandshake(t *testing.T) {
	r := runTLS(t, newPKI(t), "")
	r.dial()
	r.until("a connection", func(s Stats) bool { return s.Connections == 1 })
	r.stop()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := turnedAway(r.Stats()); got != "" || strings.Contains(r.logs.String(), "WARN") {
		t.Errorf("turned away %q: %s", got, r.logs.String())
	}
}

// TestRefusals checks that every refusal has a name of its own.
func TestRefusals(t *testing.T) {
	names := map[string]bool{}
	for r := range Refusal(NumRefusals) {
		names[r.String()] = true
	}
	if len(names) != NumRefusals || names[""] || Refusal(NumRefusals).String() != "refusal-9" {
		t.Errorf("%v", names)
	}
}

// TestTLSStream sends many packets over TLS while the sink is slow, and checks that all arrive, in
// batches larger than a TLS record.
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
	r.until("all messages", func(s Stats) bool {
		select {
		case gate <- struct{}{}:
		default:
		}
		return s.Messages >= uint64(n)
	})
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

// TestHandshakeStalls checks that the source does not wait for a client that never begins, or never
// ends, its handshake.
func TestHandshakeStalls(t *testing.T) {
	r := runTLS(t, newPKI(t), "&idle=100ms")
	silent, halfway := r.dial(), r.dial()
	r.send(halfway, []byte("\x16\x03\x01\x02\x00\x01"))
	closed(t, silent)
	closed(t, halfway)
	r.until("refusals", func(s Stats) bool { return turnedAway(s) == "stall 2" && s.Connections == 0 })
}
