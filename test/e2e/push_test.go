package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// TestPush: who may deliver what, for whom, and who sees it.
func TestPush(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	_, reader := newTenant(t, data, "contoso", contosoID)
	_, spy := newTenant(t, data, "fabrikam", fabrikamID)
	ingestOnly := newPusher(t, data, "contoso")
	other := newPusher(t, data, "fabrikam")
	s := start(t, data)
	post := func(token, body string, header ...string) (int, string) {
		t.Helper()
		status, answer, head, err := s.deliver(t.Context(), token, body, header...)
		if err != nil {
			t.Fatal(err)
		}
		if status >= 400 {
			checkGraphError(t, &http.Response{StatusCode: status, Header: head}, answer)
		}
		return status, answer
	}
	rows := canaryRows("canaryone", 10)

	for _, c := range []struct {
		name, token string
		status      int
		says        string
	}{
		{"no token", "", http.StatusUnauthorized, "Access token is empty"},
		{"forged token", ingestOnly[:len(ingestOnly)-6] + "AAAAAA", http.StatusUnauthorized, "InvalidAuthenticationToken"},
		{"no token at all", "nonsense", http.StatusUnauthorized, "InvalidAuthenticationToken"},
		{"a reader's token", reader, http.StatusForbidden, "--role CallRecords.Ingest"},
	} {
		if status, answer := post(c.token, rows); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: status %d: %s", c.name, status, answer)
		}
	}
	if res, _ := s.do(t, http.MethodGet, logPath, ingestOnly); res.StatusCode != http.StatusForbidden {
		t.Errorf("who may deliver can read: status %d", res.StatusCode)
	}
	seen := func(token string) string {
		t.Helper()
		res, body := s.do(t, http.MethodGet, logPath, token)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %d: %s", res.StatusCode, body)
		}
		return body
	}
	if strings.Contains(seen(reader), "canary") {
		t.Fatal("a refused request has left rows")
	}

	// The rows go to the token's tenant and nowhere else, whatever they say.
	if status, answer := post(ingestOnly, rows); status != http.StatusOK || !strings.HasPrefix(answer, `{"accepted":10,"new":10,`) {
		t.Fatalf("status %d: %s", status, answer)
	}
	if n := strings.Count(seen(reader), "canaryone-caller"); n != 10 {
		t.Errorf("the tenant sees %d of its 10 rows", n)
	}
	if strings.Contains(seen(spy), "canary") {
		t.Error("another tenant sees the rows")
	}
	// Another tenant that delivers the same ids has rows of its own.
	if status, answer := post(other, strings.ReplaceAll(rows, "canaryone", "canarytwo")); status != http.StatusOK || !strings.HasPrefix(answer, `{"accepted":10,"new":10,`) {
		t.Errorf("status %d: %s", status, answer)
	}
	if body := seen(reader); strings.Contains(body, "canarytwo") || strings.Count(body, "canaryone-caller") != 10 {
		t.Error("the other tenant's rows have come in between")
	}
	if body := seen(spy); strings.Contains(body, "canaryone") || strings.Count(body, "canarytwo-caller") != 10 {
		t.Error("the other tenant does not see its own rows")
	}
	// A key is worth nothing to another tenant.
	for i, token := range []string{ingestOnly, other} {
		body := fmt.Sprintf(`{"id":"key-%d","startDateTime":"2026-10-01T05:00:00Z"}`, i)
		if status, answer := post(token, body, "Idempotency-Key", "key-of-both"); status != http.StatusOK || !strings.Contains(answer, `"new":1,`) {
			t.Errorf("status %d: %s", status, answer)
		}
	}
	// In details.
	status, answer := post(ingestOnly, "canary\n"+`{"event":"partial","call":"k","duration":"canary"}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, `"details":[{"code":"invalidRecord","target":"line 1",`) || !strings.Contains(answer, `{"code":"invalidEvent","target":"line 2",`) {
		t.Errorf("status %d: %s", status, answer)
	}
	// Part by part.
	for i, c := range []struct{ body, want string }{
		{`{"event":"partial","call":"k","inviteDateTime":"2026-10-01T07:00:00Z","callerNumber":"canaryone-part"}`, `{"accepted":1,"new":0,"changed":0,"same":0,"open":1,`},
		{`{"event":"partial","call":"k","endDateTime":"2026-10-01T07:01:00Z","done":true}`, `{"accepted":1,"new":1,"changed":0,"same":0,"open":0,`},
	} {
		if status, answer := post(ingestOnly, c.body); status != http.StatusOK || !strings.HasPrefix(answer, c.want) {
			t.Errorf("part %d: status %d: %s", i, status, answer)
		}
		if n := strings.Count(seen(reader), "canaryone-part"); n != i {
			t.Errorf("after part %d there are %d rows", i, n)
		}
	}
	if status, answer := post(ingestOnly, rows, "Content-Type", "text/plain"); status != http.StatusUnsupportedMediaType {
		t.Errorf("status %d: %s", status, answer)
	}
	if res, body := s.do(t, http.MethodGet, "/ingest/v1/calls", ingestOnly); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" {
		t.Errorf("GET: status %d: %s", res.StatusCode, body)
	}
	// Paths beside it are nobody's.
	if res, _ := s.do(t, http.MethodPost, "/ingest/v1/calls/", ingestOnly); res.StatusCode < 400 {
		t.Errorf("another path: status %d", res.StatusCode)
	}
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	for _, never := range []string{"canary", ingestOnly[:60], "key-of-both"} {
		if strings.Contains(s.Log.String(), never) {
			t.Errorf("%.10s… is in the log:\n%s", never, s.Log)
		}
	}
	// What was not taken is kept where only its owner can read it.
	path := filepath.Join(data, "rejects", "source-http.jsonl")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v; want 0600", path, info, err)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), `"raw":"canary"`) {
		t.Errorf("%v: %s", err, b)
	}
}

// TestPushParts: the parts of a call in any order, in one request or in one for
// each, make a row that says the same, and the answers tell what each has done.
func TestPushParts(t *testing.T) {
	t.Parallel() // it mostly waits for processes
	data := filepath.Join(t.TempDir(), "data")
	_, reader := newTenant(t, data, "contoso", contosoID)
	token := newPusher(t, data, "contoso")
	s := start(t, data)
	post := func(body, want string) {
		t.Helper()
		status, answer, _, err := s.deliver(t.Context(), token, body)
		if err != nil || status != http.StatusOK || !strings.HasPrefix(answer, want) {
			t.Errorf("%s\nstatus %d, %v: %s\nwant %s", body, status, err, answer, want)
		}
	}
	parts := []string{
		`"inviteDateTime":"2026-10-01T10:00:01Z","callerNumber":"+4911111","callType":"ByotIn"}`,
		`"startDateTime":"2026-10-01T10:00:04Z","successfulCall":true}`,
		`"endDateTime":"2026-10-01T10:05:00Z","done":true}`,
	}
	counts := map[bool]string{
		true:  `{"accepted":1,"new":0,"changed":0,"same":0,"open":1,`,
		false: `{"accepted":1,"new":0,"changed":1,"same":0,"open":0,`,
	}
	orders := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for n, order := range orders {
		var together strings.Builder
		ended := 0 // the place of the last part
		for i, part := range order {
			fmt.Fprintf(&together, `{"event":"partial","call":"together-%d","calleeNumber":"together-%d",%s`+"\n", n, n, parts[part])
			want := counts[!slices.Contains(order[:i], 2)]
			if part == 2 {
				ended, want = i, `{"accepted":1,"new":1,"changed":0,"same":0,"open":0,`
			}
			post(fmt.Sprintf(`{"event":"partial","call":"alone-%d","calleeNumber":"alone-%d",%s`, n, n, parts[part]), want)
		}
		post(together.String(), fmt.Sprintf(`{"accepted":3,"new":1,"changed":%d,"same":0,"open":%d,`, 2-ended, ended))
		post(together.String(), `{"accepted":3,"new":0,"changed":0,"same":3,"open":0,`)
	}
	_, body := s.do(t, http.MethodGet, logPath, reader)
	var page struct{ Value []map[string]any }
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Value) != 2*len(orders) {
		t.Fatalf("%v, %d rows of %d calls: %s", err, len(page.Value), 2*len(orders), body)
	}
	for _, r := range page.Value {
		name := r["calleeNumber"].(string)
		if r["inviteDateTime"] != "2026-10-01T10:00:01Z" || r["endDateTime"] != "2026-10-01T10:05:00Z" || r["duration"] != 296.0 || r["callerNumber"] != "+4911111" || r["callType"] != "ByotIn" || r["successfulCall"] != true {
			t.Errorf("%s: %v", name, r)
		}
		if strings.HasPrefix(name, "together") && r["startDateTime"] != "2026-10-01T10:00:04Z" {
			t.Errorf("%s: the row begins at %v", name, r["startDateTime"])
		}
	}
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// newPusher makes a client of a tenant that may deliver calls and nothing else,
// and returns a token.
func newPusher(t testing.TB, data, tenant string) string {
	t.Helper()
	var id, secret string
	out := must(t, "", "client", "create", "pusher-"+rand.Text(), "--data", data, "--tenant", tenant, "--role", "CallRecords.Ingest", "-o", "json")
	for field, to := range map[string]*string{`"clientId": "`: &id, `"clientSecret": "`: &secret} {
		_, rest, _ := strings.Cut(out, field)
		*to, _, _ = strings.Cut(rest, `"`)
	}
	return strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", tenant, "--client", id, "--secret", secret))
}

// TestAdmin: monitoring sees the server come, count and go.
func TestAdmin(t *testing.T) {
	t.Parallel() // it mostly waits for processes
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	token := newPusher(t, data, "contoso")
	address := kit.FreeAddress(t)
	s := start(t, data, "--admin-listen", address)
	get := func(path string) (int, string) {
		t.Helper()
		res, body := s.do(t, http.MethodGet, path, "")
		return res.StatusCode, body
	}
	// Not where everybody can look.
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		if status, _ := get(path); status < 400 {
			t.Errorf("%s is on the public port: status %d", path, status)
		}
	}
	page := func(path string) (int, string) {
		t.Helper()
		status, body, err := getPlain(t, "http://"+address+path)
		if err != nil {
			t.Fatal(err)
		}
		return status, body
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if status, body := page(path); status != http.StatusOK || body != want {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
	}
	if status, _ := page("/"); status != http.StatusNotFound {
		t.Errorf("/: status %d", status)
	}
	if status, answer, _, err := s.deliver(t.Context(), token, canaryRows("canary", 7)+"bad\n"); err != nil || status != http.StatusMultiStatus {
		t.Fatal(status, answer, err)
	}
	_, body := page("/metrics")
	for _, want := range []string{
		`trunklog_rows_total{outcome="new",source="http"} 7`, `trunklog_push_rejected_total{cause="record"} 1`,
		`trunklog_push_requests_total{outcome="accepted"} 1`, `trunklog_open_calls 0`, `trunklog_commit_seconds_count `,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in\n%s", want, body)
		}
	}
	if strings.Contains(body, "canary") || strings.Contains(body, contosoID) {
		t.Errorf("something of a tenant is in the metrics:\n%s", body)
	}
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, _, err := getPlain(t, "http://"+address+"/healthz"); err == nil {
		t.Error("the port answers although the server has stopped")
	}
}

// getPlain gets a page over plain HTTP.
func getPlain(t *testing.T, url string) (int, string, error) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}
