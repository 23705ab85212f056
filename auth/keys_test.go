package auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func kids(a *Authority, t testing.TB) []string {
	t.Helper()
	a.keys.loaded = time.Time{}
	keys, err := a.keys.published(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range keys {
		out = append(out, k.kid)
	}
	return out
}

// TestRotation follows the keys through a rotation. The server has published the new key long
// before, and publishes the old one until its last token has expired.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	first := kids(w.Authority, t)
	if len(first) != 2 {
		t.Fatalf("the keys are %v", first)
	}
	c, s, err := w.CreateClient(t.Context(), contoso, "c", ClientOptions{Expiry: -1})
	if err != nil {
		t.Fatal(err)
	}
	signedBy := func(token string) string { return newForger(w.Authority, token).key.kid }
	w.clock.Add(90*24*time.Hour - time.Second)
	last := w.mint(c, s)
	if signedBy(last) != first[0] {
		t.Error("the first key does not sign to its end")
	}
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := kids(w.Authority, t); fmt.Sprint(got) != fmt.Sprint(first) {
		t.Errorf("before the rotation the keys are %v", got)
	}
	w.clock.Add(time.Second)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := kids(w.Authority, t)
	if len(second) != 3 || second[0] != first[0] || second[1] != first[1] {
		t.Errorf("after the rotation the keys are %v, before %v", second, first)
	}
	token := w.mint(c, s)
	if signedBy(token) != first[1] {
		t.Error("the second key does not sign")
	}
	w.clock.Add(TokenLife + Skew - 2*time.Second)
	if _, e := verifyOn(t, w.Authority, withToken(last), RoleRead); e != nil {
		t.Errorf("the last token of the old key: %v", e)
	}
	w.clock.Add(2 * time.Second)
	if err := w.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := kids(w.Authority, t); len(got) != 2 || got[0] != first[1] {
		t.Errorf("when the old key is of no more use the keys are %v", got)
	}
	if bytes.Contains(w.kv.m[nameKeys], []byte(first[0])) {
		t.Error("the old key is still stored")
	}
}

// TestRetiredKey shows that a key is no longer valid after its time, even if no process has removed
// it.
func TestRetiredKey(t *testing.T) {
	w := newWorld(t)
	_, token := w.token(contoso)
	f := newForger(w.Authority, token)
	w.clock.Add(90*24*time.Hour + TokenLife + Skew)
	now := w.clock.Now().Unix()
	fresh := f.claims(f.payload.with("iat", num(now)).with("nbf", num(now)).with("exp", num(now+60)).String())
	if _, e := verifyOn(t, w.Authority, withToken(fresh), RoleRead); status(e) != 401 || e.Message != msgSignature {
		t.Errorf("a new token of the retired key: %v", e)
	}
}

// TestLongSleep uses an authority whose keys no process has renewed for a year.
func TestLongSleep(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
	c, s, err := w.CreateClient(t.Context(), contoso, "c", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(365 * 24 * time.Hour)
	if _, e := verifyOn(t, w.Authority, withToken(w.mint(c, s)), RoleRead); e != nil {
		t.Errorf("the first token: %v", e)
	}
	if got := kids(w.Authority, t); len(got) != 2 {
		t.Errorf("the keys are %v", got)
	}
}

// TestAgreement starts many processes on an empty KV at once. They agree on one set of keys, and
// accept each other's tokens.
func TestAgreement(t *testing.T) {
	kv, clk, x := newMemKV(), &clock{t: testStart}, newTenants()
	const n = 6
	all := make([]*Authority, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			c := testConfig(kv, clk, x)
			c.Alg = "ES256"
			a, err := New(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = a
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	want := fmt.Sprint(kids(all[0], t))
	for i, a := range all {
		if got := fmt.Sprint(kids(a, t)); got != want {
			t.Errorf("process %d has the keys %s, process 0 has %s", i, got, want)
		}
	}
	c, s, err := all[0].CreateClient(t.Context(), contoso, "c", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, issuer := range all {
		tok, _, err := issuer.Mint(t.Context(), contoso, c.ID, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, checker := range all {
			if _, e := verifyOn(t, checker, withToken(tok.Reveal()), RoleRead); e != nil {
				t.Errorf("a token of another process: %v", e)
			}
		}
	}
}

// TestFirstKeys lets another process make the first keys between our read and our save. We take its
// keys at once.
func TestFirstKeys(t *testing.T) {
	kv, clk := newMemKV(), &clock{t: testStart}
	conf := testConfig(kv, clk, nil)
	conf.Alg = "ES256"
	var other *Authority
	kv.hook = func() { other = must(New(t.Context(), conf)) }
	a, err := New(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	if a.keys.keys[0].kid != other.keys.keys[0].kid || a.keys.keys[1].kid != other.keys.keys[1].kid {
		t.Error("the two have different keys")
	}
}

// TestKeysReadWhileReplaced replaces the keys during a slow read of them. The old keys must not
// come back.
func TestKeysReadWhileReplaced(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
	_, token := w.token(contoso)
	slow := &slowKV{memKV: w.kv, prefix: nameKeys}
	conf := w.conf
	conf.KV = slow
	a, err := New(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(KeyStale + time.Second)
	slow.during = func() {
		if err := a.ReplaceKeys(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if _, e := verifyOn(t, a, withToken(token), RoleRead); status(e) != 401 {
			t.Errorf("a token of the old key: %v", e)
		}
	}
}

// TestUnknownKey shows that the authority finds the new key of another process, and that unknown
// key ids cause at most one read in five seconds.
func TestUnknownKey(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
	c, s := w.create(contoso, ClientOptions{})
	other := w.another()
	if err := other.ReplaceKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(unknownEvery + time.Second)
	tok, _, err := other.Mint(t.Context(), contoso, c.ID, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, e := verifyOn(t, w.Authority, withToken(tok.Reveal()), RoleRead); e != nil {
		t.Errorf("a token of the new key: %v", e)
	}
	f := newForger(other, tok.Reveal())
	loads := w.kv.loads
	for i := range 100 {
		unknown := f.headed(f.header.with("kid", quote(fmt.Sprint("x", i))).String())
		if _, e := verifyOn(t, w.Authority, withToken(unknown), RoleRead); status(e) != 401 {
			t.Fatalf("an unknown key: %v", e)
		}
	}
	if got := w.kv.loads - loads; got > 1 {
		t.Errorf("100 unknown keys made %d reads", got)
	}
}

// TestAlgChange changes the algorithm of an existing installation.
func TestAlgChange(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	old := w.mint(c, s)
	w.conf.Alg = "ES256"
	a := w.another()
	tok, _, err := a.Mint(t.Context(), contoso, c.ID, s)
	if err != nil {
		t.Fatal(err)
	}
	if f := newForger(a, tok.Reveal()); f.key.alg != "ES256" {
		t.Errorf("the new token is signed with %s", f.key.alg)
	}
	w.clock.Add(unknownEvery + time.Second)
	for _, x := range []*Authority{w.Authority, a} {
		for _, token := range []string{old, tok.Reveal()} {
			if _, e := verifyOn(t, x, withToken(token), RoleRead); e != nil {
				t.Errorf("both kinds are good in both processes: %v", e)
			}
		}
	}
}

// TestSealed shows that no private key, no secret and nothing that is derived from the master key lies
// open in the KV, and that a change of what is stored is noticed.
func TestSealed(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	raw := w.kv.m[nameKeys]
	var k storedKeys
	if err := json.Unmarshal(raw, &k); err != nil {
		t.Fatal(err)
	}
	if len(k.Keys) != 2 {
		t.Fatalf("%d keys are stored", len(k.Keys))
	}
	secrets := map[string][]byte{"the secret": []byte(s.Reveal()), "the master key": testKey, "the pepper": w.pepper}
	for _, key := range w.keys.keys {
		private := key.private.(*rsa.PrivateKey)
		secrets["the exponent of "+key.kid] = private.D.Bytes()
		for i, prime := range private.Primes {
			secrets[fmt.Sprintf("prime %d of %s", i, key.kid)] = prime.Bytes()
		}
	}
	for name, m := range w.kv.m {
		for what, secret := range secrets {
			notIn(t, name+" of client "+c.ID, string(m), what, secret)
		}
	}
	other := w.conf
	other.Key = bytes.Repeat([]byte{8}, 32)
	if _, err := New(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("another master key: %v", err)
	}
	// A change of any field beside the sealed key is noticed.
	for name, change := range map[string]func(*storedKey){
		"alg":    func(k *storedKey) { k.Alg = "ES256" },
		"until":  func(k *storedKey) { k.Until = k.Until.AddDate(10, 0, 0) },
		"from":   func(k *storedKey) { k.From = k.From.AddDate(-1, 0, 0) },
		"kid":    func(k *storedKey) { k.KID = "x" },
		"sealed": func(k *storedKey) { k.Sealed[20] ^= 1 },
		"cut":    func(k *storedKey) { k.Sealed = k.Sealed[:5] },
	} {
		var x storedKeys
		if err := json.Unmarshal(raw, &x); err != nil {
			t.Fatal(err)
		}
		change(&x.Keys[0])
		w.kv.m[nameKeys] = must(json.Marshal(x))
		if _, err := New(t.Context(), w.conf); err == nil {
			t.Errorf("%s was changed and nobody noticed", name)
		}
	}
	w.kv.m[nameKeys] = []byte(`{"v":2}`)
	if _, err := New(t.Context(), w.conf); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a newer version: %v", err)
	}
	w.kv.m[nameKeys] = []byte(`{`)
	if _, err := New(t.Context(), w.conf); err == nil {
		t.Error("nonsense was read")
	}
}

// TestKeyPlan lets random times pass on several processes. After each renewal there is a key that
// signs, one that follows it, and none that is gone.
func TestKeyPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kv, clk := newMemKV(), &clock{t: testStart}
		var rings []*keyring
		for range rapid.IntRange(1, 3).Draw(t, "processes") {
			c := testConfig(kv, clk, nil)
			c.Alg = "ES256"
			k, err := newKeyring(c, clk.Now)
			if err != nil {
				t.Fatal(err)
			}
			rings = append(rings, k)
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			clk.Add(time.Duration(rapid.Int64Range(0, int64(70*24*time.Hour)).Draw(t, "wait")))
			k := rapid.SampledFrom(rings).Draw(t, "process")
			if rapid.Bool().Draw(t, "renew") {
				if err := k.renew(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			key, err := k.current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			now := clk.Now()
			if now.Before(key.from) || !now.Before(key.until) {
				t.Fatalf("at %v the key of %v to %v signs", now, key.from, key.until)
			}
			if err := k.renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys, err := k.published(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			for _, x := range keys {
				if x.gone(now) {
					t.Fatalf("a key that is gone is published")
				}
				if x.from.After(now) {
					next++
				}
			}
			if next != 1 || len(keys) > 3 {
				t.Fatalf("there are %d keys, %d of them to come", len(keys), next)
			}
		}
	})
}

func TestConfigCheck(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"no KV":           func(c *Config) { c.KV = nil },
		"31 bytes":        func(c *Config) { c.Key = c.Key[:31] },
		"find tenants":    func(c *Config) { c.Tenant = nil },
		"name the issuer": func(c *Config) { c.Issuer = nil },
		"HS256":           func(c *Config) { c.Alg = "HS256" },
		"rotate every 1h": func(c *Config) { c.Rotate = time.Hour },
		"no Entra tenant": func(c *Config) { c.Entra = &EntraConfig{} },
		`no cloud "moon"`: func(c *Config) { c.Entra = &EntraConfig{Cloud: "moon"} },
		"its GUID":        func(c *Config) { c.Entra = &EntraConfig{Tenants: []string{"contoso"}} },
		"beside *":        func(c *Config) { c.Entra = &EntraConfig{Tenants: []string{"*", contoso}} },
		"no audience":     func(c *Config) { c.Entra = &EntraConfig{Tenants: []string{contoso}} },
		"API of your own": func(c *Config) {
			c.Entra = &EntraConfig{Tenants: []string{contoso}, Audiences: []string{"https://graph.microsoft.com/"}}
		},
		"reading random": func(c *Config) { c.KV, c.Alg = newMemKV(), "ES256"; c.Rand = io.LimitReader(random(1), 0) },
		"disk on fire":   func(c *Config) { kv := newMemKV(); kv.fail = errors.New("disk on fire"); c.KV = kv },
	} {
		c := testConfig(testKeys()["RS256"].clone(), &clock{t: testStart}, nil)
		change(&c)
		a, err := New(t.Context(), c)
		if want == "reading random" {
			// Making keys does not read Config.Rand; creating a client does.
			if err == nil {
				_, _, err = a.CreateClient(t.Context(), contoso, "x", ClientOptions{})
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, root := range []string{"", "http://x", "https://x/", "x", "https://x?y", "https://x#y", "https://{x}"} {
		c := testConfig(newMemKV(), &clock{t: testStart}, nil)
		c.Issuer = testConfigIssuer(root)
		if _, err := New(t.Context(), c); err == nil {
			t.Errorf("the root %q was taken", root)
		}
	}
}

// TestRun shows that Run makes a round at once and then one on each tick, goes on after a failure,
// and ends with its context.
func TestRun(t *testing.T) {
	kv := testKeys()["ES256"].clone()
	synctest.Test(t, func(t *testing.T) {
		c := testConfig(kv, nil, nil)
		c.Now, c.Alg, c.Every, c.Rotate = time.Now, "ES256", time.Hour, 0
		a, err := New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		if _, err := a.useOnce(ctx, nobody, "j", time.Now().Unix()+600); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if kv.names(prefixJTI) != 1 {
			t.Error("the assertion is forgotten too early")
		}
		kv.setFail(errors.New("disk on fire"))
		time.Sleep(time.Hour + time.Minute)
		if got := a.Stats().RoundFailed; got != 1 {
			t.Errorf("%d rounds failed", got)
		}
		kv.setFail(nil)
		time.Sleep(time.Hour)
		if kv.names(prefixJTI) != 0 {
			t.Error("the assertion is not forgotten")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}
