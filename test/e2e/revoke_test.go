package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// TestAtOnce: what a command changes while the server runs holds for the next
// request, as the help and docs/decisions/0004 say.
func TestAtOnce(t *testing.T) {
	data := t.TempDir()
	c, token := newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	status := func() int {
		res, _ := s.do(t, http.MethodGet, "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2019-11-01,toDateTime=2019-12-01)", token)
		return res.StatusCode
	}
	mint := func(secret string) int {
		res, err := s.http.PostForm("https://"+s.addr+"/"+c.TenantID+"/oauth2/v2.0/token", url.Values{
			"client_id": {c.ClientID}, "client_secret": {secret}, "grant_type": {"client_credentials"}, "scope": {"api://trunklog/.default"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	want := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	change := func(verb string) (changed credential) {
		args := []string{"client", verb, c.ClientID, "--data", data, "--tenant", "contoso"}
		if verb != "rotate" {
			must(t, "", args...)
			return changed
		}
		if err := json.Unmarshal([]byte(must(t, "", append(args, "-o", "json")...)), &changed); err != nil {
			t.Fatal(err)
		}
		return changed
	}
	want("the token", status(), http.StatusOK)
	want("the secret", mint(c.ClientSecret), http.StatusOK)
	first := change("rotate")
	want("the new secret", mint(first.ClientSecret), http.StatusOK)
	second := change("rotate")
	want("the newest secret", mint(second.ClientSecret), http.StatusOK)
	want("the oldest secret", mint(c.ClientSecret), http.StatusUnauthorized)
	want("the token", status(), http.StatusOK)
	change("disable")
	want("the token of a disabled client", status(), http.StatusUnauthorized)
	if got := mint(second.ClientSecret); got == http.StatusOK {
		t.Errorf("the secret of a disabled client: status %d", got)
	}
	change("enable")
	want("the secret of an enabled client", mint(second.ClientSecret), http.StatusOK)
}
