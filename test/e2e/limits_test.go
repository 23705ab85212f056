package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/datadir"
)

// metric returns the value of a metric of the running server, as its socket
// shows it.
func (s *server) metric(t *testing.T, name string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", datadir.Socket(s.data))
	}}}
	res, err := client.Get("http://localhost/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\d+)$`).FindSubmatch(body)
	if found == nil {
		t.Fatalf("there is no metric %s", name)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func limited(limit string) string { return fmt.Sprintf("trunklog_limited_total{limit=%q}", limit) }

// TestLongHeaders: more than 32 KiB of headers are refused before the token is
// looked at, in Graph's words.
func TestLongHeaders(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, token := newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	if res, body := s.do(t, http.MethodGet, logPath, token, "X-Long", strings.Repeat("x", 30<<10)); res.StatusCode != http.StatusOK {
		t.Errorf("30 KiB: status %d: %s", res.StatusCode, body)
	}
	res, body := s.do(t, http.MethodGet, logPath, "nonsense", "X-Long", strings.Repeat("x", 40<<10))
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("40 KiB: status %d: %s", res.StatusCode, body)
	}
	checkGraphError(t, res, body)
	if n := s.metric(t, limited("headers")); n != 1 {
		t.Errorf("%d were counted", n)
	}
	if res, _ := s.do(t, http.MethodGet, logPath+"?x="+strings.Repeat("x", 9<<10), token); res.StatusCode != http.StatusRequestURITooLong || s.metric(t, limited("path")) != 1 {
		t.Errorf("a long path: status %d, %d were counted", res.StatusCode, s.metric(t, limited("path")))
	}
	// What comes to no request is counted when it is closed.
	if n := s.metric(t, limited("no-request")); n != 0 {
		t.Errorf("%d connections without a request were counted", n)
	}
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	for deadline := time.Now().Add(patience); s.metric(t, limited("no-request")) != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a connection without a request is not counted")
		}
	}
}

// TestTrustedProxy: behind a proxy that is named, failures count for who sent
// them; from elsewhere nobody's word is taken. Good credentials are good always.
func TestTrustedProxy(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	c, _ := newTenant(t, data, "contoso", contosoID)
	s := start(t, data, "--trusted-proxy", "127.0.0.0/8")
	ask := func(secret, from string) int {
		t.Helper()
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {secret}, "scope": {"api://trunklog/.default"}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.addr+"/contoso/oauth2/v2.0/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", from)
		res, err := s.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res.StatusCode
	}
	last := 0
	for range 70 {
		last = ask("tlk_wrong", "6.6.6.6, 203.0.113.9")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the seventieth failure gets %d", last)
	}
	if got := ask("tlk_wrong", "203.0.113.9, 203.0.113.10"); got != http.StatusUnauthorized {
		t.Errorf("a failure from elsewhere gets %d", got)
	}
	for range 70 {
		if got := ask(c.ClientSecret, "203.0.113.9"); got != http.StatusOK {
			t.Fatalf("good credentials from there get %d", got)
		}
	}
	if n := s.metric(t, `trunklog_auth_tokens_refused_total{cause="limited"}`); n < 5 {
		t.Errorf("%d were counted", n)
	}
	for _, bad := range [][]string{{"--trusted-proxy", "nonsense"}, {"--max-connections", "-1"}} {
		if _, errs, code := command(t, "", append([]string{"serve", "--data", data}, bad...)...); code != 2 || !strings.Contains(errs, bad[0]) {
			t.Errorf("%v: exit code %d: %s", bad, code, errs)
		}
	}
}

// TestUnknownEverything: questions about tenants that do not exist are refused, and
// what is told of them from memory is not told of a tenant that is added meanwhile.
// That the store is not read for them is counted by TestUnknownIsCheap, in tenant
// and in auth; what good requests get beside them, TestNeighbours in test/bench measures.
func TestUnknownEverything(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, token := newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	for i := range 200 {
		for _, path := range []string{"/nobody-%d/v2.0/.well-known/openid-configuration", "/nobody-%d/discovery/v2.0/keys"} {
			if res, body := s.do(t, http.MethodGet, fmt.Sprintf(path, i), ""); res.StatusCode != http.StatusBadRequest {
				t.Fatalf("status %d: %s", res.StatusCode, body)
			}
		}
	}
	// A tenant that is added meanwhile is there at once.
	must(t, "", "tenant", "add", "fabrikam", "--data", data, "--id", fabrikamID)
	if res, body := s.do(t, http.MethodGet, "/fabrikam/v2.0/.well-known/openid-configuration", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the new tenant: status %d: %s", res.StatusCode, body)
	}
	if res, _ := s.do(t, http.MethodGet, logPath, token); res.StatusCode != http.StatusOK {
		t.Errorf("a good request: status %d", res.StatusCode)
	}
}
