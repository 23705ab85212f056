package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// fuzzWorld returns an authority, and a prover with the id of one of its clients. The keys are new
// in each run, so no seed is a valid token.
func fuzzWorld(f *testing.F) (*Authority, prover) {
	kv := newMemKV()
	c := testConfig(kv, nil, nil)
	c.Alg = "ES256"
	unlimited(&c)
	c.Entra = &EntraConfig{Tenants: []string{"*"}, Audiences: []string{apiID}, HTTP: &http.Client{Transport: noNetwork{}}}
	a, err := New(context.Background(), c)
	if err != nil {
		f.Fatal(err)
	}
	der := selfSigned(attackerEC(), testStart)
	client, _, err := a.CreateClient(context.Background(), contoso, "fuzz", ClientOptions{Certificate: encodePEM("CERTIFICATE", der)})
	if err != nil {
		f.Fatal(err)
	}
	return a, prover{client: client.ID}
}

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is no network")
}

// FuzzVerify sends any text in the Authorization header. A fuzzer cannot find a valid token, so the
// server must refuse each one.
func FuzzVerify(f *testing.F) {
	a, _ := fuzzWorld(f)
	for _, s := range []string{"", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5"} {
		f.Add(s)
	}
	for _, head := range []fields{
		{{"typ", `"at+jwt"`}, {"alg", `"ES256"`}, {"kid", quote(a.keys.keys[0].kid)}},
		{{"typ", `"JWT"`}, {"alg", `"RS256"`}, {"kid", `"k1"`}},
		{{"typ", `"JWT"`}, {"alg", `"none"`}},
	} {
		claims := fields{{"aud", quote(apiID)}, {"iss", quote("https://sts.windows.net/" + contoso + "/")}, {"tid", quote(contoso)}}
		f.Add("Bearer " + forge(head.String(), claims.String(), constant(make([]byte, 64))))
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{header}
		_, e := verifyOn(t, a, r, RoleRead)
		if status(e) != 401 && status(e) != 503 {
			t.Fatalf("%q gets %v", header, e)
		}
	})
}

// FuzzAssertion presents any text as a client assertion, and any claims signed with the client's
// key. The text is never valid. If the claims are, encoding/json must read the same in them.
func FuzzAssertion(f *testing.F) {
	a, p := fuzzWorld(f)
	c, err := a.client(context.Background(), contoso, p.client)
	if err != nil {
		f.Fatal(err)
	}
	req := request{tenant: contoso, root: testRoot, endpoints: []string{testRoot + tokenPath(contoso)}, client: c.ID}
	now := testStart.Unix()
	f.Add("a.b.c", `{"sub":"x"}`)
	f.Add(forge(`{"alg":"PS256","x5t#S256":"AA=="}`, `{"sub":"`+c.ID+`"}`, constant([]byte{1})), fields{
		{"aud", quote(testRoot + tokenPath(contoso))}, {"exp", num(now+600) + ".5"}, {"iss", quote(c.ID)}, {"jti", `"1"`}, {"nbf", quote(num(now))}, {"sub", quote(c.ID)},
	}.String())
	f.Fuzz(func(t *testing.T, text, claims string) {
		if j, why := parseAssertion(text); why == nil {
			if _, why := a.checkAssertion(c, j, req); why == nil {
				t.Fatalf("%q is good", text)
			}
		}
		j, why := parseAssertion(forge(`{"alg":"ES256"}`, claims, ec(attackerEC(), rs)))
		if why != nil {
			return
		}
		if _, why = a.checkAssertion(c, j, req); why != nil {
			return
		}
		var m struct {
			Iss, Sub, JTI string
			Aud           any
			Exp           any
		}
		if err := json.Unmarshal([]byte(claims), &m); err != nil || !strings.EqualFold(m.Iss, c.ID) || !strings.EqualFold(m.Sub, c.ID) || m.JTI == "" || m.Aud == nil || m.Exp == nil {
			t.Fatalf("the claims %s are good: %+v, %v", claims, m, err)
		}
	})
}

// FuzzTokenBody sends any body to the token endpoint. The answer is JSON with status 4xx and
// without a token.
func FuzzTokenBody(f *testing.F) {
	a, p := fuzzWorld(f)
	h := a.Handler()
	f.Add("")
	f.Add("grant_type=client_credentials&scope=x%2F.default&client_id=" + p.client + "&client_secret=x")
	f.Add(form("grant_type", "client_credentials", "scope", anyScope, "client_assertion_type", assertionType, "client_assertion", "a.b.c"))
	f.Add("a=1&a=2;b=%zz")
	f.Add("Grant_Type=client_credentials&Resource=x&Client_Id=" + p.client + "&Client_Secret=x%0a")
	f.Fuzz(func(t *testing.T, body string) {
		path := pathToken
		if len(body)%2 == 1 {
			path = pathTokenV1
		}
		w := do(h, http.MethodPost, "/"+contoso+"/"+path, body, "Content-Type", "", "Content-Type", "application/x-www-form-urlencoded")
		ans := readAnswer(t, w)
		if w.Code < 400 || w.Code > 499 || ans.Error == "" || ans.Token != "" {
			t.Fatalf("%q gets %d %s", body, w.Code, w.Body)
		}
		for _, c := range ans.Description {
			// The characters of RFC 6749, section 5.2.
			if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
				t.Fatalf("%q gets the description %q", body, ans.Description)
			}
		}
	})
}

// FuzzObject parses any text as an object. encoding/json must accept all that parseObject accepts,
// and find the same members.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, ` {"a" : [1,{"b":"]"}] , "c":"\""} `, `{"a":1,"a":2}`, `{"\u0061":1}`, `{"a":[[[[[[[[[[]]]]]]]]]]}`, "{\"\xff\":1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := parseObject([]byte(s))
		if err != nil {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &m); err != nil || len(m) != len(o) {
			t.Fatalf("%q: %v, %v, %v", s, o, m, err)
		}
		for name, v := range m {
			if string(o[name]) != string(v) {
				t.Fatalf("%q: %s is %q instead of %q", s, name, o[name], v)
			}
			text, ok := o.text(name)
			var want string
			if is := json.Unmarshal(v, &want) == nil && v[0] == '"'; is != ok || text != want {
				t.Fatalf("%q: %s reads %q, %v instead of %q", s, name, text, ok, want)
			}
			o.texts(name)
			o.seconds(name)
			if n, ok := o.looseSeconds(name); ok && (n < 0 || n >= maxSeconds) {
				t.Fatalf("%q: %s is the time %d", s, name, n)
			}
		}
	})
}

// FuzzForm compares parseForm with url.ParseQuery. parseForm refuses repeated names, and returns
// the names in lower case.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "a=b", "a=b&a=c", "a=b&A=c", "Scope=A&cLIENT_ID=B", "\u212a=x&k=y", "%ff=a&%fe=b", "a=%zz", "a;b", strings.Repeat("&", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, why := parseForm(s)
		want, err := url.ParseQuery(s)
		if why != nil {
			return
		}
		lower := url.Values{}
		for name, values := range want {
			lower[strings.ToLower(name)] = values
		}
		if err != nil || got.Encode() != lower.Encode() || len(lower) != len(want) {
			t.Fatalf("%q is %v instead of %v, %v", s, got, want, err)
		}
		for name, values := range got {
			if len(values) != 1 {
				t.Fatalf("%q has %s %d times", s, name, len(values))
			}
		}
	})
}
