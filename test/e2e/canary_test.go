package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// canaryRows are calls whose every personal field holds a word of its own, so
// that any of them can be found wherever it does not belong.
func canaryRows(word string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"%08x-0000-4000-8000-%012x","correlationId":"%08x-1111-4000-8000-%012x","userId":"%08x-2222-4000-8000-%012x",`,
			i+1, len(word), i+1, len(word), i+1, len(word))
		fmt.Fprintf(&b, `"userPrincipalName":"%[1]s-upn@contoso.test","userDisplayName":"%[1]s-name","startDateTime":"2026-10-01T00:%02[2]d:00Z","inviteDateTime":"2026-10-01T00:%02[2]d:00Z",`, word, i%60)
		fmt.Fprintf(&b, `"failureDateTime":"0001-01-01T00:00:00Z","endDateTime":"2026-10-01T01:00:00Z","duration":60,"callType":"ByotIn","successfulCall":true,`)
		fmt.Fprintf(&b, `"callerNumber":"%[1]s-caller","calleeNumber":"%[1]s-callee","finalSipCode":0,"callEndSubReason":540000,"finalSipCodePhrase":"BYE","trunkFullyQualifiedDomainName":"sbc1.%[1]s.test","mediaBypassEnabled":false}`+"\n", word)
	}
	return b.String()
}

const logPath = "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-10-01,toDateTime=2026-10-02)"

// routesToWalk are requests to every route that there is, in every form that
// changes which code answers.
func routesToWalk(own, other credential) []string {
	paths := []string{
		"/", "/v1.0", "/v1.0/", "/v1.0/$metadata", "/beta/$metadata", "/v1.0/communications", "/v1.0/communications/callRecords", "/beta",
		"/favicon.ico", "/ingest/v1/calls", "/ingest/v1/calls?kind=graph", "/metrics", "/healthz", "/readyz", "/v1.0/users", "/v1.0/communications/callRecords/getPstnCalls(fromDateTime=2026-10-01,toDateTime=2026-10-02)",
	}
	for _, root := range []string{"/v1.0", "/beta", "/V1.0"} {
		for _, name := range []string{"getDirectRoutingCalls", "microsoft.graph.callRecords.getDirectRoutingCalls", "callRecords.getDirectRoutingCalls"} {
			for _, options := range []string{
				"", "?$top=1", "?$skip=1", "?$count=true", "?$orderby=startDateTime%20desc", "?$select=id,callerNumber",
				"?$filter=successfulCall%20eq%20true", "?$filter=contains(userDisplayName,'name')", "?$skiptoken=abc", "?tenant=" + other.TenantID, "?$filter=id%20eq%2000000001-0000-4000-8000-000000000005",
				"?$format=json", "?@a=1",
			} {
				paths = append(paths, root+"/communications/callRecords/"+name+"(fromDateTime=2026-10-01,toDateTime=2026-10-02)"+options)
			}
		}
	}
	for _, tenant := range []string{own.TenantID, other.TenantID, "contoso", "fabrikam", "common"} {
		paths = append(paths, "/"+tenant+"/v2.0/.well-known/openid-configuration", "/"+tenant+"/discovery/v2.0/keys", "/"+tenant+"/oauth2/v2.0/token")
	}
	return append(paths, "/"+other.TenantID+logPath, logPath+"/"+other.TenantID)
}

// TestWalls: a client sees nothing of another tenant, on any route, by any
// method, with its own token.
func TestWalls(t *testing.T) {
	t.Parallel() // it mostly waits for processes
	data := filepath.Join(t.TempDir(), "data")
	contoso, _ := newTenant(t, data, "contoso", contosoID)
	fabrikam, _ := newTenant(t, data, "fabrikam", fabrikamID)
	must(t, canaryRows("canaryone", 50), "import", "graph", "--data", data, "--tenant", "contoso", "-")
	must(t, canaryRows("canarytwo", 50), "import", "graph", "--data", data, "--tenant", "fabrikam", "-")
	s := start(t, data)
	contosoToken := strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", "contoso", "--client", contoso.ClientID, "--secret", contoso.ClientSecret))
	fabrikamToken := strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", "fabrikam", "--client", fabrikam.ClientID, "--secret", fabrikam.ClientSecret))
	sawOwn := 0
	for _, side := range []struct {
		token       string
		own, other  credential
		sees, never string
	}{
		{contosoToken, contoso, fabrikam, "canaryone", "canarytwo"},
		{fabrikamToken, fabrikam, contoso, "canarytwo", "canaryone"},
		{"", contoso, fabrikam, "nothing", "canary"},
	} {
		for _, path := range routesToWalk(side.own, side.other) {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
				res, body := s.do(t, method, path, side.token)
				if strings.Contains(body, side.never) || strings.Contains(fmt.Sprint(res.Header), side.never) {
					t.Errorf("%s %s: %s was seen by the other side", method, path, side.never)
				}
				if strings.Contains(body, side.sees) {
					sawOwn++
				}
				if res.StatusCode >= 500 {
					t.Errorf("%s %s: status %d: %s", method, path, res.StatusCode, body)
				}
			}
		}
	}
	// The same in batches, whose requests bring the other side's token along.
	for _, side := range []struct{ token, sees, never, brought string }{
		{contosoToken, "canaryone", "canarytwo", fabrikamToken},
		{fabrikamToken, "canarytwo", "canaryone", contosoToken},
		{"", "nothing", "canary", contosoToken},
	} {
		seen := 0
		for urls := range slices.Chunk(routesToWalk(contoso, fabrikam), 20) {
			for _, version := range []string{"/v1.0", "/beta"} {
				body := s.batch(t, version, side.token, side.brought, urls)
				seen += strings.Count(body, side.sees+"-caller")
				if strings.Contains(body, side.never) {
					t.Errorf("%s was seen by the other side, in a batch", side.never)
				}
			}
		}
		if side.token != "" && seen < 100 {
			t.Errorf("batches held only %d of the client's own rows: the walk proves nothing", seen)
		}
	}
	if sawOwn < 100 {
		t.Errorf("only %d answers held the client's own rows: the walk proves nothing", sawOwn)
	}
	// A link of one tenant is worth nothing to the other.
	_, body := s.do(t, http.MethodGet, logPath+"?$top=10", contosoToken)
	_, link, found := strings.Cut(body, `"@odata.nextLink":"`)
	if !found {
		t.Fatalf("no nextLink in %.300s", body)
	}
	link, _, _ = strings.Cut(link, `"`)
	if res, body := s.do(t, http.MethodGet, link, fabrikamToken); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a link of the other tenant: status %d: %.200s", res.StatusCode, body)
	}
}

// batch sends a batch of GETs with a token, in which each brings another one, and
// returns the answer. Versions in front of urls are cut off.
func (s *server) batch(t *testing.T, version, token, brought string, urls []string) string {
	t.Helper()
	type step struct {
		ID      string            `json:"id"`
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
	}
	var steps []step
	for i, u := range urls {
		for _, v := range []string{"/v1.0", "/beta", "/V1.0"} {
			u = strings.TrimPrefix(u, v)
		}
		if u == "" {
			u = "/"
		}
		steps = append(steps, step{strconv.Itoa(i) + "-canary-id", "GET", u, map[string]string{"Authorization": "Bearer " + brought, "client-request-id": "canary!"}})
	}
	body, err := json.Marshal(map[string]any{"requests": steps})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.addr+version+"/$batch", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if want := map[bool]int{true: 200, false: 401}[token != ""]; err != nil || res.StatusCode != want {
		t.Fatalf("a batch: status %d, %v: %.300s", res.StatusCode, err, answer)
	}
	return strings.ReplaceAll(string(answer), "-canary-id", "")
}

// TestNothingPersonalIsLogged looks for every personal value, token and secret
// in all that the server and the commands say.
func TestNothingPersonalIsLogged(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	s := start(t, data, "--log-format", "json")
	var said strings.Builder
	say := func(stdin string, args ...string) string {
		out, errs, _ := command(t, stdin, args...)
		said.WriteString(errs)
		return out
	}
	rows := canaryRows("canary", 20)
	bad := strings.Replace(rows, `"duration":60`, `"duration":"canary-duration"`, 3)
	say(bad+`{"callerNumber":"canary-broken`, "import", "graph", "--data", data, "--tenant", "contoso", "-")
	say("Start time,Caller Number,Call type,SBC FQDN\n2026-10-01T00:00:00Z,\"canary\"x,dr_in,sbc1.contoso.test\n", "import", "teams", "--data", data, "--tenant", "contoso", "-")
	var c credential
	out := say("", "client", "create", "second", "--data", data, "-o", "json")
	for field, to := range map[string]*string{`"clientId": "`: &c.ClientID, `"clientSecret": "`: &c.ClientSecret} {
		_, rest, _ := strings.Cut(out, field)
		*to, _, _ = strings.Cut(rest, `"`)
	}
	token := strings.TrimSpace(say("", "token", "--data", data, "--client", c.ClientID, "--secret", c.ClientSecret))
	if len(token) < 100 {
		t.Fatalf("no token: %s", said.String())
	}
	say("", "token", "--data", data, "--client", c.ClientID, "--secret", c.ClientSecret+"canary")
	forged := token[:len(token)-8] + "canary00"
	for _, path := range []string{
		logPath, logPath + "?$top=5", logPath + "?$filter=callerNumber%20eq%20'canary-caller'", logPath + "?$filter=canary",
		"/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=canary,toDateTime=canary)",
		"/v1.0/canary", "/canary", "/v1.0/communications/callRecords/canary", logPath + "?$skiptoken=canary",
	} {
		for _, bearer := range []string{token, forged, "canary", ""} {
			s.do(t, http.MethodGet, path, bearer, "User-Agent", "canary-agent", "client-request-id", "not a canary guid")
		}
	}
	s.batch(t, "/v1.0", token, "canary", []string{logPath + "?$filter=callerNumber eq 'canary-caller'", "/canary", "/%zzcanary"})
	post := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {"canary-secret"}, "scope": {"api://canary/.default"}}
	res, err := s.http.PostForm("https://"+s.addr+"/"+contosoID+"/oauth2/v2.0/token", post)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if err := s.stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	said.WriteString(s.Log.String())
	for _, secret := range []string{"canary", c.ClientSecret, token, forged, token[:40]} {
		for line := range strings.Lines(said.String()) {
			if strings.Contains(line, secret) {
				t.Errorf("%.12s… was said in: %s", secret, line)
			}
		}
	}
	if !strings.Contains(s.Log.String(), `"rows":`) {
		t.Errorf("requests are not logged at all:\n%s", s.Log)
	}
	// What was rejected is kept whole, where only its owner can read it.
	rejects, err := filepath.Glob(filepath.Join(data, "rejects", "*"))
	if err != nil || len(rejects) == 0 {
		t.Fatalf("no rejects file: %v", err)
	}
	for _, path := range rejects {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", path, info.Mode(), err)
		}
	}
}
