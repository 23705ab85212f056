package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// golden compares got with a file in testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// masks replace the parts of an answer that are random in every run.
var masks = []struct{ re, with string }{
	{`"access_token":"[^"]+"`, `"access_token":"TOKEN"`},
	{`"kid":"[^"]{43}"`, `"kid":"KID"`},
	{`"n":"[^"]{342}"`, `"n":"MODULUS"`},
}

// usual are the headers of almost all answers; show leaves them out.
var usual = map[string]string{
	"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Pragma": "no-cache",
}

func masked(s string) string {
	for _, m := range masks {
		s = regexp.MustCompile(m.re).ReplaceAllString(s, m.with)
	}
	return s
}

// show returns an answer as text: status, headers and body.
func show(w *httptest.ResponseRecorder) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, w.Code)
	var names []string
	for name := range w.Header() {
		names = append(names, name)
	}
	slices.Sort(names)
	trace := w.Header().Get("X-Ms-Request-Id")
	for _, name := range names {
		if v := strings.Join(w.Header()[name], " | "); v != usual[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if w.Body.Len() > 0 {
		if err := json.Indent(&b, []byte(masked(w.Body.String())), "", "  "); err != nil {
			fmt.Fprintf(&b, "no JSON: %v: %q", err, w.Body)
		}
	}
	if trace == "" {
		return b.String()
	}
	return strings.ReplaceAll(b.String(), trace, "TRACE")
}

// TestEndpoints compares every kind of answer with testdata/endpoints.txt.
func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c, s := w.create(contoso, ClientOptions{})
	disabled, sd := w.create(contoso, ClientOptions{})
	if _, err := w.Disable(ctx, contoso, disabled.ID); err != nil {
		t.Fatal(err)
	}
	expired, se := w.create(contoso, ClientOptions{Expiry: time.Second})
	w.clock.Add(time.Second)
	h := w.Handler()
	tok := tokenPath("contoso.example")
	base := []string{"grant_type", "client_credentials", "scope", anyScope, "client_id", c.ID, "client_secret", s.Reveal()}
	with := func(kv ...string) string {
		out := slices.Clone(base)
		for i := 0; i < len(kv); i += 2 {
			if j := slices.Index(out, kv[i]); j >= 0 && j%2 == 0 {
				out[j+1] = kv[i+1]
			} else {
				out = append(out, kv[i], kv[i+1])
			}
		}
		return form(out...)
	}
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	v1 := "/contoso.example/" + pathTokenV1
	resource := func(name string) string {
		return form("grant_type", "client_credentials", "resource", name, "client_id", c.ID, "client_secret", s.Reveal())
	}
	noCreds := form("grant_type", "client_credentials", "scope", anyScope)
	msalScope := "https://graph.microsoft.com/.default openid offline_access profile"
	var out strings.Builder
	for _, x := range []struct {
		name, method, path, body string
		header                   []string
	}{
		{"a token", "POST", tok, with(), nil},
		{"as MSAL for Go asks", "POST", tok, with("scope", msalScope, "client_info", "1", "claims", `{"access_token":{"xms_cc":{"values":["CP1"]}}}`), []string{"client-request-id", nobody, "Content-Type", "", "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}},
		{"as MSAL for Node asks", "POST", tok + "?client-request-id=" + nobody, with("x-client-SKU", "msal.js.node", "x-ms-lib-capability", "retry-after, h429", "x-client-last-telemetry", "5|0|||0,0"), nil},
		{"client id in upper case, tenant by id", "POST", tokenPath(strings.ToUpper(contoso)), with("client_id", strings.ToUpper(c.ID)), nil},
		{"Basic", "POST", tok, noCreds, []string{"Authorization", basic(c.ID, s.Reveal())}},
		{"path in capitals", "POST", "/contoso.example/OAuth2/V2.0/Token", with(), nil},
		{"path with a slash behind it", "POST", tok + "/", with(), nil},
		{"names in capitals", "POST", tok, form("Grant_Type", "client_credentials", "SCOPE", anyScope, "client_Id", c.ID, "Client_Secret", s.Reveal()), nil},
		{".default alone", "POST", tok, with("scope", ".default"), nil},
		{"scope in capitals", "POST", tok, with("scope", "https://graph.microsoft.com/.Default OpenID"), nil},
		{"the same scope twice", "POST", tok, with("scope", "api://a/.default api://a/.default"), nil},
		{"v1.0", "POST", v1, resource("https://graph.microsoft.com/"), nil},
		{"v1.0 with a version", "POST", v1 + "?api-version=1.0", resource("00000003-0000-0000-c000-000000000000"), nil},
		{"v1.0 with a slash behind it", "POST", "/" + strings.ToUpper(contoso) + "/oauth2/Token/", resource("https://graph.microsoft.com"), nil},

		{"wrong method", "GET", tok, "", nil},
		{"unknown tenant", "POST", tokenPath("nobody.example"), with(), []string{"client-request-id", nobody}},
		{"unknown tenant, odd", "POST", "/%22%3Cscript%3E%0a/" + pathToken, with(), nil},
		{"no body", "POST", tok, "", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"JSON", "POST", tok, `{"grant_type":"client_credentials"}`, []string{"Content-Type", "", "Content-Type", "application/json"}},
		{"no grant", "POST", tok, form("scope", anyScope), nil},
		{"another grant", "POST", tok, with("grant_type", "password"), nil},
		{"grant in capitals", "POST", tok, with("grant_type", "Client_Credentials"), nil},
		{"no scope", "POST", tok, with("scope", " "), nil},
		{"scope without .default", "POST", tok, with("scope", "https://graph.microsoft.com/CallRecords.Read.All"), nil},
		{"only OIDC scopes", "POST", tok, with("scope", "openid profile"), nil},
		{"two resources", "POST", tok, with("scope", "api://a/.default api://b/.default"), nil},
		{"scope encoded twice", "POST", tok, with("scope", "https%3A%2F%2Fgraph.microsoft.com%2F.default"), nil},
		{"twice", "POST", tok, with() + "&scope=x", nil},
		{"twice, in two cases", "POST", tok, with() + "&Scope=x", nil},
		{"v1.0 without a resource", "POST", v1, form("grant_type", "client_credentials", "client_id", c.ID, "client_secret", s.Reveal()), nil},
		{"v1.0 with a scope", "POST", v1, with(), nil},
		{"resource of v1.0", "POST", tok, resource("https://graph.microsoft.com"), nil},
		{"all in the URL", "POST", tok + "?" + with(), "", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"scope in the URL", "POST", tok + "?Scope=x", form("grant_type", "client_credentials", "client_id", c.ID), nil},
		{"no tenant in particular", "POST", tokenPath("common"), with(), nil},
		{"no client", "POST", tok, form("grant_type", "client_credentials", "scope", anyScope), nil},
		{"empty secret", "POST", tok, with("client_secret", ""), nil},
		{"the secret's id", "POST", tok, with("client_secret", c.Secrets[0].ID), nil},
		{"secret with a line end", "POST", tok, with("client_secret", s.Reveal()+"\n"), nil},
		{"secret cut off", "POST", tok, with("client_secret", s.Reveal()[:40]), nil},
		{"no credentials", "POST", tok, form("grant_type", "client_credentials", "scope", anyScope, "client_id", c.ID), nil},
		{"unknown client", "POST", tok, with("client_id", nobody), nil},
		{"odd client", "POST", tok, with("client_id", "my\"app\u00e4"), nil},
		{"client of another tenant", "POST", tokenPath(fabrikam), with(), nil},
		{"wrong secret", "POST", tok, with("client_secret", "x"), nil},
		{"wrong secret, Basic", "POST", tok, noCreds, []string{"Authorization", basic(c.ID, "x")}},
		{"expired secret", "POST", tok, with("client_id", expired.ID, "client_secret", se.Reveal()), nil},
		{"disabled", "POST", tok, with("client_id", disabled.ID, "client_secret", sd.Reveal()), nil},
		{"disabled, wrong secret", "POST", tok, with("client_id", disabled.ID, "client_secret", "x"), nil},
		{"two ways", "POST", tok, with("client_assertion", "x", "client_assertion_type", assertionType), nil},
		{"assertion of another type", "POST", tok, form("grant_type", "client_credentials", "scope", anyScope, "client_id", c.ID, "client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), nil},
		{"assertion that is none", "POST", tok, form("grant_type", "client_credentials", "scope", anyScope, "client_id", c.ID, "client_assertion", "x", "client_assertion_type", assertionType), nil},
		{"too long", "POST", tok, with("x", strings.Repeat("x", maxBody)), nil},

		{"configuration", "GET", "/contoso.example/" + pathConfig + "?", "", nil},
		{"configuration, other root", "GET", "https://alias.example.test/contoso.example/" + pathConfig, "", nil},
		{"configuration, unknown tenant", "GET", "/nobody/" + pathConfig, "", nil},
		{"configuration, HEAD", "HEAD", "/contoso.example/" + pathConfig, "", nil},
		{"configuration, POST", "POST", "/contoso.example/" + pathConfig, "", nil},
		{"configuration with a slash behind it", "GET", "/contoso.example/" + pathConfig + "/", "", nil},
		{"configuration of any tenant", "GET", "/common/" + pathConfig, "", nil},
		{"configuration of v1.0", "GET", "/contoso.example/" + pathConfigV1, "", nil},
		{"configuration of v1.0, any tenant", "GET", "/Organizations/" + pathConfigV1, "", nil},
		{"configuration of v1.0, unknown tenant", "GET", "/consumers/" + pathConfigV1, "", nil},
		{"keys", "GET", "/contoso.example/" + pathKeys, "", nil},
		{"keys of v1.0", "GET", "/contoso.example/" + pathKeysV1, "", nil},
		{"keys of v1.0 for all", "GET", "/organizations/" + pathKeysV1 + "/?appid=" + nobody, "", nil},
		{"keys for all", "GET", "/common/" + pathKeys, "", nil},
		{"keys, unknown tenant", "GET", "/nobody/" + pathKeys, "", nil},
		{"instance", "GET", "/common/" + pathInstance + "?api-version=1.1&authorization_endpoint=" + testRoot + "/contoso.example/oauth2/v2.0/authorize", "", nil},
		{"instance, any tenant", "GET", "/common/" + pathInstance + "?authorization_endpoint=" + testRoot + "/Common/oauth2/authorize", "", nil},
		{"instance, any organization, no port", "GET", "/common/" + pathInstance + "?authorization_endpoint=https://calls.example.test/organizations/oauth2/v2.0/authorize", "", nil},
		{"instance, another port", "GET", "/common/" + pathInstance + "?authorization_endpoint=https://calls.example.test:443/common/oauth2/v2.0/authorize", "", nil},
		{"instance, another host", "GET", "/common/" + pathInstance + "?api-version=1.1&authorization_endpoint=https://login.example/contoso/oauth2/v2.0/authorize", "", nil},
		{"instance, another host that is ours", "GET", "/common/" + pathInstance + "?api-version=1.1&authorization_endpoint=https://Alias.example.test/contoso.example/oauth2/v2.0/authorize", "", nil},
		{"instance, another host that is ours, in plain HTTP", "GET", "/common/" + pathInstance + "?authorization_endpoint=http://alias.example.test/common/oauth2/v2.0/authorize", "", nil},
		{"instance, nothing asked", "GET", "/common/" + pathInstance, "", nil},
		{"instance, unknown tenant", "GET", "/common/" + pathInstance + "?authorization_endpoint=" + testRoot + "/nobody/oauth2/v2.0/authorize", "", nil},
		{"nothing here", "POST", "/contoso.example/oauth2/v2.0/tokens", with(), nil},
		{"no users", "GET", "/contoso.example/oauth2/v2.0/authorize", "", nil},
	} {
		path := x.path
		if strings.HasPrefix(path, "https://alias.example.test") {
			r := httptest.NewRequest(x.method, path, nil)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			fmt.Fprintf(&out, "=== %s\n%s\n", x.name, show(rec))
			continue
		}
		fmt.Fprintf(&out, "=== %s\n%s\n", x.name, show(do(h, x.method, path, x.body, x.header...)))
	}
	golden(t, "endpoints.txt", out.String())
}

// TestOtherRoot follows a client that uses our second name. The answers and the token have that
// name.
func TestOtherRoot(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	r := httptest.NewRequest(http.MethodPost, aliasURL+tokenPath(contoso), strings.NewReader(secretForm(c.ID, s)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	token := readAnswer(t, rec).Token
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
		t.Fatal(e)
	}
	if f := newForger(w.Authority, token); f.payload.get("iss") != quote(aliasURL+"/"+contoso+"/v2.0") {
		t.Errorf("iss is %s", f.payload.get("iss"))
	}
	// A token ends when its issuer's root is no longer ours.
	w.conf.Known = func(root string) bool { return root == testRoot }
	if _, e := verifyOn(t, w.another(), withToken(token), RoleRead); status(e) != 401 || e.Message != msgIssuer {
		t.Errorf("after the name was given up: %v", e)
	}
	w.conf.Known = nil
	if _, e := verifyOn(t, w.another(), withToken(token), RoleRead); status(e) != 401 {
		t.Errorf("without Known only the canonical root counts: %v", e)
	}
}

func TestTokenRate(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.TokenRate = TokenRate{PerClient: Rate{3, time.Minute}, Failures: Rate{10, time.Minute}}
	})
	h := w.Handler()
	c, s := w.create(contoso, ClientOptions{})
	d, sd := w.create(contoso, ClientOptions{})
	ask := func(from, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, testRoot+tokenPath(contoso), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = from
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	want := func(name string, rec *httptest.ResponseRecorder, code int, retry string) {
		t.Helper()
		if rec.Code != code || rec.Header().Get("Retry-After") != retry {
			t.Errorf("%s: %d, Retry-After %q: %s", name, rec.Code, rec.Header().Get("Retry-After"), rec.Body)
		}
	}
	// A sender without the secret cannot use up the client's rate.
	for range 9 {
		want("wrong secret", ask("192.0.2.66:1", secretForm(c.ID, NewSecret("x"))), 401, "")
	}
	for range 3 {
		want("good", ask("192.0.2.1:1", secretForm(c.ID, s)), 200, "")
	}
	want("fourth of the client", ask("192.0.2.2:1", secretForm(c.ID, s)), 429, "20")
	want("another client", ask("192.0.2.2:1", secretForm(d.ID, sd)), 200, "")
	want("tenth failure", ask("192.0.2.66:2", secretForm(c.ID, NewSecret("x"))), 401, "")
	want("eleventh failure", ask("192.0.2.66:3", secretForm(c.ID, NewSecret("x"))), 429, "6")
	want("a failure with another client from there", ask("192.0.2.66:3", secretForm(d.ID, NewSecret("x"))), 401, "")
	want("a failure without a client from there", ask("192.0.2.66:3", "x"), 400, "")
	want("a failure from elsewhere", ask("192.0.2.67:3", secretForm(c.ID, NewSecret("x"))), 401, "")
	// Valid credentials pass, whatever else the address sends.
	want("good, of another client", ask("192.0.2.66:3", secretForm(d.ID, sd)), 200, "")
	w.clock.Add(20 * time.Second)
	want("good, of the same client, later", ask("192.0.2.66:2", secretForm(c.ID, s)), 200, "")
	for range 5 {
		_ = ask("192.0.2.66:3", secretForm(c.ID, NewSecret("x")))
	}
	want("over the failures still", ask("192.0.2.66:3", secretForm(c.ID, NewSecret("x"))), 429, "4")
	if got := w.Stats(); got.Limited != 5 || got.Issued != 6 || got.Refused != 21 {
		t.Errorf("the counts are %+v", got)
	}
	_, _, err := w.Mint(t.Context(), contoso, c.ID, s)
	if err == nil || errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("Mint: %v", err)
	}
}

func TestEndpointTrouble(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	h := w.Handler()
	want503 := func(name string, rec *httptest.ResponseRecorder) {
		t.Helper()
		if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || strings.Contains(rec.Body.String(), "fire") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	fire := errors.New("disk on fire")
	w.kv.setFail(fire)
	want503("client", do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)))
	w.clock.Add(KeyStale + time.Second)
	want503("keys", do(h, "GET", "/"+contoso+"/"+pathKeys, ""))
	w.kv.setFail(nil)
	w.x.fail = fire
	want503("tenant", do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)))
	want503("configuration", do(h, "GET", "/"+contoso+"/"+pathConfig, ""))
	w.x.fail = nil
	if rec := do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)); rec.Code != 200 {
		t.Errorf("all is well again: %s", rec.Body)
	}
	// A body that breaks off.
	r := httptest.NewRequest(http.MethodPost, testRoot+tokenPath(contoso), brokenReader{})
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Code != 400 {
		t.Errorf("a broken body: %d %s", rec.Code, rec.Body)
	}
	// No randomness, no token.
	w.rand = brokenReader{}
	want503("randomness", do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)))
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("it broke off") }

// TestRootOf compares hosts. MSAL for Python leaves out their ports.
func TestRootOf(t *testing.T) {
	for _, x := range []struct {
		asked, here string
		want        bool
	}{
		{"https://a.example", "https://a.example", true},
		{"https://A.example", "https://a.example:8443", true},
		{"https://a.example:8443", "https://a.example:8443", true},
		{"https://a.example:443", "https://a.example", true},
		{"https://a.example", "https://a.example:443", true},
		{"https://a.example:8443", "https://a.example", false},
		{"https://a.example:443", "https://a.example:8443", false},
		{"https://b.example", "https://a.example", false},
		{"https://a.example.b.example", "https://a.example", false},
		{"https://[::1]", "https://[::1]:8443", true},
		{"https://[::1]:8443", "https://[::2]:8443", false},
	} {
		a := &Authority{issuer: func(*http.Request) string { return x.here }, known: func(root string) bool { return root == x.here }}
		root := a.rootOf(nil, must(url.Parse(x.asked)))
		if got := root != nil; got != x.want || got && root.String() != x.here {
			t.Errorf("%s for %s: %v", x.asked, x.here, root)
		}
	}
}

// TestMicrosoftsHost shows that a program which knows only Microsoft's token service stays on that
// host, and finds Graph under Microsoft's name.
func TestMicrosoftsHost(t *testing.T) {
	for _, x := range []struct {
		host, graph string
		alone       bool // no name of Microsoft's Graph leads to us
	}{
		{"login.microsoftonline.com", "graph.microsoft.com", false},
		{"login.microsoftonline.us", "graph.microsoft.us", false},
		{"login.microsoftonline.us", "dod-graph.microsoft.us", false},
		{"login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn", false},
		{"login.microsoftonline.com", "login.microsoftonline.com", true},
		{"calls.contoso.example", "calls.contoso.example", true},
	} {
		root := "https://" + x.host
		w := newWorld(t, func(c *Config) {
			c.Issuer = func(*http.Request) string { return root }
			c.Known = func(r string) bool { return r == root || r == "https://"+x.graph && !x.alone }
		})
		rec := do(w.Handler(), "GET", "/"+contoso+"/"+pathConfig, "")
		var got configuration
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Issuer != root+"/"+contoso+"/v2.0" || got.TokenEndpoint != root+tokenPath(contoso) || got.GraphHost != x.graph || got.CloudGraphHost != x.graph {
			t.Errorf("%s: issuer %s, tokens %s, Graph %s and %s", x.host, got.Issuer, got.TokenEndpoint, got.GraphHost, got.CloudGraphHost)
		}
		rec = do(w.Handler(), "GET", "/common/"+pathInstance+"?api-version=1.1&authorization_endpoint="+root+"/"+contoso+"/oauth2/v2.0/authorize", "")
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"`+x.host+`"`) {
			t.Errorf("%s is no authority: %d %s", x.host, rec.Code, rec.Body)
		}
	}
	for host, want := range map[string]bool{
		"graph.microsoft.com": true, "Graph.Microsoft.com:443": true, "login.microsoftonline.us": true, "dod-graph.microsoft.us": true,
		"login.windows.net":        true,
		"graph.microsoft.com:8443": false, "graph.microsoft.com.evil.example": false, "graph.microsoft.com/x": false, "": false, "localhost": false,
	} {
		if OfMicrosoft(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}
