package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/refuse"
)

// TestIndependentCheck verifies our tokens as another program would, with only the standard library
// and the published keys.
func TestIndependentCheck(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256"} {
		t.Run(alg, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Alg = alg })
			c, s := w.create("contoso.example", ClientOptions{Roles: []string{RoleRead, RoleIngest}})
			h := w.Handler()

			var conf struct {
				Issuer string `json:"issuer"`
				Token  string `json:"token_endpoint"`
				JWKS   string `json:"jwks_uri"`
			}
			decode(t, do(h, "GET", "/contoso.example/"+pathConfig, "").Body.Bytes(), &conf)
			ans := readAnswer(t, do(h, "POST", strings.TrimPrefix(conf.Token, testRoot), secretForm(c.ID, s)))
			var set struct {
				Keys []map[string]string `json:"keys"`
			}
			decode(t, do(h, "GET", strings.TrimPrefix(conf.JWKS, testRoot), "").Body.Bytes(), &set)

			p := strings.Split(ans.Token, ".")
			if len(p) != 3 {
				t.Fatalf("the token has %d parts: %s", len(p), ans.Token)
			}
			var head struct{ Typ, Alg, Kid string }
			decode(t, unb64(p[0]), &head)
			if head.Typ != "at+jwt" || head.Alg != alg {
				t.Errorf("the header is %+v", head)
			}
			i := slices.IndexFunc(set.Keys, func(k map[string]string) bool { return k["kid"] == head.Kid })
			if i < 0 {
				t.Fatalf("key %s is not published: %v", head.Kid, set.Keys)
			}
			if len(set.Keys) != 2 {
				t.Errorf("%d keys are published instead of the current and the next", len(set.Keys))
			}
			verifyByHand(t, set.Keys[i], p)

			var claims map[string]any
			decode(t, unb64(p[1]), &claims)
			now := float64(testStart.Unix())
			for name, want := range map[string]any{
				"iss": conf.Issuer, "aud": DefaultAudience, "tid": contoso, "appid": c.ID, "azp": c.ID, "client_id": c.ID, "ver": "2.0",
				"app_displayname": "test", "idtyp": "app", "appidacr": "1", "azpacr": "1", "uti": claims["jti"], "via": c.Secrets[0].ID,
				"iat": now, "nbf": now, "exp": now + 3600, "roles": []any{RoleRead, RoleIngest}, "sub": claims["oid"],
			} {
				if fmt.Sprint(claims[name]) != fmt.Sprint(want) {
					t.Errorf("%s is %v instead of %v", name, claims[name], want)
				}
			}
			if _, ok := claims["scp"]; ok || len(claims) != 20 {
				t.Errorf("the claims are %v", claims)
			}
		})
	}
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}

func verifyByHand(t *testing.T, jwk map[string]string, p []string) {
	t.Helper()
	if jwk["use"] != "sig" || jwk["alg"] == "" || jwk["d"] != "" {
		t.Errorf("the published key is %v", jwk)
	}
	sum := sha256.Sum256([]byte(p[0] + "." + p[1]))
	num := func(name string) *big.Int { return new(big.Int).SetBytes(unb64(jwk[name])) }
	var thumb string // RFC 7638
	switch jwk["kty"] {
	case "RSA":
		pub := &rsa.PublicKey{N: num("n"), E: int(num("e").Int64())}
		if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], unb64(p[2])); err != nil {
			t.Errorf("the signature is wrong: %v", err)
		}
		thumb = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, jwk["e"], jwk["n"])
	case "EC":
		pub := &ecdsa.PublicKey{Curve: elliptic.P256(), X: num("x"), Y: num("y")} //nolint:staticcheck // an independent check builds its key itself
		sig := unb64(p[2])
		if len(sig) != 64 || !ecdsa.Verify(pub, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			t.Error("the signature is wrong")
		}
		thumb = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, jwk["x"], jwk["y"])
	}
	if h := sha256.Sum256([]byte(thumb)); b64(h[:]) != jwk["kid"] {
		t.Errorf("kid is %s, not the thumbprint %s", jwk["kid"], b64(h[:]))
	}
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	c, token := w.token(contoso)
	id, err := w.Verify(t.Context(), withToken(token), RoleRead)
	if err != nil {
		t.Fatal(err)
	}
	if id.Tenant != contoso || id.Client != c.ID || !slices.Equal(id.Roles, []string{RoleRead}) {
		t.Errorf("the identity is %+v", id)
	}
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleIngest); status(e) != 403 {
		t.Errorf("a reader may ingest: %v", e)
	}
	for _, scheme := range []string{"bearer", "BEARER", "bEaReR"} {
		r := withToken(token)
		r.Header.Set("Authorization", scheme+" "+token)
		if _, e := verifyOn(t, w.Authority, r, RoleRead); e != nil {
			t.Errorf("scheme %s: %v", scheme, e)
		}
	}
	// The second root is ours as well.
	r := request{tenant: contoso, root: aliasURL, client: c.ID}
	_, s, errR := w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{})
	if errR != nil {
		t.Fatal(errR)
	}
	r.secret = s
	tok, _, why := w.grant(t.Context(), r)
	if why != nil {
		t.Fatal(why.err())
	}
	if _, e := verifyOn(t, w.Authority, withToken(tok.Reveal()), RoleRead); e != nil {
		t.Errorf("a token of the other root: %v", e)
	}
	want := Stats{Issued: 2, Allowed: 5, Denied: 1}
	if got := w.Stats(); got != want {
		t.Errorf("the counts are %+v instead of %+v", got, want)
	}
}

// TestWords compares the answers with the words of Graph.
func TestWords(t *testing.T) {
	w := newWorld(t)
	c, token := w.token(contoso)
	f := newForger(w.Authority, token)
	now := testStart.Unix()
	bad := `Bearer realm="", error="invalid_token"`
	check := func(name string, r *http.Request, want refuse.Error) {
		t.Helper()
		_, e := verifyOn(t, w.Authority, r, RoleRead)
		if e == nil {
			t.Errorf("%s: let in", name)
			return
		}
		got := refuse.Error{Status: e.Status, Code: e.Code, Message: e.Message, Challenge: e.Challenge}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
		if (e.Hint != "") != slices.Contains([]string{"no token", "no JWT", "token of Entra"}, name) {
			t.Errorf("%s: the hint is %q", name, e.Hint)
		}
	}
	token401 := func(msg string) refuse.Error {
		return refuse.Error{Status: 401, Code: "InvalidAuthenticationToken", Message: msg, Challenge: bad}
	}
	none := withToken("")
	none.Header.Del("Authorization")
	check("no token", none, refuse.Error{Status: 401, Code: "InvalidAuthenticationToken", Message: "Access token is empty.", Challenge: `Bearer realm=""`})
	check("no JWT", withToken("abc"), token401("CompactToken parsing failed with error code: 80049217"))
	check("audience", withToken(f.claim("aud", `"api://other"`)), token401("Access token validation failure. Invalid audience."))
	check("token of Entra", withToken(f.headed(`{"typ":"JWT","alg":"RS256","kid":"x"}`)), token401("Access token validation failure. Invalid audience."))
	check("expired", withToken(f.claims(f.payload.with("exp", num(now-60)).with("iat", num(now-3600)).String())), token401("Lifetime validation failed, the token is expired."))
	check("too early", withToken(f.claim("nbf", num(now+61))), token401("Lifetime validation failed, the token is not yet valid."))
	check("signature", withToken(token[:len(token)-4]+"AAAA"), token401("Access token validation failure. Invalid signature."))
	check("issuer", withToken(f.claim("iss", `"https://x/"`)), token401("Access token validation failure. Invalid issuer."))
	check("claims", withToken(f.claim("ver", `"3.0"`)), token401("Access token validation failure. Invalid claims."))
	check("no role", withToken(f.claim("roles", "[]")), refuse.Error{Status: 403, Code: "Forbidden", Message: "", Challenge: `Bearer realm="", error="insufficient_scope"`})
	check("of a user", withToken(f.claim("scp", `"CallRecords.Read.All"`)), refuse.Error{Status: 403, Code: "Forbidden", Message: "", Challenge: `Bearer realm="", error="insufficient_scope"`})
	if _, err := w.Disable(t.Context(), contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	check("disabled", withToken(token), token401("Access token validation failure. The application is disabled or does not exist any more."))
	if _, err := w.Enable(t.Context(), contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	check("disabled and enabled", withToken(token), token401("Access token validation failure. The token has been revoked."))
	w.x.remove(contoso)
	check("no tenant", withToken(f.claim("iat", num(now+1))), token401("Access token validation failure. The tenant does not exist any more."))
}

// TestTimes tests the limits of a token's life to the second.
func TestTimes(t *testing.T) {
	w := newWorld(t)
	_, token := w.token(contoso)
	f := newForger(w.Authority, token)
	now := testStart.Unix()
	at := func(exp, nbf, iat int64) string {
		return f.claims(f.payload.with("exp", num(now+exp)).with("nbf", num(now+nbf)).with("iat", num(now+iat)).String())
	}
	for _, c := range []struct {
		exp, nbf, iat int64
		want          int
	}{
		{3600, 0, 0, 200},
		{3601, 0, 0, 401},
		{3601, 0, 1, 200},
		{-59, -3600, -3600, 200},
		{-60, -3600, -3600, 401},
		{-61, -3600, -3600, 401},
		{3600, 59, 0, 200},
		{3600, 60, 0, 200},
		{3600, 61, 0, 401},
		{3600, 0, 60, 200},
		{3600, 0, 61, 401},
		{0, -3600, -3600, 200},
		{1, -3599, -3599, 200},
	} {
		if _, e := verifyOn(t, w.Authority, withToken(at(c.exp, c.nbf, c.iat)), RoleRead); status(e) != c.want {
			t.Errorf("exp %+d, nbf %+d, iat %+d: %v instead of %d", c.exp, c.nbf, c.iat, e, c.want)
		}
	}
	// An issued token ends by itself.
	w.clock.Add(TokenLife + Skew - time.Second)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
		t.Errorf("one second before its end: %v", e)
	}
	w.clock.Add(time.Second)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 401 {
		t.Errorf("at its end: %v", e)
	}
}

// TestRevocation voids valid tokens in every way, in the same process and in another.
func TestRevocation(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w, by *world, c Client) error
		want int
	}{
		{"disable", func(w, by *world, c Client) error { _, err := by.Disable(w.Context(), c.Tenant, c.ID); return err }, 401},
		{"disable and enable", func(w, by *world, c Client) error {
			_, err1 := by.Disable(w.Context(), c.Tenant, c.ID)
			_, err2 := by.Enable(w.Context(), c.Tenant, c.ID)
			return errors.Join(err1, err2)
		}, 401},
		{"delete", func(w, by *world, c Client) error { return by.DeleteClient(w.Context(), c.Tenant, c.ID) }, 401},
		{"leaked secret", func(w, by *world, c Client) error {
			_, _, err := by.RotateSecret(w.Context(), c.Tenant, c.ID, RotateOptions{Leaked: true})
			return err
		}, 401},
		{"rotate", func(w, by *world, c Client) error {
			_, _, err := by.RotateSecret(w.Context(), c.Tenant, c.ID, RotateOptions{})
			return err
		}, 200},
		{"role taken away", func(w, by *world, c Client) error {
			_, err := by.ChangeRoles(w.Context(), c.Tenant, c.ID, []string{RoleIngest}, []string{RoleRead})
			return err
		}, 403},
		{"secret removed", func(w, by *world, c Client) error {
			_, err := by.RemoveKey(w.Context(), c.Tenant, c.ID, strings.ToUpper(c.Secrets[0].ID))
			return err
		}, 401},
		{"tenant removed", func(w, _ *world, c Client) error { w.x.remove(c.Tenant); return nil }, 401},
		{"keys replaced", func(w, by *world, _ Client) error { return by.ReplaceKeys(w.Context()) }, 401},
		{"client made anew with the same id", func(w, by *world, c Client) error {
			s, raw, err := by.loadClient(w.Context(), c.Tenant, c.ID)
			if err != nil {
				return err
			}
			s.Object = nobody
			return by.saveClient(w.Context(), s, raw)
		}, 401},
	} {
		for _, other := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, other process %v", c.name, other), func(t *testing.T) {
				w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
				client, token := w.token(contoso)
				if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
					t.Fatal(e)
				}
				by := w
				if other {
					clone := *w
					clone.Authority = w.another()
					by = &clone
				}
				if err := c.do(w, by, client); err != nil {
					t.Fatal(err)
				}
				if other {
					w.clock.Add(KeyStale + time.Second)
				}
				if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != c.want {
					t.Errorf("the token gets %v instead of %d", e, c.want)
				}
			})
		}
	}
}

// TestStale shows that a change by another process counts after ClientStale, and not before.
func TestStale(t *testing.T) {
	w := newWorld(t)
	c, token := w.token(contoso)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
		t.Fatal(e)
	}
	if _, err := w.another().Disable(t.Context(), contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	loads := w.kv.loads
	w.clock.Add(ClientStale - time.Nanosecond)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil || w.kv.loads != loads {
		t.Errorf("before ClientStale is over: %v, %d reads", e, w.kv.loads-loads)
	}
	w.clock.Add(time.Nanosecond)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 401 {
		t.Errorf("when ClientStale is over: %v", e)
	}
}

// TestChanged shows that an authority sees a change by another process as soon as Changed tells it.
func TestChanged(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
	c, token := w.token(contoso)
	verify := func(want int) {
		t.Helper()
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != want {
			t.Errorf("the token gets %v, want %d", e, want)
		}
	}
	verify(200)
	if _, err := w.another().Disable(t.Context(), contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	w.Changed("tenant/" + contoso)
	w.Changed(nameUsed(contoso, c.ID, "x"))
	verify(200)
	w.Changed(nameClient(contoso, c.ID))
	verify(401)

	_, token = w.token(contoso)
	verify(200)
	if err := w.another().ReplaceKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	verify(200)
	w.Changed(nameKeys)
	verify(401)
}

// TestNewTokenAfterRevocation shows that a client can go on within the same second.
func TestNewTokenAfterRevocation(t *testing.T) {
	w := newWorld(t)
	c, old := w.token(contoso)
	_, s, err := w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{Leaked: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, e := verifyOn(t, w.Authority, withToken(w.mint(c, s)), RoleRead); e != nil {
		t.Errorf("the new token: %v", e)
	}
	if _, e := verifyOn(t, w.Authority, withToken(old), RoleRead); status(e) != 401 {
		t.Errorf("the old token: %v", e)
	}
}

// TestNobodyKnows shows that the server never blames a token for its own trouble.
func TestNobodyKnows(t *testing.T) {
	w := newWorld(t)
	_, token := w.token(contoso)
	broken := errors.New("disk on fire")
	w.kv.setFail(broken)
	w.clock.Add(ClientStale + time.Second)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 503 || e.RetryAfter != 5*time.Second || !errors.Is(e, broken) || strings.Contains(e.Message, "fire") {
		t.Errorf("the client cannot be read: %+v", e)
	}
	w.clock.Add(KeyStale)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 503 || e.Challenge != "" {
		t.Errorf("the keys cannot be read: %+v", e)
	}
	w.kv.setFail(nil)
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
		t.Errorf("all is well again: %v", e)
	}
	w.x.fail = broken
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 503 {
		t.Errorf("the tenant cannot be found: %+v", e)
	}
	if got := w.Stats().Unavailable; got != 3 {
		t.Errorf("%d were counted", got)
	}
}

// TestTenantsAreWalls uses a client and a token of one tenant in another.
func TestTenantsAreWalls(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	if _, _, err := w.Mint(t.Context(), fabrikam, c.ID, s); !errors.Is(err, ErrInvalid) {
		t.Errorf("a client of one tenant got a token in another: %v", err)
	}
	f := newForger(w.Authority, w.mint(c, s))
	moved := f.claims(f.payload.with("tid", quote(fabrikam)).with("iss", quote(testRoot+"/"+fabrikam+"/v2.0")).String())
	if _, e := verifyOn(t, w.Authority, withToken(moved), RoleRead); status(e) != 401 {
		t.Errorf("its token is good in another: %v", e)
	}
}

func TestPSTNRole(t *testing.T) {
	for _, on := range []bool{false, true} {
		w := newWorld(t, func(c *Config) { c.PSTNRole = on })
		c, s, err := w.CreateClient(t.Context(), contoso, "old", ClientOptions{Roles: []string{RoleReadPSTN}})
		if !on {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), RoleRead+", "+RoleIngest) {
				t.Errorf("off: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		token := w.mint(c, s)
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
			t.Errorf("on: %v", e)
		}
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleIngest); status(e) != 403 {
			t.Errorf("it may ingest: %v", e)
		}
		off := w.conf
		off.PSTNRole = false
		a, err := New(t.Context(), off)
		if err != nil {
			t.Fatal(err)
		}
		if _, e := verifyOn(t, a, withToken(token), RoleRead); status(e) != 403 {
			t.Errorf("switched off later: %v", e)
		}
	}
}
