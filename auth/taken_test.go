package auth

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// want fails the test unless the answer to the token has that status.
func (w *world) want(what, token string, code int) {
	w.Helper()
	if _, e := verifyOn(w.T, w.Authority, withToken(token), RoleRead); status(e) != code {
		w.Errorf("%s: status %d (%v), want %d", what, status(e), e, code)
	}
}

// TestSecretsRemovedOneByOne shows that the tokens which a client got by a secret end with it, even
// in the same second, and the client's other tokens do not.
func TestSecretsRemovedOneByOne(t *testing.T) {
	w := newWorld(t)
	c, s1 := w.create(contoso, ClientOptions{})
	c, s2, err := w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t1, t2 := w.mint(c, s1), w.mint(c, s2)
	remove := func(id string) {
		t.Helper()
		if _, err := w.RemoveKey(t.Context(), contoso, c.ID, id); err != nil {
			t.Fatal(err)
		}
	}
	remove(c.Secrets[0].ID)
	w.want("of the first secret", t1, 401)
	w.want("of the second", t2, 200)
	if _, _, err := w.Mint(t.Context(), contoso, c.ID, s1); err == nil || !strings.Contains(err.Error(), "7000215") {
		t.Errorf("the first secret: %v", err)
	}
	remove(c.Secrets[1].ID)
	w.want("of the second secret", t2, 401)
	for _, id := range []string{c.Secrets[1].ID, "", " ", ":", "x"} {
		if _, err := w.RemoveKey(t.Context(), contoso, c.ID, id); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q is removed: %v", id, err)
		}
	}
	// The operator gives the client a secret again; its old tokens stay void.
	c, s3, err := w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{})
	if err != nil || len(c.Secrets) != 1 {
		t.Fatal(c, err)
	}
	t3 := w.mint(c, s3)
	w.want("of the third secret", t3, 200)
	w.want("of the first, still", t1, 401)
	w.want("of the second, still", t2, 401)
	// A token of an earlier version does not name its secret.
	f := newForger(w.Authority, t3)
	w.want("of an earlier version", f.claims(f.payload.without("via").String()), 401)
	other, fresh := w.token(contoso)
	f = newForger(w.Authority, fresh)
	w.want("of an earlier version, nothing removed", f.claims(f.payload.without("via").String()), 200)
	if other.ID == c.ID {
		t.Fatal("the same client")
	}
}

// TestRotatedOneByOne rotates a client's secret again and again. The secret before stays good, and so
// do its tokens; the one before that ends with those that it has got.
func TestRotatedOneByOne(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Alg = "ES256" }, unlimited)
	c, s := w.create(contoso, ClientOptions{})
	secrets, tokens := []Secret{s}, []string{w.mint(c, s)}
	for range 25 {
		_, s, err := w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		secrets, tokens = append(secrets, s), append(tokens, w.mint(c, s))
		for i, token := range tokens {
			want := 401
			if i >= len(tokens)-2 {
				want = 200
			}
			w.want(fmt.Sprintf("of secret %d of %d", i+1, len(tokens)), token, want)
			if _, _, err := w.Mint(t.Context(), contoso, c.ID, secrets[i]); (err == nil) != (want == 200) {
				t.Errorf("secret %d of %d: %v", i+1, len(tokens), err)
			}
		}
	}
}

// TestNewElsewhere gives a client secrets in another process, which issues a token by each. A process
// that has read the client before takes the token at once.
func TestNewElsewhere(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	w.want("of the first secret", w.mint(c, s), 200)
	other := w.another()
	for _, o := range []RotateOptions{{}, {}, {Leaked: true}, {}} {
		_, s, err := other.RotateSecret(t.Context(), contoso, c.ID, o)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := other.Mint(t.Context(), contoso, c.ID, s)
		if err != nil {
			t.Fatal(err)
		}
		w.want(fmt.Sprintf("of the new secret, %+v", o), token.Reveal(), 200)
	}
}

// TestManyRemoved removes more secrets than the client's record names. The tokens of each end, and
// those of the secret that stays do not.
func TestManyRemoved(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Alg = "ES256" }, unlimited)
	c, s := w.create(contoso, ClientOptions{})
	var old []string
	for range maxEnded + 5 {
		old = append(old, w.mint(c, s))
		was := c.Secrets[0].ID
		var err error
		if c, s, err = w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{}); err != nil {
			t.Fatal(err)
		}
		stays := w.mint(c, s)
		if c, err = w.RemoveKey(t.Context(), contoso, c.ID, was); err != nil {
			t.Fatal(err)
		}
		w.want("of the secret that stays", stays, 200)
		for i, token := range old {
			w.want(fmt.Sprintf("of secret %d of %d", i, len(old)), token, 401)
		}
	}
	if c, _, err := w.loadClient(t.Context(), contoso, c.ID); err != nil || len(c.Ended) != maxEnded {
		t.Errorf("the record names %d that were removed, %v", len(c.Ended), err)
	}
}

// TestKeyRemoved removes a certificate by each of its names. When the operator adds it again it is
// valid, and its old tokens stay void.
func TestKeyRemoved(t *testing.T) {
	w := newWorld(t, unlimited)
	p := newProver(w, attackerEC())
	n := 0
	sign := func() string {
		t.Helper()
		n++
		return readAnswer(t, ask(w.Authority, p.claim("jti", quote(num(int64(n)))).form())).Token
	}
	colons := strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintf("% X", two(p.der)), " ", ":"), ":")
	var old []string
	for _, name := range []string{colons, fmt.Sprintf("%x", two(p.der)), fmt.Sprintf("%X", one(p.der)), must(thumbprint(attackerEC().Public()))} {
		token := sign()
		w.want("of the key", token, 200)
		old = append(old, token)
		c, err := w.RemoveKey(t.Context(), contoso, p.client, name)
		if err != nil || len(c.Keys) != 0 {
			t.Fatalf("%s: %v, %v", name, c.Keys, err)
		}
		if sign() != "" {
			t.Errorf("%s: a key that was removed signs in", name)
		}
		if _, err := w.AddKey(t.Context(), contoso, p.client, encodePEM("CERTIFICATE", p.der)); err != nil {
			t.Fatal(err)
		}
		for _, token := range old {
			w.want("of the key before it was removed by "+name, token, 401)
		}
	}
	w.want("of the key that was added again", sign(), 200)
}

// TestLeaked shows that all of the client's secrets, keys and tokens end at once, and that a client
// which signs in with certificates gets no secret.
func TestLeaked(t *testing.T) {
	w := newWorld(t, unlimited)
	p := newProver(w, attackerEC())
	if _, s, err := w.RotateSecret(t.Context(), contoso, p.client, RotateOptions{}); !errors.Is(err, ErrInvalid) || !s.IsZero() {
		t.Errorf("a client with a certificate is given a secret: %v", err)
	}
	token := readAnswer(t, ask(w.Authority, p.form())).Token
	w.want("of the certificate", token, 200)
	for range 2 {
		c, s, err := w.RotateSecret(t.Context(), contoso, p.client, RotateOptions{Leaked: true})
		if err != nil || !s.IsZero() || len(c.Secrets)+len(c.Keys) != 0 {
			t.Errorf("leaked: %+v, %v", c, err)
		}
	}
	w.want("of the leaked certificate", token, 401)
	if a := readAnswer(t, ask(w.Authority, p.claim("jti", `"2"`).form())); a.Token != "" {
		t.Error("a leaked certificate signs in")
	}
	if _, err := w.AddKey(t.Context(), contoso, p.client, encodePEM("CERTIFICATE", p.der)); err != nil {
		t.Fatal(err)
	}
	w.want("of the certificate that was added again", readAnswer(t, ask(w.Authority, p.claim("jti", `"3"`).form())).Token, 200)
	w.want("of before", token, 401)

	// A client with both gets a new secret and loses the certificate.
	c, s := w.create(contoso, ClientOptions{})
	if _, err := w.AddKey(t.Context(), contoso, c.ID, encodePEM("CERTIFICATE", p.der)); err != nil {
		t.Fatal(err)
	}
	token = w.mint(c, s)
	c, s2, err := w.RotateSecret(t.Context(), contoso, c.ID, RotateOptions{Leaked: true})
	if err != nil || s2.IsZero() || len(c.Keys) != 0 || len(c.Secrets) != 1 {
		t.Fatalf("both leaked: %+v, %v", c, err)
	}
	w.want("of both", token, 401)
	w.want("of the new secret", w.mint(c, s2), 200)
}

// TestChangedOrNot makes the read of the last uses fail. What a call has changed it reports as
// changed: after an error the client is as it was.
func TestChangedOrNot(t *testing.T) {
	w := newWorld(t)
	p := newProver(w, attackerEC())
	c, _ := w.create(contoso, ClientOptions{})
	off, _ := w.create(contoso, ClientOptions{})
	ctx := t.Context()
	if _, err := w.Disable(ctx, contoso, off.ID); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"rotate":  func() error { return third(w.RotateSecret(ctx, contoso, c.ID, RotateOptions{})) },
		"leaked":  func() error { return third(w.RotateSecret(ctx, contoso, c.ID, RotateOptions{Leaked: true})) },
		"disable": func() error { return second(w.Disable(ctx, contoso, c.ID)) },
		"enable":  func() error { return second(w.Enable(ctx, contoso, off.ID)) },
		"add":     func() error { return second(w.AddKey(ctx, contoso, c.ID, encodePEM("CERTIFICATE", p.der))) },
		"remove":  func() error { return second(w.RemoveKey(ctx, contoso, c.ID, c.Secrets[0].ID)) },
		"roles":   func() error { return second(w.ChangeRoles(ctx, contoso, c.ID, []string{RoleIngest}, nil)) },
		"delete":  func() error { return w.DeleteClient(ctx, contoso, c.ID) },
	} {
		before, bad := w.kv.clone(), w.kv.clone()
		bad.under = prefixUsed
		w.Authority.kv = bad
		err := change()
		if changed := !maps.EqualFunc(before.m, bad.m, bytes.Equal); changed != (err == nil) {
			t.Errorf("%s: changed is %v, the error is %v", what, changed, err)
		}
	}
}

// TestSameNameAgain shows that a new client of the same name does not revive a deleted one.
func TestSameNameAgain(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	token := w.mint(c, s)
	if err := w.DeleteClient(t.Context(), contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	again, s2 := w.create(contoso, ClientOptions{})
	if again.Name != c.Name || again.ID == c.ID {
		t.Fatalf("%+v", again)
	}
	w.want("of the client before", token, 401)
	w.want("of the new one", w.mint(again, s2), 200)
	if _, _, err := w.Mint(t.Context(), contoso, again.ID, s); err == nil {
		t.Error("the secret of the client before is good for the new one")
	}
}

// TestChangeRoles gives and takes roles. A token never grants a role that it lacked, and loses a
// removed one at once.
func TestChangeRoles(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{Roles: []string{RoleIngest}})
	token := w.mint(c, s)
	has := func(token, role string, code int) {
		t.Helper()
		_, e := verifyOn(t, w.Authority, withToken(token), role)
		if status(e) != code {
			t.Errorf("%s: status %d, want %d", role, status(e), code)
		}
		if code == 403 && (e.Client != c.ID || e.Tenant != contoso) {
			t.Errorf("the refusal names client %q of %q", e.Client, e.Tenant)
		}
	}
	has(token, RoleIngest, 200)
	has(token, RoleIngestGraph, 403)
	if id, err := w.Verify(t.Context(), withToken(token), RoleIngestGraph, RoleIngest); err != nil || id.Client != c.ID {
		t.Errorf("one of two roles: %v", err)
	}
	if _, err := w.ChangeRoles(t.Context(), contoso, c.ID, []string{RoleIngestGraph, RoleIngestGraph}, []string{RoleIngest}); err != nil {
		t.Fatal(err)
	}
	has(token, RoleIngest, 403)
	has(token, RoleIngestGraph, 403) // a token from before the change
	token = w.mint(c, s)
	has(token, RoleIngest, 403) // neither role includes the other
	has(token, RoleIngestGraph, 200)
	has(token, RoleRead, 403)
	for what, change := range map[string][2][]string{
		"unknown":          {{"CallRecords.Ingest.graph"}, nil},
		"not its own":      {nil, {RoleRead}},
		"none left":        {nil, {RoleIngestGraph}},
		"given and taken":  {{RoleIngestGraph}, {RoleIngestGraph}},
		"one good and bad": {{RoleRead, "x"}, nil},
	} {
		if _, err := w.ChangeRoles(t.Context(), contoso, c.ID, change[0], change[1]); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	all, err := w.Clients(t.Context(), contoso)
	if err != nil || fmt.Sprint(all[0].Roles) != "["+RoleIngestGraph+"]" {
		t.Errorf("%v, %v", all, err)
	}
}

// TestEndClients shows that the clients of a removed tenant stay disabled, and their tokens void,
// when the operator adds the tenant again. The operator can enable them. Other tenants keep theirs.
func TestEndClients(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	w.create(contoso, ClientOptions{})
	_, otherToken := w.token(fabrikam)
	token := w.mint(c, s)
	w.kv.hook = func() { // another process changes it meanwhile
		if _, _, err := w.another().RotateSecret(t.Context(), contoso, c.ID, RotateOptions{}); err != nil {
			t.Error(err)
		}
	}
	if n, err := EndClients(t.Context(), w.kv, contoso, w.clock.Now()); n != 2 || err != nil {
		t.Fatalf("%d clients, %v", n, err)
	}
	w.Changed(nameClient(contoso, c.ID))
	w.want("of before", token, 401)
	w.want("of another tenant", otherToken, 200)
	all, err := w.Clients(t.Context(), contoso)
	if err != nil || len(all) != 2 || !all[0].Disabled || !all[1].Disabled {
		t.Errorf("%+v, %v", all, err)
	}
	if _, _, err := w.Mint(t.Context(), contoso, c.ID, s); err == nil {
		t.Error("its secret is good")
	}
	if _, err := w.Enable(t.Context(), contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	w.want("of before, enabled again", token, 401)
	w.want("of after", w.mint(c, s), 200)
	if n, err := EndClients(t.Context(), w.kv, nobody, w.clock.Now()); n != 0 || err != nil {
		t.Errorf("of no tenant: %d, %v", n, err)
	}
}
