package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/test/kit"
)

// expiredSender returns a certificate of the authority of senders in a data folder that is valid no
// more.
func expiredSender(t *testing.T, data, name string) tls.Certificate {
	t.Helper()
	authority, err := tls.LoadX509KeyPair(filepath.Join(data, "tls", "senders.pem"), filepath.Join(data, "tls", "senders.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Minute), NotAfter: time.Now().Add(-time.Minute),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority.Leaf, key.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestSendersWhileTenantsChange: what a sender may say is asked of each message. An agent stays
// connected while the tenant that has named it is renamed, removed and added again, and another
// wants its trunk; a certificate that has expired does not connect.
func TestSendersWhileTenantsChange(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	const two, trunk = "1a2b3c4d-0000-4000-8000-0000000000b1", "sbc.beta.example"
	must(t, "", "tenant", "add", "one", "--data", data, "--id", "1a2b3c4d-0000-4000-8000-0000000000a1", "--trunk", "sbc.alfa.example")
	must(t, "", "tenant", "add", "two", "--data", data, "--id", two, "--trunk", trunk)
	must(t, "", "tenant", "add", "three", "--data", data, "--id", "1a2b3c4d-0000-4000-8000-0000000000c1")
	must(t, "", "tenant", "set", "two", "--data", data, "--sender-name", "agent.example="+trunk, "--yes")
	must(t, "", "source", "cert", "agent.example", "--data", data, "--out", dir)
	agent, err := tls.LoadX509KeyPair(filepath.Join(dir, "agent.example.pem"), filepath.Join(dir, "agent.example.key"))
	if err != nil {
		t.Fatal(err)
	}
	listen := kit.FreeAddress(t)
	s := start(t, data, "--source", "shared=hep+tls://"+listen+"?client-cert=required")
	roots, err := kit.Roots(filepath.Join(data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	connect := func(c tls.Certificate) *tls.Conn {
		t.Helper()
		conn, err := tls.Dial("tcp", listen, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(10 * patience))
		return conn
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not so:\n%s", what, s.Log)
			}
		}
	}

	expired := connect(expiredSender(t, data, trunk))
	_, _ = expired.Write(bytes.Join(aCall("expired", trunk, time.Now().Add(-time.Hour)), nil))
	until("that an expired certificate is refused", func() bool {
		return strings.Contains(s.Log.String(), `"cause":"certificate"`) && strings.Contains(s.Log.String(), "expired")
	})

	conn, began := connect(agent), time.Now().Add(-3*time.Hour).Truncate(time.Second)
	tell := func(id string) {
		t.Helper()
		began = began.Add(10 * time.Minute)
		if _, err := conn.Write(bytes.Join(aCall(id, trunk, began), nil)); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(tenant string, n int) func() bool {
		return func() bool {
			out := must(t, "", "calls", "list", "--data", data, "--tenant", tenant, "--from", "-4h", "-o", "jsonl")
			return strings.Count(out, "\n") == n
		}
	}
	refused := func() (n uint64) {
		var all []admin.SourceStatus
		if err := json.Unmarshal([]byte(must(t, "", "source", "list", "--data", data, "-o", "json")), &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if n += s.Refused; s.Name == "shared" && s.Authority != admin.OfSender {
				t.Fatalf("its authority is %s", s.Authority)
			}
		}
		return n
	}

	tell("named")
	until("the call of a trunk that the tenant has named", rows("two", 1))
	must(t, "", "tenant", "set", "two", "--data", data, "--name", "zwei", "--yes")
	tell("renamed")
	until("the call of a tenant that was renamed", rows("zwei", 2))

	// The trunk is the tenant's, whoever else wants it.
	for _, args := range [][]string{
		{"tenant", "set", "three", "--data", data, "--trunk", strings.ToUpper(trunk), "--yes"},
		{"tenant", "set", "three", "--data", data, "--sender-name", "agent.example=" + trunk, "--yes"},
	} {
		if _, errs, code := command(t, "", args...); code == 0 || !strings.Contains(strings.ToLower(errs), trunk) {
			t.Errorf("%q: exit code %d, %s", args, code, errs)
		}
	}
	tell("claimed")
	until("the call of a trunk that another tenant wants", rows("zwei", 3))
	if n := refused(); n != 0 {
		t.Errorf("%d messages were refused, want none", n)
	}

	must(t, "", "tenant", "remove", "zwei", "--data", data, "--keep-rows", "--yes")
	tell("nobody's")
	until("the call of a trunk that is nobody's", rows("unassigned", 1))
	must(t, "", "tenant", "add", "two", "--data", data, "--id", two, "--trunk", trunk)
	tell("again")
	until("that a tenant which was added again has named nobody", func() bool { return refused() == 3 })
	if !rows("two", 3)() {
		t.Error("the agent has changed the rows of a tenant that has not named it")
	}
	until("the warning", func() bool {
		return strings.Contains(s.Log.String(), `"source":"shared","sender":"agent.example","trunk":"`+trunk+`"`) && strings.Contains(s.Log.String(), "--sender-name")
	})
	must(t, "", "tenant", "set", "two", "--data", data, "--sender-name", "agent.example="+trunk, "--yes")
	tell("named again")
	until("the call of a trunk that was named again", rows("two", 4))
	if n := refused(); n != 3 {
		t.Errorf("%d messages were refused, want 3", n)
	}

	// Where the trunk goes to another tenant, what was named for the first is void.
	must(t, "", "tenant", "set", "two", "--data", data, "--remove-trunk", trunk, "--yes")
	must(t, "", "tenant", "set", "three", "--data", data, "--trunk", trunk, "--yes")
	tell("another's")
	until("that the new owner of a trunk has named nobody", func() bool { return refused() == 6 })
	if !rows("three", 0)() || !rows("two", 4)() {
		t.Error("the agent has added rows for a trunk that went to another tenant")
	}
}
