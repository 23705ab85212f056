package auth

import (
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const (
	apiID   = "a91a91a9-0000-4000-8000-00000000000a"
	apiURI  = "api://calls.contoso.example"
	robotID = "b07b07b0-0000-4000-8000-00000000000b"
)

// stsKey is the signing key of an sts.
var stsKey = fixedRSA("entra")

// An sts plays Entra's token service on this machine.
type sts struct {
	*httptest.Server

	mu      sync.Mutex
	keys    map[string]*rsa.PrivateKey
	extra   []map[string]any // more keys for the key set
	fail    bool
	hit     map[string]int
	doc     func(issuer string, doc map[string]any) // changes the discovery document
	release chan struct{}                           // answers wait for it, unless nil
}

func newSTS(t *testing.T) *sts {
	s := &sts{keys: map[string]*rsa.PrivateKey{"k1": stsKey()}, hit: map[string]int{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *sts) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	release := s.release
	s.hit[r.URL.Path]++
	s.mu.Unlock()
	if release != nil {
		select {
		case <-release:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tenant, rest := splitPath(r.URL.Path)
	switch {
	case s.fail:
		http.Error(w, "out of order", http.StatusBadGateway)
	case rest == pathConfig:
		issuer := s.URL + "/" + tenant + "/v2.0"
		doc := map[string]any{"issuer": issuer, "jwks_uri": s.URL + "/" + tenant + "/" + pathKeys}
		if s.doc != nil {
			s.doc(issuer, doc)
		}
		_ = json.NewEncoder(w).Encode(doc)
	case rest == pathKeys:
		set := append([]map[string]any{}, s.extra...)
		for kid, k := range s.keys {
			set = append(set, jwkOf(kid, &k.PublicKey))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
	default:
		http.NotFound(w, r)
	}
}

func jwkOf(kid string, k *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func (s *sts) hits(tenant string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hit["/"+tenant+"/"+pathKeys]
}

func (s *sts) set(f func(*sts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// entraWorld returns a world that accepts tokens of s for contoso.
func entraWorld(t *testing.T, s *sts, change ...func(*Config)) *world {
	return newWorld(t, append([]func(*Config){func(c *Config) {
		c.Entra = &EntraConfig{Tenants: []string{strings.ToUpper(contoso)}, Audiences: []string{strings.ToUpper(apiID), apiURI}, HTTP: s.Client(), AuthorityOverride: s.URL + "/"}
	}}, change...)...)
}

// v2 and v1 return the claims of a valid token of either version.
func (s *sts) v2() fields {
	now := testStart.Unix()
	return fields{
		{"aud", quote(apiID)},
		{"iss", quote(s.URL + "/" + contoso + "/v2.0")},
		{"iat", num(now - 300)},
		{"nbf", num(now - 300)},
		{"exp", num(now + 3600)},
		{"aio", `"E2Zg"`},
		{"azp", quote(robotID)},
		{"azpacr", `"1"`},
		{"oid", quote(nobody)},
		{"rh", `"0."`},
		{"roles", `["CallRecords.Read.All"]`},
		{"sub", quote(nobody)},
		{"tid", quote(contoso)},
		{"uti", `"x"`},
		{"ver", `"2.0"`},
	}
}

func (s *sts) v1() fields {
	return s.v2().without("azp", "azpacr").with("aud", quote(apiURI)).with("iss", quote("https://sts.windows.net/"+contoso+"/")).
		with("appid", quote(robotID)).with("appidacr", `"1"`).with("idp", quote("https://sts.windows.net/"+contoso+"/")).with("ver", `"1.0"`)
}

func entraHead(kid string) fields {
	return fields{{"typ", `"JWT"`}, {"alg", `"RS256"`}, {"kid", quote(kid)}}
}

// token signs claims with the key of that id.
func (s *sts) token(kid string, claims fields) string {
	s.mu.Lock()
	key := s.keys[kid]
	s.mu.Unlock()
	return forge(entraHead(kid).String(), claims.String(), pkcs1(key, crypto.SHA256))
}

func TestEntra(t *testing.T) {
	s := newSTS(t)
	w := entraWorld(t, s)
	for name, token := range map[string]string{
		"v2":                  s.token("k1", s.v2()),
		"v1":                  s.token("k1", s.v1()),
		"v2, App ID URI":      s.token("k1", s.v2().with("aud", quote(apiURI))),
		"v2, idtyp":           s.token("k1", s.v2().with("idtyp", `"app"`)),
		"v2, another role":    s.token("k1", s.v2().with("roles", `["x","CallRecords.Read.All"]`)),
		"v1, with x5t":        forge(entraHead("k1").with("x5t", `"k1"`).String(), s.v1().String(), pkcs1(stsKey(), crypto.SHA256)),
		"v2, upper case app":  s.token("k1", s.v2().with("azp", quote(strings.ToUpper(robotID)))),
		"skew of 5 min":       s.token("k1", s.v2().with("nbf", num(testStart.Unix()+300)).with("iat", num(testStart.Unix()+300))),
		"skew of 5 min, past": s.token("k1", s.v2().with("exp", num(testStart.Unix()-299))),
		"a day's life":        s.token("k1", s.v2().with("exp", num(testStart.Unix()+86400))),
	} {
		id, e := verifyOn(t, w.Authority, withToken(token), RoleRead)
		if e != nil || id.Tenant != contoso || id.Client != robotID {
			t.Errorf("%s: %+v, %v", name, id, e)
		}
	}
	if got := s.hits(contoso); got != 1 {
		t.Errorf("the keys were read %d times", got)
	}
	if _, e := verifyOn(t, w.Authority, withToken(s.token("k1", s.v2())), RoleIngest); status(e) != 403 {
		t.Errorf("it may ingest: %v", e)
	}
	// The server accepts its own tokens as well.
	_, own := w.token(contoso)
	if _, e := verifyOn(t, w.Authority, withToken(own), RoleRead); e != nil {
		t.Errorf("our own token: %v", e)
	}
}

func TestEntraTenants(t *testing.T) {
	s := newSTS(t)
	claims := func(tid string) fields {
		return s.v2().with("tid", quote(tid)).with("iss", quote(s.URL+"/"+tid+"/v2.0"))
	}
	all := entraWorld(t, s, func(c *Config) { c.Entra.Tenants = []string{"*"} })
	for tid, want := range map[string]int{contoso: 200, fabrikam: 200, nobody: 401} {
		id, e := verifyOn(t, all.Authority, withToken(s.token("k1", claims(tid))), RoleRead)
		if status(e) != want || e == nil && id.Tenant != tid {
			t.Errorf("with *, tenant %s: %+v, %v", tid, id, e)
		}
	}
	if s.hits(nobody) != 0 {
		t.Error("the keys of a tenant that nobody knows were read")
	}
	one := entraWorld(t, s)
	one.x.remove(contoso)
	if _, e := verifyOn(t, one.Authority, withToken(s.token("k1", claims(contoso))), RoleRead); status(e) != 401 || e.Message != msgTenant {
		t.Errorf("a tenant that is not there any more: %v", e)
	}
	one.x.fail = errors.New("disk on fire")
	if _, e := verifyOn(t, one.Authority, withToken(s.token("k1", claims(contoso))), RoleRead); status(e) != 503 {
		t.Errorf("a tenant that cannot be found: %v", e)
	}
}

// TestClouds checks the table of clouds by its users.
func TestClouds(t *testing.T) {
	s := newSTS(t)
	for _, c := range Clouds() {
		if got, err := CloudNamed(c.Name); err != nil || got != c {
			t.Errorf("%s: %+v, %v", c.Name, got, err)
		}
		for _, u := range []string{c.Authority, c.Graph, c.STS} {
			if !strings.HasPrefix(u, "https://") || strings.HasSuffix(u, "/") {
				t.Errorf("%s has the root %q", c.Name, u)
			}
		}
		if !graphAudience(c.Graph) || !graphAudience(c.Graph+"/") {
			t.Errorf("%s is not the audience of Graph", c.Graph)
		}
		w := entraWorld(t, s, func(conf *Config) { conf.Entra.Cloud = c.Name })
		token := s.token("k1", s.v1().with("iss", quote(c.STS+"/"+contoso+"/")))
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
			t.Errorf("a v1 token of %s: %v", c.Name, e)
		}
	}
	if c, err := CloudNamed(""); err != nil || c.Name != "global" {
		t.Errorf("the default is %+v, %v", c, err)
	}
	if _, err := CloudNamed("moon"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "usgov-l5, china") {
		t.Errorf("an unknown cloud: %v", err)
	}
	conf := testConfig(testKeys()["RS256"].clone(), nil, nil)
	conf.Entra = &EntraConfig{Tenants: []string{contoso}, Audiences: []string{apiID}}
	a, err := New(t.Context(), conf)
	if err != nil || a.entra.client.Timeout == 0 || a.entra.authority != "https://login.microsoftonline.com" {
		t.Errorf("the defaults: %+v, %v", a, err)
	}
}

// TestEntraHints shows that the answer to a token for Graph says that it is only for Graph.
func TestEntraHints(t *testing.T) {
	s := newSTS(t)
	w := entraWorld(t, s)
	for aud, want := range map[string]string{
		"https://graph.microsoft.com":          hintForGraph,
		"00000003-0000-0000-c000-000000000000": hintForGraph,
		robotID:                                "",
	} {
		_, e := verifyOn(t, w.Authority, withToken(s.token("k1", s.v1().with("aud", quote(aud)))), RoleRead)
		if status(e) != 401 || e.Message != msgAudience || e.Hint != want {
			t.Errorf("aud %s: %v, hint %q", aud, e, e.Hint)
		}
	}
}
