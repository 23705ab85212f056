package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// aCall returns the HEP packets of a call of 40 seconds from a trunk to Microsoft.
func aCall(id, trunk string, began time.Time) (all [][]byte) {
	const head = "Via: SIP/2.0/TLS %[2]s:5061;branch=z9hG4bK%[1]s\r\nFrom: <sip:+4930111@%[2]s>;tag=f\r\nTo: <sip:+4930222@sip.pstnhub.microsoft.com>%[4]s\r\nCall-ID: %[1]s\r\nCSeq: %[5]s\r\nContact: <sip:%[3]s:5061;transport=tls>\r\nContent-Length: 0\r\n\r\n"
	us, them := netip.MustParseAddrPort("203.0.113.10:5061"), netip.MustParseAddrPort("52.114.76.76:5061")
	for _, m := range []struct {
		after         time.Duration
		from, to      netip.AddrPort
		line, contact string
		tag, cseq     string
	}{
		{0, us, them, "INVITE sip:+4930222@sip.pstnhub.microsoft.com:5061;transport=tls SIP/2.0", trunk, "", "1 INVITE"},
		{2 * time.Second, them, us, "SIP/2.0 200 OK", "api-du-a.pstnhub.microsoft.com", ";tag=t", "1 INVITE"},
		{42 * time.Second, us, them, "BYE sip:api-du-a.pstnhub.microsoft.com:5061 SIP/2.0", trunk, ";tag=t", "2 BYE"},
	} {
		p := hep.Packet{At: began.Add(m.after), Src: m.from, Dst: m.to, Protocol: 6, Type: 1, Agent: 2001, Payload: []byte(m.line + "\r\n" + fmt.Sprintf(head, id, trunk, m.contact, m.tag, m.cseq))}
		all = append(all, p.Append(nil))
	}
	return all
}

// TestSenders: what senders tell at a listener that two tenants share counts for the trunks whose
// names their certificates bear, or that the tenants have named for them; all else is refused, and
// said to the operator. The certificates are those of 'source cert'.
func TestSenders(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	alfa, beta := "1a2b3c4d-0000-4000-8000-0000000000a1", "1a2b3c4d-0000-4000-8000-0000000000b1"
	must(t, "", "tenant", "add", "one", "--data", data, "--id", alfa, "--trunk", "sbc.alfa.example")
	must(t, "", "tenant", "add", "two", "--data", data, "--id", beta, "--trunk", "*.beta.example")
	issue := func(house, name string) tls.Certificate {
		t.Helper()
		out := filepath.Join(dir, strings.ReplaceAll(name, "*", "_"))
		must(t, "", "source", "cert", name, "--data", filepath.Join(dir, house), "--out", dir)
		c, err := tls.LoadX509KeyPair(out+".pem", out+".key")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	senders := map[string]tls.Certificate{}
	for _, name := range []string{"sbc.alfa.example", "sbc7.beta.example", "agent.carrier.example", "*.proxy.example"} {
		senders[name] = issue("data", name)
	}
	must(t, "", "tenant", "add", "other", "--data", filepath.Join(dir, "other"), "--id", alfa)
	senders["foreign"] = issue("other", "sbc9.beta.example")

	listen, monitor := kit.FreeAddress(t), kit.FreeAddress(t)
	s := start(t, data, "--admin-listen", monitor, "--source", "shared=hep+tls://"+listen+"?client-cert=required")
	roots, err := kit.Roots(filepath.Join(data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	tell := func(sender, id, trunk string) {
		t.Helper()
		c, err := tls.Dial("tcp", listen, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c := senders[sender]
			return &c, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(bytes.Join(aCall(id, trunk, began), nil)); err == nil {
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		}
	}
	// The first two speak for themselves, and the others for nobody yet.
	tell("sbc.alfa.example", "own-a", "sbc.alfa.example")
	tell("sbc7.beta.example", "own-b", "sbc7.beta.example")
	tell("sbc.alfa.example", "false-1", "sbc7.beta.example")
	tell("sbc7.beta.example", "false-2", "sbc8.beta.example")
	tell("agent.carrier.example", "false-3", "sbc.alfa.example")
	tell("*.proxy.example", "false-4", "sbc8.beta.example")
	tell("foreign", "false-5", "sbc9.beta.example")
	must(t, "", "tenant", "set", "one", "--data", data, "--sender-name", "agent.carrier.example=sbc.alfa.example", "--yes")
	must(t, "", "tenant", "set", "two", "--data", data, "--sender-name", "*.proxy.example=*.beta.example", "--yes")
	tell("agent.carrier.example", "named-a", "sbc.alfa.example")
	tell("agent.carrier.example", "false-6", "sbc8.beta.example")
	tell("*.proxy.example", "named-b", "sbc8.beta.example")
	// What is taken back is taken back at once, and a tenant that is there again begins anew.
	must(t, "", "tenant", "set", "one", "--data", data, "--remove-sender-name", "agent.carrier.example", "--name", "one-ag", "--yes")
	tell("agent.carrier.example", "false-7", "sbc.alfa.example")
	tell("sbc.alfa.example", "renamed", "sbc.alfa.example")

	trunks := func(tenant string) string {
		return must(t, "", "calls", "list", "--data", data, "--tenant", tenant, "--from", "-3h", "-o", "csv", "--columns", "trunk,seconds")
	}
	want := map[string][]string{
		"one-ag":     {"sbc.alfa.example,40", "sbc.alfa.example,40", "sbc.alfa.example,40"},
		"two":        {"sbc7.beta.example,40", "sbc8.beta.example,40"},
		"unassigned": nil,
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		wrong := ""
		for tenant, rows := range want {
			if got := trunks(tenant); strings.Count(got, "\n")-1 != len(rows) {
				wrong += fmt.Sprintf("%s has\n%s, want %q\n", tenant, got, rows)
			}
		}
		if wrong == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(wrong, s.Log)
		}
	}
	_, metrics, err := getPlain(t, "http://"+monitor+"/metrics")
	if err != nil || !strings.Contains(metrics, `trunklog_fold_messages_total{outcome="refused"} 18`+"\n") {
		t.Errorf("%v: want the 18 messages of 6 calls refused in\n%s", err, metrics)
	}
	for sender, trunk := range map[string]string{"sbc.alfa.example": "sbc7.beta.example", "sbc7.beta.example": "sbc8.beta.example", "agent.carrier.example": "sbc8.beta.example", "*.proxy.example": "sbc8.beta.example"} {
		if want := fmt.Sprintf(`"source":"shared","sender":%q,"trunk":%q,"do":`, sender, trunk); !strings.Contains(s.Log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, s.Log)
		}
	}
	if !strings.Contains(s.Log.String(), `"cause":"certificate"`) {
		t.Errorf("the log lacks the sender of another authority:\n%s", s.Log)
	}
}

// TestToldBy: what senders without proof have told can be left out of a question, and asked for alone.
func TestToldBy(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	must(t, "", "tenant", "add", "one", "--data", data, "--id", contosoID, "--trunk", "sbc1.contoso.com")
	listen := kit.FreeAddress(t)
	start(t, data, "--source", "tap=hep+udp://"+listen)
	sendAll(t, "udp", listen, aCall("heard", "sbc1.contoso.com", time.Now().Add(-time.Hour)))
	record := `{"id":"1a2b3c4d-0000-4000-8000-00000000beef","callerNumber":"+4930999","trunkFullyQualifiedDomainName":"sbc1.contoso.com","startDateTime":"` + time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339) + `"}`
	must(t, record, "import", "graph", "--data", data, "--tenant", "one", "-")
	ask := func(args ...string) string {
		return must(t, "", append([]string{"calls", "list", "--data", data, "-o", "csv", "--columns", "caller", "--from", "-1d"}, args...)...)
	}
	const title = "caller\n"
	for deadline := time.Now().Add(patience); !strings.Contains(ask(), "+4930111"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the call that was heard is not there:\n%s", ask())
		}
	}
	for toldBy, want := range map[string]string{"proven": title + "+4930999\n", "hearsay": title + "+4930111\n"} {
		if got := ask("--told-by", toldBy); got != want {
			t.Errorf("--told-by %s:\n%s, want\n%s", toldBy, got, want)
		}
		if got := strings.TrimSpace(must(t, "", "calls", "count", "--data", data, "--told-by", toldBy)); got != "1" {
			t.Errorf("--told-by %s counts %s", toldBy, got)
		}
	}
	if _, stderr, code := command(t, "", "calls", "count", "--data", data, "--told-by", "me"); code != 2 || !strings.Contains(stderr, "proven and hearsay are possible") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
