package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokenForms asks a running server for tokens in the ways that scripts ask
// Entra, uses each one, and shows the tokens in the ways that they show them.
func TestTokenForms(t *testing.T) {
	const month = "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-10-01,toDateTime=2026-11-01)"
	for _, mode := range []string{"", "--strict"} {
		data := filepath.Join(t.TempDir(), "data")
		c, _ := newTenant(t, data, "contoso", contosoID)
		must(t, "", "tenant", "set", "contoso", "--data", data, "--also", "contoso.onmicrosoft.com", "--yes")
		s := start(t, data, strings.Fields(mode)...)
		use := func(name, authorization string, want int) {
			t.Helper()
			res, body := s.do(t, http.MethodGet, month, "", "Authorization", authorization)
			if res.StatusCode != want {
				t.Errorf("%s%s: %d %s", name, mode, res.StatusCode, body)
			}
		}
		secret := url.Values{"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "grant_type": {"client_credentials"}}.Encode()
		var token string
		for _, x := range []struct{ path, form string }{
			{"/contoso/oauth2/v2.0/token", secret + "&scope=api://trunklog/.default"},
			{"/contoso.onmicrosoft.com/oauth2/v2.0/token", secret + "&scope=.default"},
			{"/Contoso.OnMicrosoft.com/oauth2/v2.0/token/", secret + "&scope=https://graph.microsoft.com/.default+openid"},
			{"/" + contosoID + "/oauth2/v2.0/token", "Client_Id=" + c.ClientID + "&Client_Secret=" + c.ClientSecret + "&Scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&Grant_Type=client_credentials"},
			{"/contoso/oauth2/token", secret + "&resource=https://graph.microsoft.com"},
			{"/contoso.onmicrosoft.com/oauth2/token?api-version=1.0", secret + "&Resource=https://graph.microsoft.com/"},
			{"/" + contosoID + "/oauth2/token/", secret + "&resource=00000003-0000-0000-c000-000000000000"},
		} {
			var got struct {
				Token string `json:"access_token"`
			}
			res, body := s.post(t, x.path, x.form)
			if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s%s: %d %s", x.path, mode, res.StatusCode, body)
			}
			token = got.Token
			use(x.path, "Bearer "+token, http.StatusOK)
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			if err != nil || !strings.Contains(string(payload), `"app_displayname":"reporter"`) || !strings.Contains(string(payload), `"idtyp":"app"`) {
				t.Errorf("%s%s: %v: the claims are %s", x.path, mode, err, payload)
			}
		}
		use("two spaces", "Bearer  "+token, http.StatusOK)
		use("in capitals", "BEARER "+token, http.StatusOK)
		use("bare", token, http.StatusOK)
		use("twice", "Bearer Bearer "+token, http.StatusUnauthorized)
		use("as Basic", "Basic "+token, http.StatusUnauthorized)
	}
}

// TestTokenPages: a web page may ask for a token, look up where, and read what it
// is refused.
func TestTokenPages(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	for _, x := range []struct {
		method, path string
		status       int
	}{
		{"OPTIONS", "/contoso/oauth2/v2.0/token", 204},
		{"OPTIONS", "/contoso/oauth2/token", 204},
		{"OPTIONS", "/nobody/v2.0/.well-known/openid-configuration", 204},
		{"POST", "/contoso/oauth2/v2.0/token", 400},
		{"POST", "/nobody/oauth2/token", 400},
		{"GET", "/contoso/oauth2/token", 405},
		{"GET", "/contoso/oauth2/v2.0/authorize", 404},
		{"GET", "/contoso/.well-known/openid-configuration", 200},
		{"GET", "/contoso/v2.0/.well-known/openid-configuration", 200},
		{"GET", "/common/discovery/keys", 200},
	} {
		header := []string{"Origin", "https://pages.example"}
		if x.method == http.MethodOptions {
			header = append(header, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
		}
		res, body := s.do(t, x.method, x.path, "", header...)
		h := res.Header
		if res.StatusCode != x.status || len(h.Values("Access-Control-Allow-Origin")) != 1 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s %s: %d %v %s", x.method, x.path, res.StatusCode, h, body)
		}
		if x.method == http.MethodOptions && (h.Get("Access-Control-Allow-Headers") != "content-type" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST")) {
			t.Errorf("%s %s: %v", x.method, x.path, h)
		}
	}
}

// post sends a form, with the names as they are.
func (s *server) post(t testing.TB, path, form string) (*http.Response, string) {
	t.Helper()
	res, err := s.http.Post("https://"+s.addr+path, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
