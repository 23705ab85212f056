package auth

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/refuse"
)

// TestEntraKeys follows the keys of a tenant through rotation, failure and age.
func TestEntraKeys(t *testing.T) {
	s := newSTS(t)
	w := entraWorld(t, s)
	next, other := strangerKey(), fixedRSA("other")()
	want := func(name string, token string, code, hits int) {
		t.Helper()
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != code {
			t.Errorf("%s: %v instead of %d", name, e, code)
		}
		if got := s.hits(contoso); got != hits {
			t.Errorf("%s: the keys were read %d times instead of %d", name, got, hits)
		}
	}
	// Without keys the server cannot judge a token. It tries again soon.
	s.set(func(s *sts) { s.fail = true })
	first := s.token("k1", s.v2())
	want("no keys", first, 503, 0)
	s.set(func(s *sts) { s.fail = false })
	want("no keys, at once", first, 503, 0)
	w.clock.Add(jwksHurry)
	want("no keys, soon", first, 200, 1)
	want("again", first, 200, 1)

	// The server reads a new key, but not more than once in a few minutes.
	w.clock.Add(jwksPause)
	s.set(func(s *sts) { s.keys["k2"] = next })
	second := s.token("k2", s.v2())
	want("second key", second, 200, 2)
	s.set(func(s *sts) { s.keys["k3"] = other })
	third := s.token("k3", s.v2().with("exp", num(testStart.Unix()+7*86400)))
	want("third key, too soon", third, 401, 2)
	w.clock.Add(jwksPause - time.Second)
	want("third key, still too soon", third, 401, 2)
	w.clock.Add(time.Second)
	want("third key", third, 200, 3)

	// The server reads the keys again after a day. A key that is gone is no longer valid.
	s.set(func(s *sts) { delete(s.keys, "k1") })
	long := forge(entraHead("k1").String(), s.v2().with("exp", num(testStart.Unix()+7*86400)).String(), pkcs1(stsKey(), crypto.SHA256))
	w.clock.Add(jwksFresh - time.Second)
	want("first key, for a day", long, 200, 3)
	w.clock.Add(time.Second)
	want("first key, withdrawn", long, 401, 4)
	want("third key still", third, 200, 4)

	// While the authority fails, the known keys stay valid.
	s.set(func(s *sts) { s.fail = true })
	w.clock.Add(3 * 24 * time.Hour)
	want("old keys while the authority fails", third, 200, 4)
	if got := w.Stats(); got.JWKSFailed != 2 || got.JWKSFetched != 4 {
		t.Errorf("the counts are %+v", got)
	}
	want("and the next", third, 200, 4)
	if got := w.Stats().JWKSFailed; got != 2 {
		t.Errorf("it was tried %d times at once", got)
	}
	if !strings.Contains(w.logs.String(), "502 Bad Gateway") {
		t.Error("the failure was not logged")
	}
	s.set(func(s *sts) { s.fail = false })
	w.clock.Add(jwksPause)
	want("all is well again", third, 200, 5)
}

// TestEntraKeySets offers key sets with good and bad members.
func TestEntraKeySets(t *testing.T) {
	weak := fixedRSA("weak")()
	good := jwkOf("k1", &stsKey().PublicKey)
	with := func(kv ...any) map[string]any {
		out := map[string]any{}
		for k, v := range good {
			out[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			if kv[i+1] == nil {
				delete(out, kv[i].(string))
			} else {
				out[kv[i].(string)] = kv[i+1]
			}
		}
		return out
	}
	s := newSTS(t)
	for name, x := range map[string]struct {
		jwk  map[string]any
		want bool
	}{
		"as it is":              {with(), true},
		"without use":           {with("use", nil), true},
		"issuer with tenant":    {with("issuer", s.URL+"/{tenantid}/v2.0"), true},
		"issuer of this tenant": {with("issuer", s.URL+"/"+contoso+"/v2.0"), true},
		"issuer of another":     {with("issuer", s.URL+"/"+fabrikam+"/v2.0"), false},
		"issuer for consumers":  {with("issuer", s.URL+"/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"), false},
		"for encryption":        {with("use", "enc"), false},
		"another kind":          {with("kty", "EC"), false},
		"symmetric":             {map[string]any{"kty": "oct", "kid": "k1", "k": "AAAA"}, false},
		"without kid":           {with("kid", nil), false},
		"no modulus":            {with("n", nil), false},
		"weak":                  {with("n", b64(weak.N.Bytes())), false},
		"huge":                  {with("n", b64(make([]byte, 2000))), false},
		"exponent 1":            {with("e", "AQ"), false},
		"exponent 2":            {with("e", "Ag"), false},
		"exponent 0":            {with("e", "AA"), false},
		"no exponent":           {with("e", ""), false},
		"long exponent":         {with("e", "AQABAQAB"), false},
		"padded":                {with("n", b64(stsKey().N.Bytes())+"=="), false},
	} {
		s.set(func(s *sts) { s.keys, s.extra = map[string]*rsa.PrivateKey{"k1": stsKey()}, nil })
		token := s.token("k1", s.v2())
		s.set(func(s *sts) { s.keys, s.extra = nil, []map[string]any{x.jwk} })
		w := entraWorld(t, s)
		_, e := verifyOn(t, w.Authority, withToken(token), RoleRead)
		if want := map[bool]int{true: 200, false: 503}[x.want]; status(e) != want {
			t.Errorf("%s: %v instead of %d", name, e, want)
		}
	}
}

// TestEntraDiscovery shows that the server does not follow a wrong discovery document.
func TestEntraDiscovery(t *testing.T) {
	evil := newSTS(t)
	evil.keys = map[string]*rsa.PrivateKey{"k1": strangerKey()}
	for name, doc := range map[string]func(s *sts, issuer string, doc map[string]any){
		"another issuer":      func(_ *sts, _ string, doc map[string]any) { doc["issuer"] = "https://login.example/x/v2.0" },
		"issuer with a slash": func(_ *sts, i string, doc map[string]any) { doc["issuer"] = i + "/" },
		"no issuer":           func(_ *sts, _ string, doc map[string]any) { delete(doc, "issuer") },
		"keys on another host": func(_ *sts, _ string, doc map[string]any) {
			doc["jwks_uri"] = evil.URL + "/" + contoso + "/" + pathKeys
		},
		"keys without TLS": func(s *sts, _ string, doc map[string]any) {
			doc["jwks_uri"] = "http" + s.URL[5:] + "/" + contoso + "/" + pathKeys
		},
		"keys with a user": func(s *sts, _ string, doc map[string]any) {
			doc["jwks_uri"] = "https://x@" + s.URL[8:] + "/" + contoso + "/" + pathKeys
		},
		"keys nowhere":           func(_ *sts, _ string, doc map[string]any) { delete(doc, "jwks_uri") },
		"keys that are no URL":   func(_ *sts, _ string, doc map[string]any) { doc["jwks_uri"] = "https://%zz" },
		"keys that do not exist": func(s *sts, _ string, doc map[string]any) { doc["jwks_uri"] = s.URL + "/nothing" },
		"no object":              func(_ *sts, _ string, doc map[string]any) { doc["issuer"] = []int{1} },
		"too long":               func(_ *sts, _ string, doc map[string]any) { doc["x"] = strings.Repeat("x", jwksMax) },
	} {
		s := newSTS(t)
		w := entraWorld(t, s)
		s.doc = func(issuer string, d map[string]any) { doc(s, issuer, d) }
		token := s.token("k1", s.v2())
		if strings.Contains(name, "another host") {
			token = evil.token("k1", s.v2())
		}
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 503 {
			t.Errorf("%s: %v", name, e)
		}
		if name == "too long" && !strings.Contains(w.logs.String(), "more than 1048576 bytes") {
			t.Errorf("%s: the log says %s", name, w.logs)
		}
		if w.Stats().JWKSFailed != 1 {
			t.Errorf("%s: it was not counted", name)
		}
	}
	if evil.hits(contoso) != 0 {
		t.Error("keys were read from another host")
	}
	// The server does not follow a redirect.
	to := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL+r.URL.Path, http.StatusFound)
	}))
	defer to.Close()
	s := newSTS(t)
	w := entraWorld(t, s, func(c *Config) { c.Entra.AuthorityOverride, c.Entra.HTTP = to.URL, to.Client() })
	token := forge(entraHead("k1").String(), s.v2().with("iss", quote(to.URL+"/"+contoso+"/v2.0")).String(), pkcs1(strangerKey(), crypto.SHA256))
	if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); status(e) != 503 || len(evil.hit) != 0 {
		t.Errorf("a redirect: %v, the other host was asked for %v", e, evil.hit)
	}
}

// TestEntraCrowd sends many requests while one of them reads the keys. The server reads them once,
// no request with a known key waits, and a client that leaves harms no other.
func TestEntraCrowd(t *testing.T) {
	s := newSTS(t)
	w := entraWorld(t, s)
	token := s.token("k1", s.v2().with("exp", num(testStart.Unix()+7*86400)))
	release := make(chan struct{})
	s.set(func(s *sts) { s.release = release })

	gone, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	results := make(chan int, 20)
	ask := func(ctx context.Context) {
		wg.Go(func() {
			_, err := w.Verify(ctx, withToken(token), RoleRead)
			var e *refuse.Error
			if errors.As(err, &e) {
				results <- e.Status
				return
			}
			results <- 200
		})
	}
	ask(gone) // this request reads the keys
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.hit["/"+contoso+"/"+pathConfig] == 1
	})
	for range 19 {
		ask(t.Context())
	}
	leave()
	close(release)
	wg.Wait()
	good := 0
	for range 20 {
		if <-results == 200 {
			good++
		}
	}
	if good < 19 || s.hits(contoso) != 1 {
		t.Errorf("%d of 20 were let in, the keys were read %d times", good, s.hits(contoso))
	}

	// One request reads the old keys again. A request with a known key does not wait for it.
	w.clock.Add(jwksFresh)
	slow := make(chan struct{})
	s.set(func(s *sts) { s.release = slow })
	wg.Go(func() { _, _ = w.Verify(t.Context(), withToken(token), RoleRead) })
	eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.hit["/"+contoso+"/"+pathConfig] == 2
	})
	for range 10 {
		if _, e := verifyOn(t, w.Authority, withToken(token), RoleRead); e != nil {
			t.Errorf("while the keys are read: %v", e)
		}
	}
	close(slow)
	wg.Wait()
}

// TestEntraQueue lets many requests wait for an authority that never answers. When the first gives
// up, all do.
func TestEntraQueue(t *testing.T) {
	clk := &clock{t: testStart}
	began, fetches := make(chan struct{}), 0
	j := newJWKS("https://login.example/x/v2.0", clk.Now, func(context.Context, string) (map[string]*rsa.PublicKey, error) {
		fetches++ // the turn guards it
		if fetches == 1 {
			<-began
		}
		clk.Add(jwksTimeout)
		return nil, errors.New("no answer")
	})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := j.key(t.Context(), "k1"); !errors.Is(err, errNoKeys) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	close(began)
	wg.Wait()
	if fetches != 1 {
		t.Errorf("it was tried %d times", fetches)
	}
}

// eventually polls until ok holds.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 20 s")
		}
		time.Sleep(time.Millisecond)
	}
}
