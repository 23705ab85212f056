package auth

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A hostile is a request that the server must refuse.
type hostile struct {
	name   string
	token  string        // in the Authorization header, if req is nil
	req    *http.Request // a whole request instead
	status int           // expected; 0 is 401
}

// A family is a kind of attack.
type family struct {
	name  string
	cases []hostile
}

func (f *family) add(name, token string) {
	f.cases = append(f.cases, hostile{name: name, token: token})
}

func (f *family) forbid(name, token string) {
	f.cases = append(f.cases, hostile{name: name, token: token, status: http.StatusForbidden})
}

// fromTable returns a family with one case for each value.
func fromTable(name string, values []string, token func(v string) string) family {
	f := family{name: name}
	for _, v := range values {
		f.add(fmt.Sprintf("%.60q", v), token(v))
	}
	return f
}

// TestCorpus shows that the server refuses every family of hostile tokens.
func TestCorpus(t *testing.T) {
	w := newWorld(t)
	_, token := w.token(contoso)
	f := newForger(w.Authority, token)
	es := newWorld(t, func(c *Config) { c.Alg = "ES256" })
	_, estoken := es.token(contoso)
	ef := newForger(es.Authority, estoken)

	for name, good := range map[string]struct {
		w     *world
		token string
	}{"RS256": {w, token}, "ES256": {es, estoken}, "forged RS256": {w, f.claims(f.payload.String())}, "forged ES256": {es, ef.claims(ef.payload.String())}} {
		if _, err := verifyOn(t, good.w.Authority, withToken(good.token), RoleRead); err != nil {
			t.Fatalf("the good token (%s) is refused, so the corpus proves nothing: %v", name, err)
		}
	}

	// What these are about is in the header and the claims. An ES256 signature is made in a fortieth
	// of the time.
	contents := func(f forger, w *world) []family {
		return []family{critical(f), types(f), rawJSON(f), expiries(f, w), beginnings(f, w), audiences(f), issuers(f), tenantClaims(f), roleClaims(f), identities(f)}
	}
	families := []family{
		algNone(f), emptySignature(f), macs(f), otherAlgs(f), rsaSignatures(f),
		embeddedKeys(f), keyIDs(f, es), nested(f), serializations(f), encodings(f),
		headers(f), truncated(f), flipped(f),
	}
	if !testing.Short() {
		families = append(families, contents(f, w)...)
	}
	total := 0
	for _, fam := range families {
		total += fam.run(t, w.Authority)
	}
	for _, fam := range append(contents(ef, es), ecSignatures(ef), flipped(ef)) {
		fam.name += " (ES256)"
		total += fam.run(t, es.Authority)
	}
	t.Logf("%5d hostile requests in all", total)
	if total < 600 {
		t.Errorf("the corpus has %d cases; 600 or more are needed", total)
	}
	if _, err := verifyOn(t, w.Authority, withToken(token), RoleRead); err != nil {
		t.Errorf("the good token is refused after the corpus: %v", err)
	}
}

// maxAlloc is the number of bytes that the server may allocate to judge one token.
const maxAlloc = 64 << 10

func (f family) run(t *testing.T, a *Authority) int {
	t.Helper()
	var most uint64
	for i, c := range f.cases {
		if c.req == nil {
			f.cases[i].req = withToken(c.token)
		}
	}
	before := totalAlloc()
	for _, c := range f.cases {
		want := c.status
		if want == 0 {
			want = http.StatusUnauthorized
		}
		_, e := verifyOn(t, a, c.req, RoleRead)
		now := totalAlloc()
		alloc := now - before
		before = now
		most = max(most, alloc)
		if alloc > maxAlloc {
			t.Errorf("%s: %s: %d bytes were allocated", f.name, c.name, alloc)
		}
		if status(e) != want {
			t.Errorf("%s: %s: status %d instead of %d\n%.200s", f.name, c.name, status(e), want, c.token)
			continue
		}
		if e.Code == "" || want == 401 && e.Message == "" || want == 403 && e.Message != "" || strings.Contains(e.Challenge, "claims") {
			t.Errorf("%s: %s: the error is %+v", f.name, c.name, e)
		}
	}
	t.Logf("%5d %-28s at most %2d KiB each", len(f.cases), f.name, (most+1023)/1024)
	return len(f.cases)
}

// totalAlloc returns the number of bytes that the process has allocated up to now.
func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// allocated returns the number of bytes that f allocates.
func allocated(f func()) uint64 {
	before := totalAlloc()
	f()
	return totalAlloc() - before
}

// embeddedKeys has tokens that bring their own key.
func embeddedKeys(f forger) family {
	fam := family{name: "embedded keys"}
	mine := attackerKey()
	kid := must(thumbprint(mine.Public()))
	jwk := string(must(json.Marshal(jose.JSONWebKey{Key: mine.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"})))
	private := string(must(json.Marshal(jose.JSONWebKey{Key: mine, KeyID: kid})))
	cert := quote(base64.StdEncoding.EncodeToString(selfSigned(mine, testStart)))
	extras := []field{
		{"jwk", jwk},
		{"jwk", private},
		{"jwk", quote(jwk)},
		{"jwk", "null"},
		{"jwk", "{}"},
		{"jku", `"https://attacker.example/keys"`},
		{"jku", quote(testRoot + "/" + contoso + "/discovery/v2.0/keys")},
		{"jku", `"file:///etc/passwd"`},
		{"x5u", `"https://attacker.example/cert"`},
		{"x5u", `"http://169.254.169.254/"`},
		{"x5c", "[" + cert + "]"},
		{"x5c", "[]"},
		{"x5c", cert},
		{"x5c", `["not a certificate"]`},
		{"x5t", quote(b64(make([]byte, 20)))},
		{"x5t#S256", quote(b64(make([]byte, 32)))},
		{"keys", "[" + jwk + "]"},
		{"iss", quote(testRoot)},
		{"nonce", `"x"`},
		{"url", `"x"`},
	}
	for _, x := range extras {
		sign := pkcs1(mine, crypto.SHA256)
		for _, id := range []string{quote(f.key.kid), quote(kid)} {
			fam.add(x.name+" beside kid "+id, forge(f.header.with("kid", id).with(x.name, x.value).String(), f.payload.String(), sign))
		}
		fam.add(x.name+" without kid", forge(f.header.without("kid").with(x.name, x.value).String(), f.payload.String(), sign))
		fam.add(x.name+" signed by us", f.headed(f.header.with(x.name, x.value).String()))
	}
	return fam
}

func keyIDs(f forger, other *world) family {
	values := []string{
		"", " ", ".", "..", "/", "../../../../etc/passwd", "/dev/null", "..\\..\\windows\\win.ini", "auth/keys", "keys",
		"' OR '1'='1", "'; DROP TABLE keys; --", "\" OR \"\"=\"", "1", "0", "-1", "null", "undefined", "*", "%", "_", "%00",
		"\x00", f.key.kid + "\x00", "\x00" + f.key.kid, f.key.kid + " ", " " + f.key.kid, f.key.kid[:42], f.key.kid + "A",
		strings.ToUpper(f.key.kid), strings.ToLower(f.key.kid), b64s(f.key.kid), f.key.kid + "=", "$(id)", "`id`", "${jndi:ldap://x/y}", "{{7*7}}",
		"http://attacker.example/jwks", "\u202e" + f.key.kid, "ключ", strings.Repeat("A", 4<<10), strings.Repeat("A", 1<<20),
	}
	fam := fromTable("kid", values, func(v string) string { return f.headed(f.header.with("kid", quote(v)).String()) })
	for _, v := range []string{"null", "1", "true", "[]", "{}", "[" + quote(f.key.kid) + "]", `{"kid":` + quote(f.key.kid) + "}"} {
		fam.add(v, f.headed(f.header.with("kid", v).String()))
	}
	fam.add("missing", f.headed(f.header.without("kid").String()))
	for _, k := range other.keys.keys {
		fam.add("of another installation", f.headed(f.header.with("kid", quote(k.kid)).String()))
	}
	return fam
}

func critical(f forger) family {
	fam := family{name: "crit and b64"}
	for _, v := range []string{`["exp"]`, `["b64"]`, `["typ"]`, `["alg"]`, `["crit"]`, `[]`, `"b64"`, `null`, `["http://example.org/x"]`, `[1]`, `{}`, `["b64","b64"]`, `[""]`} {
		fam.add("crit "+v, f.headed(f.header.with("crit", v).String()))
		fam.add("crit "+v+" and exp", f.headed(f.header.with("crit", v).with("exp", "1").String()))
	}
	for _, v := range []string{"false", "true", `"false"`, "null", "0"} {
		head := f.header.with("b64", v)
		fam.add("b64 "+v, f.headed(head.String()))
		head = head.with("crit", `["b64"]`)
		fam.add("b64 "+v+" and crit", f.headed(head.String()))
		input := b64s(head.String()) + "." + f.payload.String()
		fam.add("b64 "+v+", bare payload", input+"."+b64(f.sign(input)))
		// The signature is over the plain payload, but the token carries it in base64.
		fam.add("b64 "+v+", signed bare", b64s(head.String())+"."+b64s(f.payload.String())+"."+b64(f.sign(input)))
	}
	return fam
}

func types(f forger) family {
	values := []string{
		"JWT", "jwt", "Jwt", "AT+JWT", "At+jwt", "at+JWT", "application/at+jwt", "application/at+JWT", "at+jwt ", " at+jwt", "at+jwt\x00", "at jwt", "at+jwt,JWT",
		"", "id_token+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "client-authentication+jwt", "oauth-authz-req+jwt", "introspection+jwt", "JOSE", "JOSE+JSON", "rt+jwt", "аt+jwt",
	}
	fam := fromTable("typ", values, func(v string) string { return f.headed(f.header.with("typ", quote(v)).String()) })
	for _, v := range []string{"null", "1", "[]", `["at+jwt"]`, "{}"} {
		fam.add(v, f.headed(f.header.with("typ", v).String()))
	}
	fam.add("missing", f.headed(f.header.without("typ").String()))
	return fam
}

// selfSigned returns a certificate in DER.
func selfSigned(key crypto.Signer, now time.Time) []byte {
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)}
	return must(x509.CreateCertificate(nil2rand{}, tmpl, tmpl, key.Public(), key))
}

// nil2rand is a source of zeros, for serial numbers and the like.
type nil2rand struct{}

func (nil2rand) Read(p []byte) (int, error) { clear(p); return len(p), nil }
