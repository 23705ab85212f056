package sdk

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// A tokenAnswer is what tokens.py and tokens.mjs print.
type tokenAnswer struct {
	Status  int
	Expires int
	Version string
	Error   string
	Codes   []int
}

// tokenJob gives a job to a program and returns its answer.
func tokenJob(t *testing.T, job map[string]any, env string, program ...string) tokenAnswer {
	t.Helper()
	in, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), env)
	var diag kit.Log
	cmd.Stderr = &diag
	out, err := cmd.Output()
	var a tokenAnswer
	if err == nil {
		err = json.Unmarshal(out, &a)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", program[len(program)-1], err, out, &diag)
	}
	return a
}

// resource is what the programs ask for with their tokens.
func (s *server) resource() string {
	return s.url + "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=" + fromDate + ",toDateTime=" + toDate + ")"
}

// python returns the Python that has MSAL: Debian's, where another may be in
// front of it.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import msal, requests").Run() == nil {
			return name
		}
	}
	kit.Missing(t, "there is no Python with MSAL: install python3-msal")
	return ""
}

// TestPythonTokens signs in with MSAL for Python, by secret and by certificate.
// Asked whether it is an authority, trunklog says so to a library that leaves the
// port out.
func TestPythonTokens(t *testing.T) {
	py := python(t)
	h := newHouse(t, nil)
	h.trunklog(t, "tenant", "set", "contoso", "--also", "contoso.onmicrosoft.com", "--yes")
	keys := newKeyPair(t)
	both, err := os.ReadFile(keys.both)
	if err != nil {
		t.Fatal(err)
	}
	private, _, _ := strings.Cut(string(both), "-----BEGIN CERTIFICATE")
	thumbprint := sha1.Sum(keys.Certificate.Raw)
	certified := h.newClient(t, "certified", "--cert", keys.pem)
	certificate := map[string]string{"private_key": private, "thumbprint": hex.EncodeToString(thumbprint[:])}
	s := h.serve(t)
	discovery := s.url + "/common/discovery/instance"
	for _, x := range []struct {
		name, tenant, client string
		credential, discover any
		want                 tokenAnswer
	}{
		{"by id", tenantID, h.reader.ClientID, h.reader.ClientSecret, false, tokenAnswer{Status: 200, Expires: 3599}},
		{"by a further name", "contoso.onmicrosoft.com", h.reader.ClientID, h.reader.ClientSecret, false, tokenAnswer{Status: 200, Expires: 3599}},
		{"with instance discovery", "contoso", h.reader.ClientID, h.reader.ClientSecret, discovery, tokenAnswer{Status: 200, Expires: 3599}},
		{"by certificate", "contoso", certified.ClientID, certificate, discovery, tokenAnswer{Status: 200, Expires: 3599}},
		{"of no tenant in particular", "organizations", h.reader.ClientID, h.reader.ClientSecret, discovery, tokenAnswer{Error: "invalid_request", Codes: []int{90002}}},
		{"with a wrong secret", "contoso", h.reader.ClientID, "wrong", false, tokenAnswer{Error: "invalid_client", Codes: []int{7000215}}},
	} {
		job := map[string]any{
			"authority": s.url + "/" + x.tenant, "client": x.client, "credential": x.credential, "discovery": x.discover, "resource": s.resource(),
		}
		got := tokenJob(t, job, "REQUESTS_CA_BUNDLE="+s.CA(), py, "tokens.py")
		if got.Status != x.want.Status || got.Expires != x.want.Expires || got.Error != x.want.Error || len(got.Codes) != len(x.want.Codes) || len(got.Codes) > 0 && got.Codes[0] != x.want.Codes[0] {
			t.Errorf("%s: %+v instead of %+v", x.name, got, x.want)
		}
	}
}

// TestOpenIDTokens signs in with an OpenID client that compares the issuer with
// where its document lies, by both versions, and checks each token against the
// same document.
func TestOpenIDTokens(t *testing.T) {
	needJS(t)
	h := newHouse(t, nil)
	s := h.serve(t)
	v1 := map[string]string{"resource": "https://graph.microsoft.com"}
	v2 := map[string]string{"scope": "https://graph.microsoft.com/.default"}
	for _, x := range []struct {
		issuer, auth, secret string
		parameters           map[string]string
		want                 tokenAnswer
	}{
		{"/v2.0", "ClientSecretPost", h.reader.ClientSecret, v2, tokenAnswer{Status: 200, Expires: 3599, Version: "2.0"}},
		{"/v2.0", "ClientSecretBasic", h.reader.ClientSecret, v2, tokenAnswer{Status: 200, Expires: 3599, Version: "2.0"}},
		{"", "ClientSecretPost", h.reader.ClientSecret, v1, tokenAnswer{Status: 200, Expires: 3599, Version: "1.0"}},
		{"", "ClientSecretBasic", h.reader.ClientSecret, v1, tokenAnswer{Status: 200, Expires: 3599, Version: "1.0"}},
		{"", "ClientSecretPost", "wrong", v1, tokenAnswer{Status: 401, Error: "invalid_client"}},
		{"", "ClientSecretPost", h.reader.ClientSecret, v2, tokenAnswer{Status: 400, Error: "invalid_resource"}},
	} {
		job := map[string]any{
			"issuer": s.url + "/" + tenantID + x.issuer, "auth": x.auth, "client": h.reader.ClientID, "secret": x.secret,
			"parameters": x.parameters, "resource": s.resource(),
		}
		got := tokenJob(t, job, "NODE_EXTRA_CA_CERTS="+s.CA(), "node", "tokens.mjs")
		if got.Status != x.want.Status || got.Expires != x.want.Expires || got.Error != x.want.Error || got.Version != x.want.Version {
			t.Errorf("issuer %q, %s, %v: %+v instead of %+v", x.issuer, x.auth, x.parameters, got, x.want)
		}
	}
}
