package hep

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// An authority issues certificates of senders.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	cert, key := issue(t, nil, nil)
	return authority{cert, key}
}

// systemAuthority returns an authority that this process takes for one of the system's. Package
// x509 reads its file once.
func systemAuthority(t testing.TB) authority {
	t.Helper()
	system.Do(func() {
		system.authority = newAuthority(t)
		file := filepath.Join(t.TempDir(), "roots.pem")
		if err := os.WriteFile(file, pemOf(system.authority.cert), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSL_CERT_FILE", file)
		if pool, err := x509.SystemCertPool(); err != nil || pool.Equal(x509.NewCertPool()) {
			t.Fatal("the system's authorities were not read", err)
		}
	})
	return system.authority
}

var system struct {
	sync.Once
	authority
}

// below returns an authority whose certificate a has issued.
func (a authority) below(t testing.TB) authority {
	cert, key := issue(t, a.cert, a.key, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage, c.IPAddresses = true, true, x509.KeyUsageCertSign, nil, nil
	})
	return authority{cert, key}
}

// sender returns a certificate for sbc1.contoso.com as a server, with those of the authorities
// between it and the root. change may change it.
func (a authority) sender(t testing.TB, change func(*x509.Certificate), between ...authority) tls.Certificate {
	cert, key := issue(t, a.cert, a.key, func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"sbc1.contoso.com"}, nil
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}, change)
	out := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	for _, b := range between {
		out.Certificate = append(out.Certificate, b.cert.Raw)
	}
	return out
}

// TestSenderName checks which certificates admit a sender, over TLS 1.2 and 1.3, and that the log
// contains none of their names.
func TestSenderName(t *testing.T) {
	p := newPKI(t)
	ca, other := newAuthority(t), newAuthority(t)
	p.ca = pemOf(ca.cert)
	between := ca.below(t)
	names := func(dns ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = dns }
	}
	usage := func(all ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = all }
	}
	address := func(ip net.IP) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{ip} }
	}
	same := func(*x509.Certificate) {}
	const pin = "&client-ca=ca&sender-name=sbc1.Contoso.com,192.0.2.7,2001:db8::7"
	for _, test := range []struct {
		name, parameters string
		cert             tls.Certificate
		want             string // the refusal, or nothing
	}{
		{"a server's", pin, ca.sender(t, same), ""},
		{"a client's", pin, ca.sender(t, usage(x509.ExtKeyUsageClientAuth)), ""},
		{"of no usage", pin, ca.sender(t, usage()), ""},
		{"of another usage", pin, ca.sender(t, usage(x509.ExtKeyUsageCodeSigning)), ""},
		{"in capitals", pin, ca.sender(t, names("SBC1.CONTOSO.COM")), ""},
		{"one of several", pin, ca.sender(t, names("evil.example", "sbc1.contoso.com")), ""},
		{"wildcard", pin, ca.sender(t, names("*.contoso.com")), ""},
		{"address", pin, ca.sender(t, address(net.IPv4(192, 0, 2, 7))), ""},
		{"address of IPv6", pin, ca.sender(t, address(net.ParseIP("2001:db8::7"))), ""},
		{"of an authority between", pin, between.sender(t, same, between), ""},

		{"another name", pin, ca.sender(t, names("evil.example")), "sender-name"},
		{"a name below", pin, ca.sender(t, names("a.sbc1.contoso.com", "sbc1.contoso.com.evil.example")), "sender-name"},
		{"wildcard below", pin, ca.sender(t, names("*.sbc1.contoso.com")), "sender-name"},
		{"another address", pin, ca.sender(t, address(net.IPv4(192, 0, 2, 8))), "sender-name"},
		{"address as a name", pin, ca.sender(t, names("192.0.2.7")), "sender-name"},
		{"common name alone", pin, ca.sender(t, func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "sbc1.contoso.com"} }), "sender-name"},
		{"expired", pin, ca.sender(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "certificate"},
		{"not yet valid", pin, ca.sender(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "certificate"},
		{"of another authority", pin, other.sender(t, same), "certificate"},
		{"of itself", pin, authority{}.sender(t, same), "certificate"},
		{"of an authority between that does not come", pin, between.sender(t, same), "certificate"},
		{"none", pin, tls.Certificate{}, "no-certificate"},

		{"a server's, where no name is asked for", "&client-ca=ca", ca.sender(t, same), "certificate"},
		{"a client's, where no name is asked for", "&client-ca=ca", ca.sender(t, usage(x509.ExtKeyUsageClientAuth)), ""},
		{"of one of the system's authorities", "&sender-name=sbc1.contoso.com", systemAuthority(t).sender(t, same), ""},
		{"of one of the system's authorities, for another name", "&sender-name=sbc1.contoso.com", systemAuthority(t).sender(t, names("evil.example")), "sender-name"},
		{"of none of the system's authorities", "&sender-name=sbc1.contoso.com", ca.sender(t, same), "certificate"},
		{"of one of the system's authorities, where others count", pin, systemAuthority(t).sender(t, same), "certificate"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(test.name+" by "+tls.VersionName(version), func(t *testing.T) {
				r := runTLS(t, p, test.parameters)
				if !r.About().Authenticated {
					t.Error("senders are not authenticated")
				}
				c := tls.Client(r.dial(), clientOf(p, test.cert, version))
				_, _ = c.Write(packet("a"))
				if test.want == "" {
					r.messages(1)
				} else {
					closed(t, c)
					r.until("a refusal", func(s Stats) bool { return turnedAway(s) != "" })
				}
				if got := strings.TrimSuffix(turnedAway(r.Stats()), " 1"); got != test.want {
					t.Errorf("refused: %q, want %q", got, test.want)
				}
				logged := func() string {
					r.mu.Lock()
					defer r.mu.Unlock()
					return r.logs.String()
				}
				for deadline := time.Now().Add(10 * time.Second); test.want != "" && logged() == "" && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond) // the log line comes after the count
				}
				if logs := logged(); strings.Contains(logs, "contoso") || strings.Contains(logs, "evil") || strings.Contains(logs, "192.0.2") || (logs == "") != (test.want == "") {
					t.Errorf("logged: %s", logs)
				}
			})
		}
	}
}

func clientOf(p pki, cert tls.Certificate, version uint16) *tls.Config {
	return &tls.Config{
		RootCAs: p.roots, ServerName: "127.0.0.1", MinVersion: version, MaxVersion: version,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil },
	}
}

// TestSenderNameOfSessions checks that a resumed session counts no more than its first certificate:
// not for other names, not for another authority, and not when that has expired.
func TestSenderNameOfSessions(t *testing.T) {
	p := newPKI(t)
	ca, other := newAuthority(t), newAuthority(t)
	pair, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"ca": pemOf(ca.cert), "other": pemOf(other.cert)}
	listen := func(parameters string, late time.Duration) *running {
		return run(t, "hep+tls://127.0.0.1:0?"+parameters, newRecorder(), func(o *Options) {
			o.ReadFile = func(name string) ([]byte, error) { return files[name], nil }
			o.TLS = func(string, string) (*tls.Config, error) {
				c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, Time: func() time.Time { return time.Now().Add(late) }}
				c.SetSessionTicketKeys([][32]byte{{1}}) // the key that a cluster shares
				return c, nil
			}
		})
	}
	cert := ca.sender(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(30 * time.Minute) })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := clientOf(p, cert, version)
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		// send connects and sends until the source has counted what the test waits for.
		send := func(r *running, f func(s Stats) bool) bool {
			t.Helper()
			c := tls.Client(r.dial(), conf)
			_, _ = c.Write(packet("a"))
			r.until("an answer", f)
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = c.Read(make([]byte, 1)) // the ticket
			_ = c.Close()
			return c.ConnectionState().DidResume
		}
		good := listen("client-ca=ca&sender-name=sbc1.contoso.com", 0)
		for i := range 2 {
			resumed := send(good, func(s Stats) bool { return s.Messages == uint64(i)+1 })
			if resumed != (i > 0) {
				t.Errorf("%s: connection %d resumed a session: %t", tls.VersionName(version), i, resumed)
			}
		}
		for _, test := range []struct {
			parameters string
			late       time.Duration
			want       string
		}{
			{"client-ca=ca&sender-name=sbc2.contoso.com", 0, "sender-name 1"},
			{"client-ca=other&sender-name=sbc1.contoso.com", 0, "certificate 1"},
			{"client-ca=ca&sender-name=sbc1.contoso.com", 45 * time.Minute, "certificate 1"},
		} {
			r := listen(test.parameters, test.late)
			send(r, func(s Stats) bool { return turnedAway(s) != "" })
			if got := turnedAway(r.Stats()); got != test.want || r.Stats().Messages != 0 {
				t.Errorf("%s, %s: refused %q, want %q", tls.VersionName(version), test.parameters, got, test.want)
			}
		}
	}
}

// TestSenderNames checks the forms of names in a URL.
func TestSenderNames(t *testing.T) {
	for list, want := range map[string]string{
		"a": "a", "SBC-1.Contoso.com,a_b.c": "sbc-1.contoso.com a_b.c", "::1, 10.0.0.1": "::1 10.0.0.1",
		"": "", "*": "", "*.a": "", "a.": "", "-a": "", "a..b": "", "a b": "", "sip:a": "", "a:5061": "", "bücher.de": "", strings.Repeat("a", 64): "",
		strings.Repeat("a.", 127) + "a": "",
	} {
		got, err := senderNames(list)
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", list, got, err)
		}
	}
	systemAuthority(t)
	if _, err := New(&url.URL{Scheme: "hep+tls", Host: ":1", RawQuery: "sender-name=a"}, Options{TLS: func(string, string) (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS12}, nil }}); err != nil {
		t.Errorf("without client-ca: %v", err)
	}
}

// TestSenderIsTold checks that the events of a sender with a certificate go to the sink for its
// names, and those of one without to the sink of Run.
func TestSenderIsTold(t *testing.T) {
	ca := newAuthority(t)
	p := newPKI(t)
	files := map[string][]byte{"cert": p.cert, "key": p.key, "ca": pemOf(ca.cert)}
	other, asked := newRecorder(), make(chan []string, 2)
	r := run(t, "hep+tls://127.0.0.1:0?cert=cert&key=key&client-ca=ca&client-cert=optional", newRecorder(), func(o *Options) {
		o.ReadFile = func(name string) ([]byte, error) { return files[name], nil }
		o.From = func(names []string) call.Sink {
			asked <- names
			return other
		}
	})
	send := func(call string, certs ...tls.Certificate) {
		conf := &tls.Config{RootCAs: p.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, Certificates: certs}
		r.send(tls.Client(r.dial(), conf), packet(call))
	}
	send("a")
	r.messages(1)
	send("b", ca.sender(t, func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = []string{"sbc1.contoso.com", "sbc2.contoso.com"}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}))
	r.messages(2)
	if got := <-asked; !slices.Equal(got, []string{"sbc1.contoso.com", "sbc2.contoso.com"}) || len(asked) > 0 {
		t.Errorf("asked for %q, and %d times more", got, len(asked))
	}
	for sink, want := range map[*recorder]string{r.sink: "a", other: "b"} {
		sink.mu.Lock()
		if _, ok := sink.dumps[want]; !ok || len(sink.dumps) != 1 {
			t.Errorf("%v came where %s should", sink.dumps, want)
		}
		sink.mu.Unlock()
	}
}

// TestNamesOf: a certificate bears the names in its subject alternative name; its common name only
// if it has none at all, and if that is a host's.
func TestNamesOf(t *testing.T) {
	for _, c := range []struct {
		name string
		cert x509.Certificate
		want []string
	}{
		{"names", x509.Certificate{DNSNames: []string{"sbc1.contoso.com", "*.contoso.com"}, Subject: pkix.Name{CommonName: "other.contoso.com"}}, []string{"sbc1.contoso.com", "*.contoso.com"}},
		{"common name alone", x509.Certificate{Subject: pkix.Name{CommonName: "SBC1.contoso.com"}}, []string{"sbc1.contoso.com"}},
		{"wildcard as common name", x509.Certificate{Subject: pkix.Name{CommonName: "*.contoso.com"}}, []string{"*.contoso.com"}},
		{"address beside a common name", x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}, Subject: pkix.Name{CommonName: "sbc1.contoso.com"}}, nil},
		{"mail address beside a common name", x509.Certificate{EmailAddresses: []string{"a@contoso.com"}, Subject: pkix.Name{CommonName: "sbc1.contoso.com"}}, nil},
		{"common name that is none of a host", x509.Certificate{Subject: pkix.Name{CommonName: "SBC of Contoso"}}, nil},
		{"nothing", x509.Certificate{}, nil},
	} {
		if got := namesOf(&c.cert); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
