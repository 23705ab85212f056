package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBadRequests: whatever is sent to the running server, the answer is in
// Graph's shape, and good requests go on.
func TestBadRequests(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, token := newTenant(t, data, "contoso", contosoID)
	must(t, canaryRows("calls", 10), "import", "graph", "--data", data, "--tenant", "contoso", "-")
	s := start(t, data)
	many := strings.Repeat("&a=1", 100_000)
	long := strings.Repeat("x", 8<<10)
	for _, c := range []struct {
		name, path string
		status     int
	}{
		{"8 KB of path", "/v1.0/" + long, http.StatusRequestURITooLong},
		{"7 KB of query", logPath + "?x=" + long[:7<<10], http.StatusOK},
		{"8 KB of query", logPath + "?x=" + long, http.StatusRequestURITooLong},
		{"6 KB of filter", logPath + "?$filter=" + long[:6<<10], http.StatusBadRequest},
		{"10,000 options", logPath + "?" + many[1:40_000], http.StatusRequestURITooLong},
		{"many options", logPath + "?" + many[1:8000], http.StatusBadRequest},
		{"an option twice", logPath + "?$top=1&$top=2", http.StatusBadRequest},
		{"month 13", "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-13-01,toDateTime=2027-01-01)", http.StatusBadRequest},
		{"no parameters", "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=,toDateTime=)", http.StatusBadRequest},
		{"swapped", "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-11-01,toDateTime=2026-10-01)", http.StatusOK},
		{"unknown function", "/v1.0/communications/callRecords/getAllCalls()", http.StatusBadRequest},
		{"forged token", logPath + "?$skiptoken=AQPoCN3gsRVwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", http.StatusBadRequest},
		{"negative skip", logPath + "?$skip=-1", http.StatusBadRequest},
		{"skip beyond the end", logPath + "?$skip=9223372036854775807", http.StatusOK},
		{"dots", "/v1.0/communications/../communications/callRecords", http.StatusBadRequest},
		{"two slashes", "//v1.0//communications", http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := s.do(t, http.MethodGet, c.path, token)
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d: %.300s", res.StatusCode, c.status, body)
			}
			if res.StatusCode != http.StatusOK {
				checkGraphError(t, res, body)
			}
		})
	}
	if res, _ := s.do(t, http.MethodGet, logPath, token); res.StatusCode != http.StatusOK {
		t.Errorf("a good request afterwards: status %d", res.StatusCode)
	}
}

// checkGraphError fails if an answer is not an error as Graph's clients need it.
func checkGraphError(t *testing.T, res *http.Response, body string) {
	t.Helper()
	var e struct {
		Error struct {
			Code       string
			Message    *string
			InnerError map[string]any `json:"innerError"`
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code == "" || e.Error.Message == nil || e.Error.InnerError["request-id"] != res.Header.Get("request-id") {
		t.Errorf("not an error of Graph: %v: %.300s", err, body)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
}

// TestRawRequests speaks what is no HTTP at all, or too much of it, and bodies
// that lie about themselves.
func TestRawRequests(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, token := newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	tokenPath := "/" + contosoID + "/oauth2/v2.0/token"
	for name, text := range map[string]string{
		"noise":             "\x00\x01\x02\r\n\r\n",
		"bad escapes":       "GET /v1.0/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"no host":           "GET / HTTP/1.1\r\n\r\n",
		"400 KB of options": "GET " + logPath + "?" + strings.Repeat("&a=1", 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"2 MB of headers":   "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 2<<20) + "\r\n\r\n",
		"truncated body":    "POST " + tokenPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type=client",
		"two lengths":       "POST " + tokenPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	} {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, text)
		_ = conn.CloseWrite()
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) && !isReset(err) {
			t.Errorf("%s: %v", name, err)
		}
		if answer != "" && !strings.Contains(answer, " 4") {
			t.Errorf("%s: %q; want a 4xx or nothing", name, answer)
		}
		_ = conn.Close()
	}
	// A body of 10 MB where a form is expected.
	res, err := s.http.Post("https://"+s.addr+tokenPath, "application/x-www-form-urlencoded", strings.NewReader("grant_type="+strings.Repeat("x", 10<<20)))
	if err == nil {
		_ = res.Body.Close()
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("a body of 10 MB: status %d", res.StatusCode)
		}
	}
	if res, _ := s.do(t, http.MethodGet, logPath, token); res.StatusCode != http.StatusOK {
		t.Errorf("a good request afterwards: status %d", res.StatusCode)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// TestExitCodes are what scripts rely on.
func TestExitCodes(t *testing.T) {
	t.Parallel() // it mostly waits for processes
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c, _ := newTenant(t, data, "contoso", contosoID)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	row := `{"id":"00000001-0000-4000-8000-000000000001","startDateTime":"2026-10-01T00:00:00Z"}`
	for _, x := range []struct {
		want  int
		stdin string
		args  []string
	}{
		{0, "", []string{"version"}},
		{0, row, []string{"import", "graph", "--data", data, "--tenant", "contoso", "-"}},
		{5, row + "\nno JSON", []string{"import", "graph", "--data", data, "--tenant", "contoso", "-"}},
		{1, "no JSON", []string{"import", "graph", "--data", data, "--tenant", "contoso", "-"}},
		{2, "", []string{"import", "graph", "--data", data, "--tenant", "nobody", "-"}},
		{1, "", []string{"import", "graph", "--data", data, "--tenant", "contoso", filepath.Join(dir, "nowhere")}},
		{2, "", []string{"calls", "list", "--data", data, "--from", "soon"}},
		{2, "", []string{"calls", "list", "--data", data, "-o", "yaml"}},
		{2, "", []string{"calls", "list", "--nonsense"}},
		{1, "", []string{"calls", "list", "--data", file}},
		{1, "", []string{"calls", "get", "--data", data, "00000002-0000-4000-8000-000000000001"}},
		{4, "", []string{"token", "--data", data, "--client", c.ClientID, "--secret", "wrong"}},
		{2, "", []string{"client", "create", "x", "--data", data, "--role", "Everything"}},
		{1, "", []string{"serve", "--data", file}},
		{2, "", []string{"serve", "--data", data, "--listen", "nonsense"}},
		{2, "", []string{"serve", "--data", data, "--public-url", "http://calls.contoso.com"}},
		{2, "", []string{"serve", "--data", data, "--source", "a=smoke://:1"}},
		{2, "", []string{"serve", "--data", data, "--source", "a=hep+udp://127.0.0.1:0", "--source", "a=hep+tcp://127.0.0.1:0"}},
	} {
		out, errs, code := command(t, x.stdin, x.args...)
		if code != x.want {
			t.Errorf("trunklog %s: exit code %d, want %d\n%s", strings.Join(x.args, " "), code, x.want, errs)
		}
		if code != 0 && !strings.HasPrefix(errs[strings.LastIndex(strings.TrimSpace(errs), "\n")+1:], "trunklog: ") {
			t.Errorf("trunklog %s: the last line does not say what was wrong:\n%s", strings.Join(x.args, " "), errs)
		}
		if code != 0 && out != "" {
			t.Errorf("trunklog %s: failed and printed to stdout: %s", strings.Join(x.args, " "), out)
		}
	}
}

// TestTokenEndpoint gets a token as clients do, over HTTP, and uses it.
func TestTokenEndpoint(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	c, _ := newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	for _, tenant := range []string{contosoID, strings.ToUpper(contosoID), "contoso"} {
		res, err := s.http.PostForm("https://"+s.addr+"/"+tenant+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {"https://graph.microsoft.com/.default openid"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			TokenType   string `json:"token_type"`
			AccessToken string `json:"access_token"`
		}
		err = json.NewDecoder(res.Body).Decode(&answer)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || answer.TokenType != "Bearer" {
			t.Fatalf("tenant %s: status %d, %v, %+v", tenant, res.StatusCode, err, fmt.Sprint(answer.TokenType))
		}
		if res, body := s.do(t, http.MethodGet, logPath, answer.AccessToken); res.StatusCode != http.StatusOK {
			t.Errorf("with a token for tenant %s: status %d: %s", tenant, res.StatusCode, body)
		}
	}
}
