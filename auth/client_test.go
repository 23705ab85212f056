package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestClients(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if list, err := w.Clients(ctx, ""); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	b, sb, err := w.CreateClient(ctx, "contoso.example", "B", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := w.CreateClient(ctx, strings.ToUpper(contoso), "A", ClientOptions{Roles: []string{RoleIngest, RoleRead, RoleIngest}, Expiry: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := w.CreateClient(ctx, fabrikam, "X", ClientOptions{Expiry: -1})
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.Clients(ctx, contoso)
	if err != nil || len(list) != 2 || list[0].ID != a.ID || list[1].ID != b.ID {
		t.Fatalf("%+v, %v", list, err)
	}
	if got := list[0]; fmt.Sprint(got.Roles) != "[CallRecords.Ingest CallRecords.Read.All]" || got.Tenant != contoso || !got.Created.Equal(testStart) ||
		!got.Secrets[0].Expires.Equal(testStart.Add(time.Hour)) || !got.LastUsed.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := list[1]; fmt.Sprint(got.Roles) != "[CallRecords.Read.All]" || !got.Secrets[0].Expires.Equal(testStart.Add(DefaultExpiry)) || got.Secrets[0].Hint != sb.Reveal()[4:7] {
		t.Errorf("%+v", got)
	}
	if list, err = w.Clients(ctx, ""); err != nil || len(list) != 3 || list[2].ID != x.ID || !list[2].Secrets[0].Expires.IsZero() {
		t.Errorf("all: %+v, %v", list, err)
	}
	if err := w.DeleteClient(ctx, contoso, b.ID); err != nil {
		t.Fatal(err)
	}
	if list, err = w.Clients(ctx, contoso); err != nil || len(list) != 1 {
		t.Errorf("after deletion: %+v, %v", list, err)
	}
	for what, err := range map[string]error{
		"no tenant":        second(w.Clients(ctx, "nobody")),
		"deleted":          second(w.Disable(ctx, contoso, b.ID)),
		"deleted again":    w.DeleteClient(ctx, contoso, b.ID),
		"another's client": second(w.Disable(ctx, fabrikam, a.ID)),
		"unknown key":      second(w.RemoveKey(ctx, contoso, a.ID, "x")),
		"unknown tenant":   third(w.CreateClient(ctx, "nobody", "x", ClientOptions{})),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"no GUID":         second(w.Disable(ctx, contoso, "x")),
		"no name":         third(w.CreateClient(ctx, contoso, "", ClientOptions{})),
		"space":           third(w.CreateClient(ctx, contoso, " x", ClientOptions{})),
		"line end":        third(w.CreateClient(ctx, contoso, "x\ny", ClientOptions{})),
		"long":            third(w.CreateClient(ctx, contoso, strings.Repeat("x", 121), ClientOptions{})),
		"unknown role":    third(w.CreateClient(ctx, contoso, "x", ClientOptions{Roles: []string{RoleRead, "Admin"}})),
		"bad certificate": third(w.CreateClient(ctx, contoso, "x", ClientOptions{Certificate: []byte("x")})),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

func TestRotate(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c, s1 := w.create(contoso, ClientOptions{})
	good := func(name string, s Secret, want bool) {
		t.Helper()
		if _, _, err := w.Mint(ctx, contoso, c.ID, s); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	c2, s2, err := w.RotateSecret(ctx, contoso, c.ID, RotateOptions{})
	if err != nil || len(c2.Secrets) != 2 || s1.Reveal() == s2.Reveal() {
		t.Fatalf("%+v, %v", c2, err)
	}
	good("first of two", s1, true)
	good("second of two", s2, true)
	c3, s3, err := w.RotateSecret(ctx, contoso, strings.ToUpper(c.ID), RotateOptions{Expiry: time.Hour})
	if err != nil || len(c3.Secrets) != 2 {
		t.Fatalf("%+v, %v", c3, err)
	}
	good("first, pushed out", s1, false)
	good("second", s2, true)
	good("third", s3, true)
	w.clock.Add(time.Hour - time.Second)
	good("third, just before its end", s3, true)
	w.clock.Add(time.Second)
	good("third, at its end", s3, false)
	_, _, err = w.Mint(ctx, contoso, c.ID, s3)
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000222") {
		t.Errorf("an expired secret: %v", err)
	}
	c4, s4, err := w.RotateSecret(ctx, contoso, c.ID, RotateOptions{Leaked: true})
	if err != nil || len(c4.Secrets) != 1 {
		t.Fatalf("%+v, %v", c4, err)
	}
	good("second, leaked", s2, false)
	good("fourth", s4, true)
	// A secret is valid for its own client only, even if a writer to the store gives it to another.
	d, _ := w.create(contoso, ClientOptions{})
	from, _, err := w.loadClient(ctx, contoso, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	to, raw, err := w.loadClient(ctx, contoso, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	to.Secrets = from.Secrets
	if err := w.saveClient(ctx, to, raw); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Mint(ctx, contoso, d.ID, s4); err == nil {
		t.Error("the secret of another client was good")
	}
}

// TestLastUsed shows that the store keeps the last use of each secret, at most once an hour, and
// that a failure to do so costs no client its token.
func TestLastUsed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c, s1 := w.create(contoso, ClientOptions{})
	_, s2, err := w.RotateSecret(ctx, contoso, c.ID, RotateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	used := func() (out [2]string) {
		list, err := w.Clients(ctx, contoso)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range list[0].Secrets {
			if !s.LastUsed.IsZero() {
				out[i] = s.LastUsed.Sub(testStart).String()
			}
		}
		return out
	}
	saves := w.kv.saves
	w.mint(c, s1)
	loads := w.kv.loads
	for range 9 {
		w.mint(c, s1)
	}
	if w.kv.loads != loads {
		t.Errorf("%d reads for tokens of a client that is known", w.kv.loads-loads)
	}
	if got := used(); got != [2]string{"0s", ""} || w.kv.saves != saves+1 {
		t.Errorf("used %v, %d writes", got, w.kv.saves-saves)
	}
	w.clock.Add(59 * time.Minute)
	w.mint(c, s1)
	w.mint(c, s2)
	if got := used(); got != [2]string{"0s", "59m0s"} {
		t.Errorf("used %v", got)
	}
	// Another process does not record a second use within the hour.
	saves = w.kv.saves
	if _, _, err := w.another().Mint(ctx, contoso, c.ID, s2); err != nil || w.kv.saves != saves {
		t.Errorf("%v, %d writes", err, w.kv.saves-saves)
	}
	w.clock.Add(2 * time.Minute)
	w.mint(c, s1)
	if got := used(); got != [2]string{"1h1m0s", "59m0s"} {
		t.Errorf("used %v", got)
	}
	w.clock.Add(2 * time.Hour)
	w.kv.hook = func() { w.kv.setFail(errors.New("disk on fire")) }
	w.mint(c, s1)
	w.kv.setFail(nil)
	if w.Stats().UseNotSaved != 1 || !strings.Contains(w.logs.String(), "last use") {
		t.Error("a failure was dropped")
	}
	// The next use after usedRetry is recorded; until then a KV that fails is left alone.
	saves = w.kv.saves
	w.clock.Add(usedRetry - time.Second)
	w.mint(c, s1)
	if got := used(); got != [2]string{"1h1m0s", "59m0s"} || w.kv.saves != saves {
		t.Errorf("used %v, %d writes right after a failure", got, w.kv.saves-saves)
	}
	w.clock.Add(time.Second)
	w.mint(c, s1)
	if got := used(); got != [2]string{"3h2m0s", "59m0s"} {
		t.Errorf("used %v after a failure", got)
	}
	w.mint(c, s1)
	if w.kv.saves != saves+1 {
		t.Errorf("%d writes within the hour", w.kv.saves-saves)
	}
	// An operator who corrects a clock that was ahead sees the uses from then on.
	w.clock.Add(-30 * time.Minute)
	w.mint(c, s1)
	if got := used(); got != [2]string{"2h32m0s", "59m0s"} {
		t.Errorf("used %v with the clock set back", got)
	}
	// The records of use end with their secret.
	if w.kv.names(prefixUsed) != 2 {
		t.Error("not both uses are kept")
	}
	if _, _, err := w.RotateSecret(ctx, contoso, c.ID, RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := w.kv.names(prefixUsed); got != 1 {
		t.Errorf("%d uses are kept after the rotation", got)
	}
	if err := w.DeleteClient(ctx, contoso, c.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.kv.names("auth/"); got != 1 {
		t.Errorf("%d names are left", got)
	}
}

func encodePEM(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

func TestAddKey(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	key := attackerKey()
	der := selfSigned(key, testStart)
	cert := encodePEM("CERTIFICATE", der)
	spki := must(x509.MarshalPKIXPublicKey(key.Public()))
	c, s, err := w.CreateClient(ctx, contoso, "cert", ClientOptions{Certificate: cert})
	if err != nil || !s.IsZero() || len(c.Secrets) != 0 || len(c.Keys) != 1 || c.Keys[0].Thumbprint == "" || !c.Keys[0].Expires.Equal(testStart.AddDate(1, 0, 0)) {
		t.Fatalf("%+v, %v, %v", c, s, err)
	}
	add := func(file []byte) error { _, err := w.AddKey(ctx, contoso, c.ID, file); return err }
	small := fixedRSA("weak")()
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		file []byte
		want string
	}{
		"again":            {cert, "already"},
		"again in DER":     {der, "already"},
		"a private key":    {encodePEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))), "must stay with the client"},
		"both":             {append(append([]byte{}, cert...), encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))...), "must stay with the client"},
		"a short key":      {encodePEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(small.Public()))), "1024 bits"},
		"P-384":            {encodePEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(p384.Public()))), "P-384"},
		"Ed25519":          {encodePEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(ed.Public()))), "RSA and EC"},
		"an old one":       {encodePEM("CERTIFICATE", selfSigned(attackerEC(), testStart.AddDate(-2, 0, 0))), "expired on 2025-11-23"},
		"a request":        {encodePEM("CERTIFICATE REQUEST", der), `holds a "CERTIFICATE REQUEST"`},
		"nothing":          {nil, "reading a certificate"},
		"text":             {[]byte("hello"), "reading a certificate"},
		"a broken one":     {encodePEM("CERTIFICATE", der[:50]), "reading a certificate"},
		"a broken key":     {encodePEM("PUBLIC KEY", spki[:50]), "reading a public key"},
		"a broken RSA key": {encodePEM("RSA PUBLIC KEY", spki[:50]), "reading an RSA public key"},
	} {
		if err := add(c.file); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i, file := range [][]byte{encodePEM("PUBLIC KEY", spki), encodePEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(attackerEC().Public()))), selfSigned(attackerEC(), testStart)} {
		if err := add(file); err != nil {
			t.Errorf("good file %d: %v", i, err)
		}
	}
	if err := add(encodePEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey))); err == nil {
		t.Error("the same key in another form was added")
	}
	for n := 4; n < 10; n++ {
		k := newEC()
		if err := add(encodePEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.Public())))); err != nil {
			t.Fatalf("key %d: %v", n+1, err)
		}
	}
	k := newEC()
	if err := add(encodePEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.Public())))); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "10 keys") {
		t.Errorf("the eleventh: %v", err)
	}
	// Two of the client's keys are the same RSA key and have its id; one of them has a certificate.
	if c, err = w.RemoveKey(ctx, contoso, c.ID, strings.ToUpper(c.Keys[0].Thumbprint)); err != nil || len(c.Keys) != 9 {
		t.Errorf("by thumbprint: %d keys, %v", len(c.Keys), err)
	}
	if c, err = w.RemoveKey(ctx, contoso, c.ID, c.Keys[0].ID); err != nil || len(c.Keys) != 8 {
		t.Errorf("by id: %d keys, %v", len(c.Keys), err)
	}
}

// TestConflict changes one client from two processes at once. The store keeps both changes.
func TestConflict(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c, _ := w.create(contoso, ClientOptions{})
	other := w.another()
	w.kv.hook = func() {
		if _, err := other.Disable(ctx, contoso, c.ID); err != nil {
			t.Error(err)
		}
	}
	got, _, err := w.RotateSecret(ctx, contoso, c.ID, RotateOptions{})
	if err != nil || !got.Disabled || len(got.Secrets) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadWhileSaved disables a client during a slow read of it. The cache must not keep the
// result.
func TestReadWhileSaved(t *testing.T) {
	w := newWorld(t)
	c, token := w.token(contoso)
	slow := &slowKV{memKV: w.kv, prefix: nameClient(contoso, c.ID)}
	conf := w.conf
	conf.KV = slow
	a, err := New(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	slow.during = func() {
		if _, err := a.Disable(t.Context(), contoso, c.ID); err != nil {
			t.Error(err)
		}
	}
	if _, e := verifyOn(t, a, withToken(token), RoleRead); e != nil {
		t.Errorf("the request that was under way: %v", e)
	}
	if _, e := verifyOn(t, a, withToken(token), RoleRead); status(e) != 401 {
		t.Errorf("the next request: %v", e)
	}
}

// A slowKV calls during once, after a Load has read its values and before it returns.
type slowKV struct {
	*memKV
	prefix string // prefix of the names whose Load is slow
	during func()
}

func (kv *slowKV) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	m, err := kv.memKV.Load(ctx, prefix)
	if f := kv.during; f != nil && strings.HasPrefix(prefix, kv.prefix) {
		kv.during = nil
		f()
	}
	return m, err
}

func TestStoredClient(t *testing.T) {
	w := newWorld(t)
	c, _ := w.create(contoso, ClientOptions{})
	name := nameClient(contoso, c.ID)
	good := w.kv.m[name]
	for want, raw := range map[string][]byte{
		"newer version":   []byte(`{"v":2,"id":"x"}`),
		"another client":  must(json.Marshal(storedClient{Version: 1, ID: nobody, Tenant: contoso})),
		"reading auth/":   []byte(`{`),
		"another client ": []byte(`{}`),
	} {
		w.kv.m[name] = raw
		if _, err := w.Clients(t.Context(), contoso); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%s: %v", want, err)
		}
	}
	w.kv.m[name] = good
	if strings.Contains(string(good), "0001-01-01") {
		t.Errorf("a time that is none is written: %s", good)
	}
	fire := errors.New("disk on fire")
	w.kv.setFail(fire)
	for what, err := range map[string]error{
		"list":   second(w.Clients(t.Context(), contoso)),
		"create": third(w.CreateClient(t.Context(), contoso, "x", ClientOptions{})),
		"change": second(w.Disable(t.Context(), contoso, c.ID)),
		"delete": w.DeleteClient(t.Context(), contoso, c.ID),
		"mint":   third(w.Mint(t.Context(), contoso, c.ID, NewSecret("x"))),
		"keys":   w.ReplaceKeys(t.Context()),
	} {
		if !errors.Is(err, fire) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.x.fail = fire
	if _, err := w.Clients(t.Context(), contoso); !errors.Is(err, fire) {
		t.Errorf("tenant: %v", err)
	}
	w.x.fail = nil
	w.x.m["odd"] = "ODD"
	if _, err := w.Clients(t.Context(), "odd"); err == nil || !strings.Contains(err.Error(), "not a GUID") {
		t.Errorf("odd tenant: %v", err)
	}
}

// TestUnknownIsCheap shows that a request for a client that does not exist causes no read of the
// store, whatever its id. The authority sees a client of another process at once if Changed tells
// it, and otherwise after ClientStale.
func TestUnknownIsCheap(t *testing.T) {
	w := newWorld(t)
	c, s := w.create(contoso, ClientOptions{})
	ask := func(id string, secret Secret, want int) {
		t.Helper()
		if rec := do(w.Handler(), "POST", tokenPath(contoso), secretForm(id, secret)); rec.Code != want {
			t.Fatalf("client %s: %d: %s", id, rec.Code, rec.Body)
		}
	}
	ask(c.ID, s, 200)
	ask(nobody, s, 400)
	loads := w.kv.loads
	for i := range 50 { // after more, the server would tell the sender to wait
		ask(fmt.Sprintf("99999999-9999-4999-8999-%012d", i), s, 400)
	}
	if n := w.kv.loads - loads; n > 0 {
		t.Errorf("the store was read %d times", n)
	}
	other := w.another()
	d, sd, err := other.CreateClient(t.Context(), contoso, "second", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.Changed(nameClient(contoso, d.ID))
	ask(d.ID, sd, 200)
	e, se, err := other.CreateClient(t.Context(), contoso, "third", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(ClientStale)
	ask(e.ID, se, 200)
	if err := other.DeleteClient(t.Context(), contoso, e.ID); err != nil {
		t.Fatal(err)
	}
	w.Changed(nameClient(contoso, e.ID))
	ask(e.ID, se, 400)
}
