package hep

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestNew reads good and bad URLs.
func TestNew(t *testing.T) {
	pki := newPKI(t)
	files := map[string][]byte{"key": []byte("  from a file\n"), "blank": []byte(" \n"), "cert.pem": pki.cert, "key.pem": pki.key, "ca.pem": pki.ca, "junk": []byte("junk")}
	read := func(name string) ([]byte, error) {
		b, ok := files[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return b, nil
	}
	const pair = "cert=cert.pem&key=key.pem"
	for _, test := range []struct{ url, want string }{
		{"hep+udp://127.0.0.1:9060", `udp 127.0.0.1:9060 tenant "" key "" idle 30s connections 10000`},
		{"hep+tcp://:9060?tenant=contoso", `tcp :9060 tenant "contoso" key "" idle 30s connections 10000`},
		{"hep+tcp://[::1]:9060/?auth=se%20cret&idle=1m&connections=5", `tcp [::1]:9060 tenant "" key "se cret" idle 1m0s connections 5`},
		{"hep+udp://a:1?auth-file=key", `udp a:1 tenant "" key "from a file" idle 30s connections 10000`},
		{"hep+tls://:1?" + pair, `tls :1 tenant "" key "" idle 30s connections 10000 tls`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem", `tls :1 tenant "" key "" idle 30s connections 10000 tls authenticated`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&client-cert=required", `tls :1 tenant "" key "" idle 30s connections 10000 tls authenticated`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&client-cert=optional&auth=x", `tls :1 tenant "" key "x" idle 30s connections 10000 tls`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&sender-name=SBC1.contoso.com,%20192.0.2.1,2001:db8::1", `tls :1 tenant "" key "" idle 30s connections 10000 tls authenticated`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&sender-name=localhost&client-cert=required", `tls :1 tenant "" key "" idle 30s connections 10000 tls authenticated`},

		{"hep://:1", `source hep://:1: invalid: unknown kind "hep": hep+udp, hep+tcp and hep+tls are possible`},
		{"hep+sctp://:1", `source hep+sctp://:1: invalid: unknown kind "hep+sctp": hep+udp, hep+tcp and hep+tls are possible`},
		{"hep+udp://127.0.0.1", `source hep+udp://127.0.0.1: invalid: "127.0.0.1" is not HOST:PORT, such as 127.0.0.1:9060, or :9060 for all addresses`},
		{"hep+udp://127.0.0.1:", `source hep+udp://127.0.0.1:: invalid: "127.0.0.1:" is not HOST:PORT, such as 127.0.0.1:9060, or :9060 for all addresses`},
		{"hep+udp::9060", `source hep+udp://: invalid: "" is not HOST:PORT, such as 127.0.0.1:9060, or :9060 for all addresses`},
		{"hep+udp://:1/path", `source hep+udp://:1: invalid: there must be nothing but HOST:PORT and parameters behind ?`},
		{"hep+udp://user:secret@:1", `source hep+udp://:1: invalid: there must be nothing but HOST:PORT and parameters behind ?`},
		{"hep+udp://:1#x", `source hep+udp://:1: invalid: there must be nothing but HOST:PORT and parameters behind ?`},
		{"hep+udp://:1?key=secret", `source hep+udp://:1: invalid: unknown parameter "key": auth, auth-file, microsoft, tenant, trunk are possible`},
		{"hep+udp://:1?idle=1s", `source hep+udp://:1: invalid: unknown parameter "idle": auth, auth-file, microsoft, tenant, trunk are possible`},
		{"hep+tcp://:1?tennant=x", `source hep+tcp://:1: invalid: unknown parameter "tennant": auth, auth-file, connections, idle, microsoft, tenant, trunk are possible`},
		{"hep+tls://:1?x=y", `source hep+tls://:1: invalid: unknown parameter "x": auth, auth-file, cert, client-ca, client-cert, connections, idle, key, microsoft, sender-name, tenant, trunk are possible`},
		{"hep+udp://:1?microsoft=10.0.0.1,sip.example", `source hep+udp://:1: invalid: microsoft: "sip.example" is neither an address nor a network such as 52.112.0.0/14`},
		{"hep+udp://:1?auth=secret&auth=secret", `source hep+udp://:1: invalid: auth is there 2 times`},
		{"hep+udp://:1?auth=", `source hep+udp://:1: invalid: auth is empty`},
		{"hep+udp://:1?auth=secret&auth-file=key", `source hep+udp://:1: invalid: auth and auth-file exclude each other`},
		{"hep+udp://:1?auth-file=blank", `source hep+udp://:1: invalid: auth-file: blank is empty`},
		{"hep+udp://:1?auth-file=none", `source hep+udp://:1: auth-file: open none: file does not exist`},
		{"hep+udp://:1?auth=secret%zz", `source hep+udp://:1: invalid: the parameters cannot be read: a % must be followed by two hexadecimal digits, and there must be no semicolon`},
		{"hep+tcp://:1?idle=30", `source hep+tcp://:1: invalid: idle: "30" is not a length of time such as 30s`},
		{"hep+tcp://:1?idle=-1s", `source hep+tcp://:1: invalid: idle: "-1s" is not a length of time such as 30s`},
		{"hep+tcp://:1?connections=0", `source hep+tcp://:1: invalid: connections: "0" is not a number above 0`},
		{"hep+tcp://:1?connections=many", `source hep+tcp://:1: invalid: connections: "many" is not a number above 0`},
		{"hep+tls://:1", `source hep+tls://:1: invalid: cert and key are missing`},
		{"hep+tls://:1?cert=cert.pem", `source hep+tls://:1: invalid: cert and key belong together`},
		{"hep+tls://:1?cert=none&key=key.pem", `source hep+tls://:1: cert: open none: file does not exist`},
		{"hep+tls://:1?cert=cert.pem&key=none", `source hep+tls://:1: key: open none: file does not exist`},
		{"hep+tls://:1?cert=junk&key=key.pem", `source hep+tls://:1: invalid: cert junk and key key.pem: tls: failed to find any PEM data in certificate input`},
		{"hep+tls://:1?" + pair + "&client-cert=required", `source hep+tls://:1: invalid: client-cert needs client-ca or sender-name: there is no server here whose own authority would count`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&client-cert=maybe", `source hep+tls://:1: invalid: client-cert: "maybe" is neither required nor optional`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&client-cert=optional&sender-name=a", `source hep+tls://:1: invalid: sender-name and client-cert=optional exclude each other: without a certificate there is no name`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&sender-name=a,*.b", `source hep+tls://:1: invalid: sender-name: "*.b" is neither a DNS name such as sbc1.contoso.com nor an address; write each name out: a certificate for *.contoso.com stands for it as well`},
		{"hep+tls://:1?" + pair + "&client-ca=ca.pem&sender-name=a,", `source hep+tls://:1: invalid: sender-name: "" is neither a DNS name such as sbc1.contoso.com nor an address; write each name out: a certificate for *.contoso.com stands for it as well`},
		{"hep+tls://:1?" + pair + "&client-ca=none&sender-name=a", `source hep+tls://:1: client-ca: open none: file does not exist`},
		{"hep+tcp://:1?sender-name=a", `source hep+tcp://:1: invalid: unknown parameter "sender-name": auth, auth-file, connections, idle, microsoft, tenant, trunk are possible`},
		{"hep+tls://:1?" + pair + "&client-ca=junk", `source hep+tls://:1: invalid: client-ca: junk holds no certificate in PEM`},
		{"hep+tls://:1?" + pair + "&client-ca=none", `source hep+tls://:1: client-ca: open none: file does not exist`},
	} {
		u, err := url.Parse(test.url)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		s, err := New(u, Options{ReadFile: read})
		switch {
		case err != nil:
			got = err.Error()
			if strings.Contains(got, "secret") {
				t.Errorf("%s: the error tells the secret", test.url)
			}
			if errors.Is(err, call.ErrInvalid) == errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", test.url, err)
			}
		default:
			got = fmt.Sprintf("%s %s tenant %q key %q idle %v connections %d", s.network, s.host, s.About().Tenant, s.key, s.idle, s.connections)
			if s.tls != nil {
				got += " tls"
			}
			if s.About().Authenticated {
				got += " authenticated"
			}
		}
		if got != test.want {
			t.Errorf("%s:\n%s, want\n%s", test.url, got, test.want)
		}
	}
}

// TestOwnTLS checks that a source gets the server's own certificate.
func TestOwnTLS(t *testing.T) {
	var asked []string
	mine := &tls.Config{NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13}
	o := Options{TLS: func(cert, key string) (*tls.Config, error) {
		asked = append(asked, cert+" "+key)
		if cert == "bad" {
			return nil, errors.New("no such certificate")
		}
		return mine, nil
	}}
	s, err := New(testURL(t, "hep+tls://:1"), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.tls == mine || len(s.tls.NextProtos) != 0 || s.tls.MinVersion != tls.VersionTLS13 || len(mine.NextProtos) != 1 {
		t.Errorf("%+v of %+v", s.tls, mine)
	}
	if _, err := New(testURL(t, "hep+tls://:1?cert=a&key=b"), o); err != nil {
		t.Error(err)
	}
	if _, err := New(testURL(t, "hep+tls://:1?cert=bad&key=b"), o); err == nil || err.Error() != "source hep+tls://:1: no such certificate" {
		t.Error(err)
	}
	if got := fmt.Sprintf("%q", asked); got != `[" " "a b" "bad b"]` {
		t.Errorf("asked for %s", got)
	}
}

// TestDefaults checks that a source works without options.
func TestDefaults(t *testing.T) {
	s, err := New(testURL(t, "hep+udp://127.0.0.1:0"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(s.o.Now()); d < 0 || d > time.Minute || s.o.Log == nil || s.o.ReadFile == nil {
		t.Errorf("%+v", s.o)
	}
	s.refuse(Magic, netip.AddrPort{}, nil, nil)
	var _ call.Source = s
}

// TestTrunk checks the trunk and Microsoft's addresses in a URL.
func TestTrunk(t *testing.T) {
	s, err := New(testURL(t, "hep+udp://:1?trunk=sbc1.contoso.com&microsoft=10.0.0.1,10.1.0.0/16,::1"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.About().Trunk, s.About().Microsoft); got != "sbc1.contoso.com[10.0.0.1/32 10.1.0.0/16 ::1/128]" {
		t.Error(got)
	}
}
