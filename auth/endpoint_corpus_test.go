package auth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// endpointCorpus returns requests that must get no token.
func endpointCorpus(c Client, s Secret) []func() *http.Request {
	var out []func() *http.Request
	add := func(method, path, body string, header ...string) {
		out = append(out, func() *http.Request {
			r := httptest.NewRequest(method, testRoot+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Add(header[i], header[i+1])
			}
			return r
		})
	}
	path := tokenPath(contoso)
	good := secretForm(c.ID, s)
	for _, m := range []string{"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "post", "PROPFIND"} {
		add(m, path, good)
		add(m, path+"?"+good, "")
	}
	add("POST", path+"?"+good, "")
	for _, name := range []string{"grant_type", "client_id", "client_secret", "scope", "client_assertion", "client_assertion_type", "unknown", ""} {
		add("POST", path, good+"&"+form(name, "a", name, "b"))
		add("POST", path, form(name, "")+"&"+good+"&"+form(name, ""))
	}
	for i, pair := range strings.Split(good, "&") {
		add("POST", path, good+"&"+pair)
		rest := slices.Delete(strings.Split(good, "&"), i, i+1)
		add("POST", path, strings.Join(rest, "&"))
		name, _, _ := strings.Cut(pair, "=")
		for _, v := range []string{"", "%00", "%20", "%ff", "x", "[]", "null", strings.Repeat("x", 60_000)} {
			add("POST", path, strings.Join(append(slices.Clone(rest), name+"="+v), "&"))
		}
		add("POST", path, good+"&"+strings.ToUpper(name)+strings.TrimPrefix(pair, name))
		add("POST", path, strings.Join(append(slices.Clone(rest), strings.ToUpper(name)+"="), "&"))
		add("POST", path, strings.Join(append(slices.Clone(rest), pair+"%00"), "&"))
		add("POST", path, strings.Join(append(slices.Clone(rest), name+"[]"+strings.TrimPrefix(pair, name)), "&"))
	}
	for _, grant := range []string{"Client_Credentials", "CLIENT_CREDENTIALS", "client_credentials ", " client_credentials", "client-credentials", "password", "refresh_token", "authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code", "implicit", "client_credentials,password"} {
		add("POST", path, form("grant_type", grant, "client_id", c.ID, "client_secret", s.Reveal(), "scope", anyScope))
	}
	for _, scope := range []string{"", " ", "\t", "default", "/.default", ".default/", ".default x", ".default /.default", "api://trunklog", "api://trunklog/", "api://trunklog.default", "api://trunklog/.default/", "api://trunklog/.defaults", "CallRecords.Read.All", "openid", "openid profile offline_access", "api://a/.default api://b/.default", "api://a/.default x", "api://a/.default .default", "*"} {
		add("POST", path, form("grant_type", "client_credentials", "client_id", c.ID, "client_secret", s.Reveal(), "scope", scope))
	}
	v1 := "/" + contoso + "/" + pathTokenV1
	add("POST", v1, good)
	for _, resource := range []string{"", " ", "\t"} {
		add("POST", v1, good+"&"+form("resource", resource))
	}
	add("POST", v1+"?resource=api://trunklog", good)
	add("POST", v1, good+"&resource=a&RESOURCE=a")
	real := s.Reveal()
	for _, v := range []string{real[:46], real + "x", " " + real, real + " ", real + "\n", strings.ToUpper(real), strings.ToLower(real), real[4:], "tlk_", "tlk_" + real, reverse(real), "*", "%", "' OR 1=1 --", "\x00", real + "\x00", strings.Repeat("x", 60_000), redacted} {
		add("POST", path, form("grant_type", "client_credentials", "client_id", c.ID, "client_secret", v, "scope", anyScope))
	}
	for _, id := range []string{"x", "*", nobody, c.ID + " ", c.ID[1:], "{" + c.ID + "}", strings.ReplaceAll(c.ID, "-", ""), c.Name, "../" + c.ID, fabrikam + "/" + c.ID, c.ID + "\x00", strings.Repeat("x", 60_000)} {
		add("POST", path, form("grant_type", "client_credentials", "client_id", id, "client_secret", real, "scope", anyScope))
	}
	for _, tenant := range []string{fabrikam, nobody, "common", "organizations", "consumers", "adfs", "..", "%2e%2e", "contoso", "*", "%00", contoso + "%20", contoso + "%2f" + fabrikam, strings.Repeat("x", 5000)} {
		add("POST", tokenPath(tenant), good)
	}
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	bare := form("grant_type", "client_credentials", "scope", anyScope)
	for _, v := range []string{basic(c.ID), basic(c.ID + ":"), basic(":" + real), basic(":"), basic(""), basic(c.ID + ":x"), basic(c.ID + ":" + real + ":"), basic("%zz:" + real), basic(c.ID + ":%zz"), basic(nobody + ":" + real), "Basic " + c.ID + ":" + real, "Basic", "Basic !", "Bearer " + real, "basic" + basic(c.ID + ":" + real)[5:] + "="} {
		add("POST", path, bare, "Authorization", v)
	}
	add("POST", path, bare, "Authorization", basic(c.ID+":"+real), "Authorization", basic(c.ID+":"+real))
	add("POST", path, good, "Authorization", basic(c.ID+":"+real))
	add("POST", path, bare+"&client_id="+nobody, "Authorization", basic(c.ID+":"+real))
	for _, typ := range []string{"", "application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx", "x/x-www-form-urlencoded", ";", "application/x-www-form-urlencoded; charset", "application/xml", "application/jose"} {
		out = append(out, func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, testRoot+path, strings.NewReader(good))
			r.Header.Set("Content-Type", typ)
			return r
		})
	}
	for _, enc := range []string{"gzip", "deflate", "br", "zstd", "gzip, identity", "x"} {
		add("POST", path, good, "Content-Encoding", enc)
	}
	for _, body := range []string{"", "&", "=", "&&&&", "%", "%z", "grant_type", "grant_type=client_credentials;" + strings.ReplaceAll(good, "&", ";"), `{"grant_type":"client_credentials"}`, "\x00", "\xff\xfe" + good, strings.Repeat("a=b&", 300) + good, strings.Repeat("x", maxBody+1), strings.Repeat("x", 10<<20), good + "&x=" + strings.Repeat("x", maxBody), strings.Repeat("&", 70_000)} {
		add("POST", path, body)
	}
	return out
}

func reverse(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

func TestEndpointCorpus(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.TokenRate.Failures.Requests = -1 })
	c, s := w.create(contoso, ClientOptions{})
	h := w.Handler()
	if rec := do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)); rec.Code != 200 {
		t.Fatalf("the good request gets %s, so the corpus proves nothing", rec.Body)
	}
	cases := endpointCorpus(c, s)
	for i, request := range cases {
		r := request()
		rec := httptest.NewRecorder()
		alloc := allocated(func() { h.ServeHTTP(rec, r) })
		what := fmt.Sprintf("case %d: %s %.80s %v", i, r.Method, r.URL, r.Header)
		if rec.Code < 400 || rec.Code >= 500 {
			t.Errorf("%s: %d %s", what, rec.Code, rec.Body)
		}
		if alloc > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", what, alloc)
		}
		if r.Method == http.MethodHead {
			continue
		}
		a := readAnswer(t, rec)
		if a.Token != "" || a.Error == "" || len(a.Codes) != 1 || !strings.HasPrefix(a.Description, fmt.Sprintf("AADSTS%d: ", a.Codes[0])) || !isGUID(a.TraceID) || !isGUID(a.CorrelationID) {
			t.Errorf("%s: %s", what, rec.Body)
		}
		if strings.Contains(rec.Body.String(), s.Reveal()) {
			t.Errorf("%s: the answer repeats the secret", what)
		}
		if rec.Header().Get("Cache-Control") != "no-store" || rec.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: the headers are %v", what, rec.Header())
		}
	}
	t.Logf("%5d hostile requests for a token", len(cases))
	if w.Stats().Issued != 1 {
		t.Errorf("%d tokens were issued", w.Stats().Issued)
	}
	if rec := do(h, "POST", tokenPath(contoso), secretForm(c.ID, s)); rec.Code != 200 {
		t.Errorf("the good request gets %s after the corpus", rec.Body)
	}
}
