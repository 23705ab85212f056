package auth

import (
	"crypto"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// v1Form returns the body of a token request to v1.0.
func v1Form(id string, s Secret) string {
	return form("grant_type", "client_credentials", "client_id", id, "client_secret", s.Reveal(), "resource", "https://graph.microsoft.com")
}

// TestV1 follows a client that knows only Entra's v1.0. It finds the endpoint in the document, and
// its token has the issuer that the document names.
func TestV1(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	h := w.Handler()
	var conf struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
		JWKS   string `json:"jwks_uri"`
	}
	decode(t, do(h, "GET", "/contoso.example/"+pathConfigV1, "").Body.Bytes(), &conf)
	if rec := do(h, "GET", strings.TrimPrefix(conf.JWKS, testRoot), ""); rec.Code != http.StatusOK {
		t.Errorf("the keys get %d %s", rec.Code, rec.Body)
	}
	rec := do(h, "POST", strings.TrimPrefix(conf.Token, testRoot), v1Form(c.ID, s))
	var body map[string]string // fails to decode a number
	decode(t, rec.Body.Bytes(), &body)
	f := newForger(w.Authority, body["access_token"])
	for claim, want := range map[string]string{
		"iss": quote(conf.Issuer), "ver": `"1.0"`, "exp": body["expires_on"], "nbf": body["not_before"],
		"appid": quote(c.ID), "idtyp": `"app"`, "app_displayname": quote(c.Name),
	} {
		if got := f.payload.get(claim); got != want {
			t.Errorf("%s is %s instead of %s", claim, got, want)
		}
	}
	if n, err := strconv.Atoi(body["expires_in"]); err != nil || n != 3599 || body["ext_expires_in"] != body["expires_in"] {
		t.Errorf("expires_in is %s, ext_expires_in is %s", body["expires_in"], body["ext_expires_in"])
	}
	if _, e := verifyOn(t, w.another(), withToken(f.token), RoleRead); e != nil {
		t.Error(e)
	}
	// A token with the issuer of the other version is not valid.
	for _, x := range []fields{f.payload.with("ver", `"2.0"`), f.payload.with("iss", quote(testRoot+"/"+contoso+"/v2.0"))} {
		if _, e := verifyOn(t, w.Authority, withToken(f.claims(x.String())), RoleRead); status(e) != 401 || e.Message != msgIssuer {
			t.Errorf("%s: %v", x, e)
		}
	}
}

// TestV1Assertion shows that v1.0 accepts assertions whose audience is of v1.0, as those of ADAL
// are, and none of v2.0.
func TestV1Assertion(t *testing.T) {
	w := newWorld(t, unlimited)
	key := attackerKey()
	p := newProver(w, key)
	p = p.without("x5t#S256").head("x5t", quote(b64(one(p.der)))).signedBy("RS256", pkcs1(key, crypto.SHA256))
	path := "/contoso.example/" + pathTokenV1
	for _, x := range []struct {
		aud  string
		code int
	}{
		{testRoot + path, 200},
		{testRoot + "/" + contoso + "/" + pathTokenV1, 200},
		{testRoot + "/" + contoso, 200},
		{testRoot + "/" + contoso + "/", 401},
		{testRoot + "/" + contoso + "/v2.0", 401},
		{testRoot + tokenPath(contoso), 401},
		{"https://sts.windows.net/" + contoso + "/", 401},
	} {
		body := p.claim("aud", quote(x.aud)).claim("jti", quote(x.aud)).form("resource", "api://trunklog")
		rec := do(w.Handler(), "POST", path, body)
		if rec.Code != x.code {
			t.Errorf("aud %s: %d %s", x.aud, rec.Code, rec.Body)
		}
		if rec.Code != http.StatusOK {
			continue
		}
		var got struct {
			Token string `json:"access_token"`
		}
		decode(t, rec.Body.Bytes(), &got)
		f := newForger(w.Authority, got.Token)
		if acr, azp := f.payload.get("appidacr"), f.payload.get("azpacr"); acr != `"2"` || azp != `"2"` {
			t.Errorf("a client with a key has appidacr %s and azpacr %s", acr, azp)
		}
	}
}

// TestEarlierTokens shows that the server accepts a token of an earlier version, without the newer
// claims.
func TestEarlierTokens(t *testing.T) {
	w := newWorld(t)
	_, token := w.token(contoso)
	f := newForger(w.Authority, token)
	old := f.payload.without("app_displayname", "appidacr", "azpacr", "idtyp", "uti", "via")
	if len(f.payload)-len(old) != 6 {
		t.Fatalf("the claims are %s", f.payload)
	}
	if _, e := verifyOn(t, w.Authority, withToken(f.claims(old.String())), RoleRead); e != nil {
		t.Error(e)
	}
}

// TestCarried shows that the server accepts a token in the same forms as Graph, and says what is
// wrong with every other.
func TestCarried(t *testing.T) {
	w := newWorld(t)
	_, token := w.token(contoso)
	for header, want := range map[string]string{
		"Bearer " + token:                     "",
		"bearer     " + token:                 "",
		token:                                 "",
		"Bearer":                              hintNoBearer,
		"Bearer   ":                           hintNoBearer,
		"Basic eDp5":                          hintNoBearer,
		"Token " + token:                      hintNoBearer,
		"tlk_notatoken":                       hintNoBearer,
		"Bearer Bearer " + token:              hintTwice,
		"Bearer bearer" + token:               hintTwice,
		`Bearer "` + token + `"`:              hintQuoted,
		`Bearer {"access_token":"x"}`:         hintQuoted,
		"Bearer null":                         hintNotAToken,
		"Bearer System.Security.SecureString": hintNotAToken,
		"Bearer $token":                       hintNotAToken,
	} {
		r := withToken("")
		r.Header.Set("Authorization", header)
		_, e := verifyOn(t, w.Authority, r, RoleRead)
		good := slices.Contains([]string{token, "Bearer " + token, "bearer     " + token}, header)
		switch {
		case good != (e == nil):
			t.Errorf("%.30q: %v", header, e)
		case e != nil && e.Hint != want:
			t.Errorf("%.30q: the hint is %q instead of %q", header, e.Hint, want)
		}
	}
}

// TestAssertionClock shows that the server tells its own time to a client whose clock is wrong.
func TestAssertionClock(t *testing.T) {
	w := newWorld(t, unlimited)
	p := newProver(w, attackerKey())
	now := testStart.Unix()
	for name, x := range map[string]prover{
		"an hour behind": p.claim("exp", num(now-3000)).claim("nbf", num(now-3600)),
		"an hour ahead":  p.claim("exp", num(now+4200)).claim("nbf", num(now+3600)),
		"begins later":   p.claim("nbf", num(now+300)),
	} {
		got := readAnswer(t, ask(w.Authority, x.form()))
		if !slices.Equal(got.Codes, []int{700024}) || !strings.Contains(got.Description, "here it is 2026-11-23T12:00:0") {
			t.Errorf("%s: %v %s", name, got.Codes, got.Description)
		}
	}
}
