package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// A crowd is a server that takes 40 connections, and those who want them.
type crowd struct {
	*testing.T
	*server
	data, token, hep string
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{T: t, data: filepath.Join(t.TempDir(), "data")}
	_, c.token = newTenant(t, c.data, "contoso", contosoID)
	c.hep = kit.FreeAddress(t)
	c.server = start(t, c.data, "--max-connections", "40", "--source", "sbc1=hep+tcp://"+c.hep)
	return c
}

// connect connects from an address of loopback, and says something if the server
// still wants to hear it.
func (c *crowd) connect(from, to, says string) net.Conn {
	c.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	nc, err := d.DialContext(c.Context(), "tcp", to)
	if err != nil {
		c.Fatal(err)
	}
	if says != "" && to == c.addr {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // these are the strangers
	}
	c.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	_, _ = nc.Write([]byte(says))
	return nc
}

// come has one after another connect, each from an address of its own.
func (c *crowd) come(n int, net byte, to, says string) {
	c.Helper()
	for i := range n {
		c.connect(fmt.Sprintf("127.0.%d.%d", net, i+1), to, says)
	}
}

// good checks that a client gets an answer on a new connection.
func (c *crowd) good(when string) {
	c.Helper()
	c.http.CloseIdleConnections()
	if res, body := c.do(c.T, http.MethodGet, logPath, c.token); res.StatusCode != http.StatusOK {
		c.Errorf("%s: status %d: %s", when, res.StatusCode, body)
	}
	if n := c.metric(c.T, "trunklog_connections"); n > 40 {
		c.Errorf("%s: %d connections are open", when, n)
	}
}

func (c *crowd) wait(metric string, least int) {
	c.Helper()
	for deadline := time.Now().Add(patience); c.metric(c.T, metric) < least; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("%s is %d, want %d", metric, c.metric(c.T, metric), least)
		}
	}
}

// heard is a packet that is understood.
var heard = func() string {
	p := hep.Packet{At: time.Now(), Src: netip.MustParseAddrPort("10.0.0.1:5060"), Dst: netip.MustParseAddrPort("10.0.0.2:5060"), Protocol: 17}
	p.Payload = []byte("OPTIONS sip:x SIP/2.0\r\nCall-ID: crowd\r\nCSeq: 1 OPTIONS\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\r\n")
	return string(p.Append(nil))
}()

// TestConnections: strangers who connect and say nothing, from one address or
// from many, to the port of clients or to that of SBCs, do not keep anybody out.
func TestConnections(t *testing.T) {
	kit.Long(t)
	c := newCrowd(t)
	for i := range 60 {
		c.connect("127.0.0.2", []string{c.addr, c.hep}[i%2], "")
	}
	c.wait(limited("connections-of-address"), 44)
	c.good("one address has all that it may")
	c.come(60, 1, c.addr, "")
	c.wait(limited("idle-connections"), 30)
	c.good("all addresses have all")
	c.come(60, 2, c.hep, "")
	c.wait(limited("idle-connections"), 70)
	c.good("all addresses have all of the other port, too")
	c.connect("127.0.0.3", c.hep, heard)
	c.wait(`trunklog_hep_packets_total{source="sbc1"}`, 1)
}

// TestSendersAndClients: neither those who send what is understood nor those who
// have a token and are slow have all connections.
func TestSendersAndClients(t *testing.T) {
	kit.Long(t)
	t.Run("senders", func(t *testing.T) {
		c := newCrowd(t)
		c.come(20, 1, c.hep, heard)
		c.wait(`trunklog_hep_messages_total{source="sbc1"}`, 20)
		c.come(40, 3, c.hep, heard)
		c.wait(limited("connections"), 40)
		c.good("SBCs have all that they may")
		c.come(30, 2, c.addr, "")
		c.wait(limited("idle-connections"), 10)
		c.good("strangers have the rest")
	})
	t.Run("clients", func(t *testing.T) {
		c := newCrowd(t)
		token := newPusher(t, c.data, "contoso")
		slow := "POST /ingest/v1/calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/jsonl\r\nContent-Length: 1000\r\n\r\n"
		c.come(30, 1, c.addr, slow)
		c.wait("trunklog_push_active_requests", 30)
		c.come(30, 3, c.addr, slow)
		c.wait(limited("connections"), 30)
		c.come(60, 2, c.hep, "")
		c.wait(limited("idle-connections"), 50)
		c.connect("127.0.0.3", c.hep, heard)
		c.wait(`trunklog_hep_packets_total{source="sbc1"}`, 1)
	})
}

// TestSlowStrangers: who has shown no token keeps no connection, whatever request
// is under way on it; who has keeps it.
func TestSlowStrangers(t *testing.T) {
	kit.Long(t)
	c := newCrowd(t)
	id, _ := newTenant(t, c.data, "fabrikam", fabrikamID)
	const head, row = "POST /ingest/v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonl\r\nContent-Length: 54\r\nAuthorization: Bearer ", `{"id":"slow-1","startDateTime":"2026-10-01T00:00:00Z"}`
	slow := c.connect("127.0.0.4", c.addr, head+newPusher(t, c.data, "contoso")+"\r\n\r\n")
	c.wait("trunklog_push_active_requests", 1)
	for i, request := range []string{
		"POST /fabrikam/oauth2/v2.0/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant_type=",
		strings.Replace(head, "/ingest/v1/calls", "/fabrikam/oauth2/v2.0/token", 1) + "nonsense\r\n\r\n{",
	} {
		began := time.Now()
		c.come(60, byte(i+1), c.addr, request)
		c.good("strangers are slow")
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id.ClientID}, "client_secret": {id.ClientSecret}, "scope": {"api://trunklog/.default"}}
		c.http.CloseIdleConnections()
		res, err := c.http.PostForm("https://"+c.addr+"/fabrikam/oauth2/v2.0/token", form)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("a token: status %d", res.StatusCode)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Logf("after %v the first strangers were gone anyway", took)
		}
	}
	_, _ = io.WriteString(slow, row)
	if status, err := bufio.NewReader(slow).ReadString('\n'); err != nil || !strings.Contains(status, " 200 ") {
		t.Errorf("who is slow and has a token: %q, %v", status, err)
	}
}

// TestFewBodies: those whose slow bodies are all that may be read at once shut out
// no tenant, and a client that has all that it may no other of its tenant.
func TestFewBodies(t *testing.T) {
	kit.Long(t)
	data := filepath.Join(t.TempDir(), "data")
	var tokens []string
	for i := range 6 {
		name := fmt.Sprint("tenant", i)
		must(t, "", "tenant", "add", name, "--data", data, "--id", call.NameGUID(name).String())
		tokens = append(tokens, newPusher(t, data, name), newPusher(t, data, name))
	}
	plain := kit.FreeAddress(t) // quick, so that the first are still slow when the last come
	c := &crowd{T: t, server: start(t, data, "--listen-http", plain)}
	const row = `{"id":"few-1","startDateTime":"2026-10-01T00:00:00Z"}`
	blank := strings.Repeat("\n", 40_000) // it is as long as a body of 40 s must be
	active := 0
	for i, token := range tokens[:10] {
		if i%2 == 1 || i == 0 {
			if status, answer, _, err := c.deliver(t.Context(), tokens[i], row); status != http.StatusOK {
				t.Fatalf("client %d is shut out: status %d, %v: %s", i, status, err, answer)
			}
		}
		for range 128 {
			c.connect("127.0.0.1", plain, "POST /ingest/v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/jsonl\r\nContent-Length: 50000\r\nAuthorization: Bearer "+token+"\r\n\r\n"+blank)
		}
		active += []int{96, 32}[i%2]
		if i >= 8 {
			active = 512 + 4*16 + []int{12, 16}[i%2]
		}
		c.wait("trunklog_push_active_requests", active)
	}
	if status, answer, _, err := c.deliver(t.Context(), tokens[10], row); status != http.StatusOK {
		t.Errorf("who has none is shut out: status %d, %v: %s", status, err, answer)
	}
	c.wait(`trunklog_push_requests_total{outcome="busy"}`, 10*128-active)
	if n := c.metric(t, "trunklog_push_active_requests"); n != active {
		t.Errorf("%d bodies are read, want %d", n, active)
	}
}
