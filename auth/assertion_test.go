package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A prover makes client assertions.
type prover struct {
	client  string
	der     []byte // certificate
	header  fields
	payload fields
	sign    signFunc
}

func one(b []byte) []byte { s := sha1.Sum(b); return s[:] }
func two(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// newProver returns a prover for a new client with a certificate. Its assertions are those of MSAL
// for Go.
func newProver(w *world, key crypto.Signer) prover {
	der := selfSigned(key, testStart)
	c, _ := w.create(contoso, ClientOptions{Certificate: encodePEM("CERTIFICATE", der)})
	now := testStart.Unix()
	p := prover{
		client: c.ID, der: der,
		header: fields{{"alg", `"PS256"`}, {"typ", `"JWT"`}, {"x5t#S256", quote(base64.StdEncoding.EncodeToString(two(der)))}},
		payload: fields{
			{"aud", quote(testRoot + tokenPath(contoso))}, {"exp", num(now + 600)}, {"iss", quote(c.ID)}, {"jti", `"1"`}, {"nbf", num(now)}, {"sub", quote(c.ID)},
		},
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		p.sign = pss(k, crypto.SHA256, rsa.PSSSaltLengthEqualsHash)
	case *ecdsa.PrivateKey:
		p.header = p.header.with("alg", `"ES256"`)
		p.sign = ec(k, rs)
	}
	return p
}

func (p prover) token() string { return forge(p.header.String(), p.payload.String(), p.sign) }

// claim and head return a prover with another claim or header parameter.
func (p prover) claim(name, value string) prover {
	p.payload = p.payload.with(name, value)
	return p
}

func (p prover) head(name, value string) prover {
	p.header = p.header.with(name, value)
	return p
}

func (p prover) without(names ...string) prover {
	p.header, p.payload = p.header.without(names...), p.payload.without(names...)
	return p
}

func (p prover) signedBy(alg string, sign signFunc) prover {
	p.sign = sign
	return p.head("alg", quote(alg))
}

func (p prover) form(kv ...string) string {
	return form(append([]string{
		"grant_type", "client_credentials", "scope", anyScope, "client_id", p.client,
		"client_assertion_type", assertionType, "client_assertion", p.token(),
	}, kv...)...)
}

func ask(a *Authority, body string) *httptest.ResponseRecorder {
	return do(a.Handler(), "POST", tokenPath(contoso), body)
}

// TestAssertionForms shows that the server accepts the assertions of the libraries, with all their
// quirks.
func TestAssertionForms(t *testing.T) {
	w := newWorld(t, unlimited)
	p := newProver(w, attackerKey())
	e := newProver(w, attackerEC())
	key := attackerKey()
	now := testStart.Unix()
	rs256 := pkcs1(key, crypto.SHA256)
	kid := must(thumbprint(key.Public()))
	plain := p.without("x5t#S256")
	std, url := base64.StdEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	issuer := quote(testRoot + "/" + contoso + "/v2.0")
	n := 0
	for name, x := range map[string]prover{
		"MSAL for Go":                 p,
		"MSAL for Go, with chain":     p.head("x5c", "["+quote(std(p.der))+"]"),
		"MSAL for Node":               p.head("x5t#S256", quote(b64(two(p.der)))).without("typ"),
		"MSAL for Node, RS256":        plain.head("x5t", quote(b64(one(p.der)))).signedBy("RS256", rs256),
		"MSAL for .NET":               p.head("x5t#S256", quote(b64(two(p.der)))).claim("exp", quote(num(now+600))).claim("nbf", quote(num(now))),
		"MSAL for .NET, RS256":        plain.head("x5t", quote(b64(one(p.der)))).claim("exp", quote(num(now+600))).claim("nbf", quote(num(now))).signedBy("RS256", rs256),
		"MSAL for Python":             p.head("x5t#S256", quote(url(two(p.der)))).without("nbf").claim("iat", num(now)+".1234567").claim("exp", num(now+600)+".1234567"),
		"MSAL for Python, RS256":      plain.head("x5t", quote(url(one(p.der)))).without("nbf").claim("iat", num(now)+".5").claim("exp", num(now+600)+".5").signedBy("RS256", rs256),
		"MSAL for Java":               plain.head("x5t", quote(b64(one(p.der)))).head("x5c", "["+quote(std(p.der))+"]").signedBy("RS256", rs256),
		"both thumbprints":            p.head("x5t", quote(std(one(p.der)))),
		"kid":                         plain.head("kid", quote(kid)),
		"kid and thumbprint":          p.head("kid", `"whatever"`),
		"no name of the key":          plain,
		"issuer as audience":          p.claim("aud", issuer),
		"one audience in a list":      p.claim("aud", "["+issuer+"]"),
		"tenant's name in the URL":    p.claim("aud", quote(testRoot+tokenPath("contoso.example"))),
		"rfc7523bis":                  p.head("typ", `"client-authentication+jwt"`).claim("aud", issuer),
		"typ in lower case":           p.head("typ", `"jwt"`),
		"upper case client":           p.claim("iss", quote(strings.ToUpper(p.client))).claim("sub", quote(strings.ToUpper(p.client))),
		"EC":                          e,
		"EC, kid":                     e.without("x5t#S256").head("kid", quote(must(thumbprint(attackerEC().Public())))),
		"life of 10 min and the skew": p.claim("exp", num(now+660)),
		"clock ahead by the skew":     p.claim("nbf", num(now+60)).claim("iat", num(now+60)).claim("exp", num(now+660)),
		"clock behind by the skew":    p.claim("nbf", num(now-659)).claim("exp", num(now-59)),
		"with other claims":           p.claim("x", `{"a":[1,2,{"b":null}]}`),
	} {
		n++
		x = x.claim("jti", quote(fmt.Sprint(n)))
		path := tokenPath(contoso)
		if strings.Contains(x.payload.get("aud"), "contoso.example") {
			path = tokenPath("contoso.example")
		}
		rec := do(w.Handler(), "POST", path, x.form())
		if rec.Code != 200 {
			t.Errorf("%s: %s", name, rec.Body)
			continue
		}
		if _, err := verifyOn(t, w.Authority, withToken(readAnswer(t, rec).Token), RoleRead); err != nil {
			t.Errorf("%s: the token: %v", name, err)
		}
	}
	// The client_id is optional (RFC 7521, section 4.2).
	body := form("grant_type", "client_credentials", "scope", anyScope, "client_assertion_type", assertionType, "client_assertion", p.claim("jti", `"x"`).token())
	if rec := ask(w.Authority, body); rec.Code != 200 {
		t.Errorf("without client_id: %s", rec.Body)
	}
	list, err := w.Clients(t.Context(), contoso)
	if err != nil || !list[0].Keys[0].LastUsed.Equal(testStart) {
		t.Errorf("the key's last use: %+v, %v", list, err)
	}
}

func unlimited(c *Config) {
	c.TokenRate = TokenRate{PerClient: Rate{Requests: -1}, Failures: Rate{Requests: -1}}
}

// TestReplay presents one assertion again at once, after a restart, after a sweep, and after its
// end.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	p := newProver(w, attackerKey())
	want := func(name string, a *Authority, ok bool) {
		t.Helper()
		rec := ask(a, p.form())
		if (rec.Code == 200) != ok {
			t.Errorf("%s: %s", name, rec.Body)
		}
		if !ok && readAnswer(t, rec).Error != "invalid_client" {
			t.Errorf("%s: %s", name, rec.Body)
		}
	}
	want("first", w.Authority, true)
	want("again", w.Authority, false)
	want("after a restart", w.another(), false)
	if got := w.Stats().Replayed; got != 1 {
		t.Errorf("%d replays were counted", got)
	}
	w.clock.Add(660*time.Second - time.Nanosecond)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("in its last moment, after a sweep", w.Authority, false)
	if w.Stats().Replayed != 2 {
		t.Error("it was not refused as a replay")
	}
	w.clock.Add(time.Second + time.Nanosecond)
	want("when it has expired", w.Authority, false)
	if w.Stats().Replayed != 2 {
		t.Error("it was refused as a replay")
	}
	if err := w.round(t.Context()); err != nil || w.kv.names(prefixJTI) != 0 {
		t.Errorf("%d assertions are remembered for ever, %v", w.kv.names(prefixJTI), err)
	}
}

// TestReplayRace presents one assertion many times at once to two processes. Exactly one request
// gets a token.
func TestReplayRace(t *testing.T) {
	w := newWorld(t, unlimited)
	p := newProver(w, attackerKey())
	authorities := []*Authority{w.Authority, w.another()}
	for round := range scale(10) {
		body := p.claim("jti", quote(fmt.Sprint("race ", round))).form()
		var wg sync.WaitGroup
		var mu sync.Mutex
		good := 0
		for i := range 8 {
			wg.Go(func() {
				if ask(authorities[i%2], body).Code == 200 {
					mu.Lock()
					good++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if good != 1 {
			t.Fatalf("round %d: %d of 8 got a token", round, good)
		}
	}
}

// TestAssertionIsNotWasted shows that a client can present an assertion again after a failure of
// the server.
func TestAssertionIsNotWasted(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.TokenRate.PerClient = Rate{1, time.Minute} })
	p := newProver(w, attackerKey())
	body := p.form()
	if rec := ask(w.Authority, p.claim("jti", `"0"`).form()); rec.Code != 200 {
		t.Fatal(rec.Body)
	}
	if rec := ask(w.Authority, body); rec.Code != 429 {
		t.Fatalf("over the rate: %s", rec.Body)
	}
	w.clock.Add(time.Minute)
	w.kv.hook = func() { w.kv.setFail(fmt.Errorf("disk on fire")) }
	if rec := ask(w.Authority, body); rec.Code != 503 {
		t.Fatalf("the memory fails: %s", rec.Body)
	}
	w.kv.setFail(nil)
	w.clock.Add(time.Minute)
	if rec := ask(w.Authority, body); rec.Code != 200 {
		t.Errorf("afterwards: %s", rec.Body)
	}
}

// TestNothingIsLeft deletes a client whose assertions the server still remembers, and lets requests
// that were under way write about it afterwards. Rounds leave no name of it, also none that an
// earlier version has left, and what belongs to other clients stays.
func TestNothingIsLeft(t *testing.T) {
	w := newWorld(t)
	p, other := newProver(w, attackerEC()), newProver(w, attackerEC())
	for _, x := range []prover{p, other} {
		if rec := ask(w.Authority, x.form()); rec.Code != 200 {
			t.Fatal(rec.Body)
		}
	}
	ctx := t.Context()
	load := func(id string) storedClient {
		c, _, err := w.loadClient(ctx, contoso, id)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	late := load(p.client)
	if err := w.DeleteClient(ctx, contoso, p.client); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(usedEvery)
	w.noteUse(ctx, late, late.Keys[0].ID)
	w.noteUse(ctx, load(other.client), "removed")
	if _, err := w.useOnce(ctx, p.client, "late", w.clock.Now().Unix()+600); err != nil {
		t.Fatal(err)
	}
	w.kv.m[prefixSwept+nobody] = []byte("1")
	for range 2 {
		w.clock.Add(time.Hour)
		if err := w.round(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for name := range w.kv.m {
		if strings.Contains(name, p.client) || strings.Contains(name, nobody) || strings.Contains(name, "removed") {
			t.Errorf("%s is left", name)
		}
	}
	if w.kv.names(prefixSwept+other.client) != 1 || w.kv.names(prefixUsed+contoso+"/"+other.client) != 1 {
		t.Error("another client has lost what the server remembers of it")
	}
}

func TestReuseAssertions(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ReuseAssertions = true })
	p := newProver(w, attackerKey())
	for range 3 {
		if rec := ask(w.Authority, p.form()); rec.Code != 200 {
			t.Error(rec.Body)
		}
	}
	if rec := ask(w.Authority, p.without("jti").form()); rec.Code != 401 {
		t.Errorf("without jti: %s", rec.Body)
	}
	if w.kv.names(prefixJTI) != 0 {
		t.Error("something is remembered in vain")
	}
}

func TestIssuerAudience(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.IssuerAudience = true })
	p := newProver(w, attackerKey())
	if rec := ask(w.Authority, p.form()); rec.Code != 401 || readAnswer(t, rec).Codes[0] != 700023 {
		t.Errorf("the token endpoint as audience: %s", rec.Body)
	}
	if rec := ask(w.Authority, p.claim("aud", quote(testRoot+"/"+contoso+"/v2.0")).form()); rec.Code != 200 {
		t.Errorf("the issuer: %s", rec.Body)
	}
}

// TestCertificateEnds uses a certificate in the last second of its life and in the next.
func TestCertificateEnds(t *testing.T) {
	w := newWorld(t)
	p := newProver(w, attackerKey())
	at := func(d time.Duration) int {
		w.clock.mu.Lock()
		w.clock.t = testStart.AddDate(1, 0, 0).Add(d)
		now := w.clock.t.Unix()
		w.clock.mu.Unlock()
		return ask(w.Authority, p.claim("nbf", num(now)).claim("exp", num(now+600)).claim("jti", quote(num(now))).form()).Code
	}
	if got := at(0); got != 200 {
		t.Errorf("at its end: %d", got)
	}
	if got := at(time.Second); got != 401 {
		t.Errorf("after its end: %d", got)
	}
}

// TestKeyOfAnotherClient registers one key with two clients. Each assertion is valid only for the
// client that it names.
func TestKeyOfAnotherClient(t *testing.T) {
	w := newWorld(t)
	a, b := newProver(w, attackerKey()), newProver(w, attackerKey())
	if a.client == b.client {
		t.Fatal("one client")
	}
	mixed := a
	mixed.client = b.client
	if rec := ask(w.Authority, mixed.form()); rec.Code != 401 {
		t.Errorf("a's assertion with b's client_id: %s", rec.Body)
	}
	if rec := ask(w.Authority, a.form()); rec.Code != 200 {
		t.Errorf("a: %s", rec.Body)
	}
	// Two clients may use the same jti.
	if rec := ask(w.Authority, b.form()); rec.Code != 200 {
		t.Errorf("b, with the jti of a: %s", rec.Body)
	}
}
