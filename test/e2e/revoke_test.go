package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/source/push"
	"github.com/trunklog/trunklog/test/kit"
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
	want("the token of the previous secret", status(), http.StatusOK)
	second := change("rotate")
	want("the newest secret", mint(second.ClientSecret), http.StatusOK)
	want("the oldest secret", mint(c.ClientSecret), http.StatusUnauthorized)
	want("the token of the oldest secret", status(), http.StatusUnauthorized)
	token = strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", "contoso", "--client", c.ClientID, "--secret", second.ClientSecret))
	want("the token of the newest secret", status(), http.StatusOK)
	change("disable")
	want("the token of a disabled client", status(), http.StatusUnauthorized)
	if got := mint(second.ClientSecret); got == http.StatusOK {
		t.Errorf("the secret of a disabled client: status %d", got)
	}
	change("enable")
	want("the secret of an enabled client", mint(second.ClientSecret), http.StatusOK)
}

// TestTakenBackMeanwhile: a client loses its right while its body comes, in every way
// there is. What was written before stays and is told, the rest is refused, and one
// that may goes on where it ended.
func TestTakenBackMeanwhile(t *testing.T) {
	kit.Long(t)
	data := t.TempDir()
	newTenant(t, data, "contoso", contosoID)
	s := start(t, data)
	rows := strings.SplitAfter(canaryRows("meanwhile", 6000), "\n")
	stored := func() string {
		return strings.TrimSpace(must(t, "", "calls", "count", "--data", data, "--tenant", "contoso"))
	}
	for i, c := range []struct {
		args   string
		status int
	}{
		{"client delete pusher --yes", http.StatusUnauthorized},
		{"client disable pusher", http.StatusUnauthorized},
		{"client rotate pusher --leaked", http.StatusUnauthorized},
		{"client set pusher --role CallRecords.Read.All --remove-role CallRecords.Ingest", http.StatusForbidden},
	} {
		must(t, "", "calls", "delete", "--all", "--data", data, "--tenant", "contoso", "--yes")
		secret := filepath.Join(t.TempDir(), "secret")
		must(t, "", "client", "create", "pusher", "--data", data, "--tenant", "contoso", "--role", "CallRecords.Ingest", "--secret-out", secret)
		token := strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", "contoso", "--client", "pusher", "--secret-file", secret))
		body, send := io.Pipe()
		go func() {
			defer send.Close()
			_, _ = io.WriteString(send, strings.Join(rows[:5500], ""))
			for deadline := time.Now().Add(patience); stored() != "5000" && time.Now().Before(deadline); {
				time.Sleep(20 * time.Millisecond) // between two looks; the deadline decides
			}
			if _, errs, code := command(t, "", append(strings.Fields(c.args), "--data", data, "--tenant", "contoso")...); code != 0 {
				t.Errorf("%s: %s", c.args, errs)
			}
			_, _ = io.WriteString(send, strings.Join(rows[5500:], ""))
		}()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.addr+push.Path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/x-ndjson")
		res, err := s.http.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != c.status || !strings.Contains(string(answer), "5000 records of this body were accepted before and are kept") || stored() != "5000" {
			t.Errorf("%s: status %d, %s rows: %s, %v", c.args, res.StatusCode, stored(), answer, err)
		}
		if i > 0 {
			must(t, "", "client", "delete", "pusher", "--data", data, "--tenant", "contoso", "--yes")
		}
		if status, _, _, err := s.deliver(t.Context(), token, rows[0]); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: the token again: status %d, %v", c.args, status, err)
		}
		status, said, _, err := s.deliver(t.Context(), newPusher(t, data, "contoso"), strings.Join(rows, ""))
		if err != nil || status != http.StatusOK || !strings.Contains(said, `{"accepted":6000,"new":1000,`) {
			t.Errorf("%s: sent again by another: status %d: %s, %v", c.args, status, said, err)
		}
	}
}
