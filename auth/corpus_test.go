package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A hostile is a request that must not be let in.
type hostile struct {
	name   string
	token  string        // in the Authorization header, unless there is
	req    *http.Request // a whole request
	status int           // 401 if 0
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

// fromTable makes one case of each value.
func fromTable(name string, values []string, token func(v string) string) family {
	f := family{name: name}
	for _, v := range values {
		f.add(fmt.Sprintf("%.60q", v), token(v))
	}
	return f
}

// TestCorpus shows every family of hostile tokens to the check.
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

	total := 0
	for _, fam := range []family{
		algNone(f), emptySignature(f), macs(f), otherAlgs(f), rsaSignatures(f),
		embeddedKeys(f), keyIDs(f, es), critical(f), types(f), nested(f), serializations(f), encodings(f),
		rawJSON(f), expiries(f, w), beginnings(f, w), audiences(f), issuers(f), tenantClaims(f), roleClaims(f), identities(f),
		headers(f), truncated(f), flipped(f),
	} {
		total += fam.run(t, w.Authority)
	}
	for _, fam := range []family{ecSignatures(ef), flipped(ef)} {
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

// maxAlloc is what judging one token may allocate.
const maxAlloc = 64 << 10

func (f family) run(t *testing.T, a *Authority) int {
	t.Helper()
	var most uint64
	for _, c := range f.cases {
		r := c.req
		if r == nil {
			r = withToken(c.token)
		}
		want := c.status
		if want == 0 {
			want = http.StatusUnauthorized
		}
		var e *Error
		alloc := allocated(func() { _, e = verifyOn(t, a, r, RoleRead) })
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

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func algNone(f forger) family {
	fam := family{name: "alg none"}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "noNe", "none ", " none", "n\\u006fne", "nоne", "null", "", "plain"} {
		head := f.header.with("alg", `"`+alg+`"`).String()
		fam.add(alg+", no signature", b64s(head)+"."+parts(f.token)[1]+".")
		fam.add(alg+", no dot", b64s(head)+"."+parts(f.token)[1])
		fam.add(alg+", some signature", forge(head, f.payload.String(), raw([]byte("none"))))
		fam.add(alg+", true signature", f.headed(head))
		fam.add(alg+", no kid", b64s(f.header.with("alg", `"`+alg+`"`).without("kid").String())+"."+parts(f.token)[1]+".")
	}
	return fam
}

func emptySignature(f forger) family {
	fam := family{name: "empty signature"}
	p := parts(f.token)
	fam.add("nothing", p[0]+"."+p[1]+".")
	for _, n := range []int{1, 2, 32, 64, 255, 256, 257, 512} {
		fam.add(fmt.Sprintf("%d zeros", n), p[0]+"."+p[1]+"."+b64(make([]byte, n)))
		fam.add(fmt.Sprintf("%d ones", n), p[0]+"."+p[1]+"."+b64([]byte(strings.Repeat("\xff", n))))
	}
	return fam
}

// macs are tokens whose HMAC key is the public key that everybody can read.
func macs(f forger) family {
	fam := family{name: "HMAC with the public key"}
	pub := f.key.private.Public().(*rsa.PublicKey)
	spki := must(x509.MarshalPKIXPublicKey(pub))
	jwk := must(json.Marshal(jose.JSONWebKey{Key: pub, KeyID: f.key.kid, Algorithm: "RS256", Use: "sig"}))
	keys := map[string][]byte{
		"PKIX PEM":      pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
		"PKIX PEM cut":  []byte(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})))),
		"PKIX DER":      spki,
		"PKCS1 PEM":     pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(pub)}),
		"PKCS1 DER":     x509.MarshalPKCS1PublicKey(pub),
		"JWK":           jwk,
		"modulus":       pub.N.Bytes(),
		"kid":           []byte(f.key.kid),
		"empty":         {},
		"one zero byte": {0},
	}
	for name, key := range keys {
		for alg, h := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512} {
			fam.add(alg+" "+name, forge(f.header.with("alg", quote(alg)).String(), f.payload.String(), mac(key, h)))
		}
		fam.add("RS256 claimed, "+name, forge(f.header.String(), f.payload.String(), mac(key, crypto.SHA256)))
	}
	return fam
}

// otherAlgs are good signatures of our own key with an algorithm that is not
// the key's.
func otherAlgs(f forger) family {
	fam := family{name: "alg of another key"}
	key := f.key.private.(*rsa.PrivateKey)
	signers := map[string]signFunc{
		"RS384": pkcs1(key, crypto.SHA384), "RS512": pkcs1(key, crypto.SHA512), "RS1": pkcs1(key, crypto.SHA1),
		"PS256": pss(key, crypto.SHA256, 32), "PS384": pss(key, crypto.SHA384, 48), "PS512": pss(key, crypto.SHA512, 64),
		"ES256": ec(attackerEC(), rs), "ES384": ec(attackerEC(), rs), "ES256K": ec(attackerEC(), rs), "ES512": ec(attackerEC(), rs),
		"EdDSA": raw(make([]byte, 64)), "RSA-OAEP": f.sign, "dir": f.sign, "A128KW": f.sign,
		"rs256": f.sign, "Rs256": f.sign, "RS256 ": f.sign, "RS-256": f.sign, "SHA256withRSA": f.sign,
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": f.sign,
	}
	for alg, sign := range signers {
		fam.add(alg, forge(f.header.with("alg", quote(alg)).String(), f.payload.String(), sign))
		if alg[0] != 'r' && alg[0] != 'R' || alg == "RS384" || alg == "RS512" || alg == "RS1" {
			if !strings.HasPrefix(alg, "http") && alg != "dir" && alg != "A128KW" && alg != "RSA-OAEP" && alg != "SHA256withRSA" {
				fam.add(alg+" called RS256", forge(f.header.String(), f.payload.String(), sign))
			}
		}
	}
	for _, v := range []string{"null", "1", "true", "[]", `["RS256"]`, `{"RS256":1}`} {
		fam.add("alg "+v, f.headed(f.header.with("alg", v).String()))
	}
	fam.add("no alg", f.headed(f.header.without("alg").String()))
	return fam
}

func rsaSignatures(f forger) family {
	fam := family{name: "RSA signatures"}
	key := f.key.private.(*rsa.PrivateKey)
	good := unb64(parts(f.token)[2])
	n := key.N
	s := new(big.Int).SetBytes(good)
	input := strings.Join(parts(f.token)[:2], ".")
	sum := digest(crypto.SHA256, input)
	put := func(name string, sig []byte) { fam.add(name, input+"."+b64(sig)) }
	put("without the name of the hash", must(rsa.SignPKCS1v15(nil, key, 0, sum)))
	put("hash itself", sum)
	put("raw hash to the power of d", new(big.Int).Exp(new(big.Int).SetBytes(sum), key.D, n).FillBytes(make([]byte, 256)))
	put("plus n", new(big.Int).Add(s, n).Bytes())
	put("minus s", new(big.Int).Sub(n, s).FillBytes(make([]byte, 256)))
	put("zero in front", append([]byte{0}, good...))
	put("zero behind", append(slices.Clone(good), 0))
	put("cut", good[:255])
	put("cut in front", good[1:])
	put("twice", append(slices.Clone(good), good...))
	put("n", n.Bytes())
	put("n minus one", new(big.Int).Sub(n, big.NewInt(1)).Bytes())
	put("one", big.NewInt(1).FillBytes(make([]byte, 256)))
	put("reversed", reversed(good))
	put("of another token", unb64(parts(f.claim("jti", `"other"`))[2]))
	// Bleichenbacher's forgery: a cube root for exponent 3, and a padding that
	// ends too early.
	block := append([]byte{0, 1, 0xff, 0}, append(slices.Clone(sum), make([]byte, 220)...)...)
	put("short padding", new(big.Int).Exp(new(big.Int).SetBytes(block[:256]), key.D, n).FillBytes(make([]byte, 256)))
	fam.add("another key", forge(f.header.String(), f.payload.String(), pkcs1(attackerKey(), crypto.SHA256)))
	fam.add("another key, PSS", forge(f.header.with("alg", `"PS256"`).String(), f.payload.String(), pss(attackerKey(), crypto.SHA256, 32)))
	return fam
}

func reversed(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

func ecSignatures(f forger) family {
	fam := family{name: "ECDSA signatures"}
	key := f.key.private.(*ecdsa.PrivateKey)
	n := elliptic.P256().Params().N
	zero, one := new(big.Int), big.NewInt(1)
	put := func(name string, sign signFunc) { fam.add(name, forge(f.header.String(), f.payload.String(), sign)) }
	shape := func(name string, s func(r, s *big.Int) []byte) { put(name, ec(key, s)) }
	shape("DER", func(r, s *big.Int) []byte { return must(asn1.Marshal(struct{ R, S *big.Int }{r, s})) })
	shape("high s", func(r, s *big.Int) []byte {
		if s.Cmp(halfP256()) <= 0 {
			s = new(big.Int).Sub(n, s)
		}
		return rs(r, s)
	})
	shape("s and r", func(r, s *big.Int) []byte { return rs(s, r) })
	shape("r only", func(r, _ *big.Int) []byte { return rs(r, zero)[:32] })
	shape("r is 0", func(_, s *big.Int) []byte { return rs(zero, s) })
	shape("s is 0", func(r, _ *big.Int) []byte { return rs(r, zero) })
	shape("r is n", func(_, s *big.Int) []byte { return rs(n, s) })
	shape("s is n", func(r, _ *big.Int) []byte { return rs(r, n) })
	shape("r plus n", func(r, s *big.Int) []byte { return append(new(big.Int).Add(r, n).Bytes(), s.Bytes()...) })
	shape("63 bytes", func(r, s *big.Int) []byte { return lowS(r, s)[:63] })
	shape("65 bytes", func(r, s *big.Int) []byte { return append(lowS(r, s), 0) })
	shape("66 bytes", func(r, s *big.Int) []byte {
		return append(append([]byte{0}, lowS(r, s)[:32]...), append([]byte{0}, lowS(r, s)[32:]...)...)
	})
	shape("96 bytes", func(r, s *big.Int) []byte { return append(lowS(r, s), make([]byte, 32)...) })
	for name, v := range map[string][2]*big.Int{
		"0, 0": {zero, zero}, "1, 1": {one, one}, "0, 1": {zero, one}, "1, 0": {one, zero}, "n, n": {n, n},
		"n, 1": {n, one}, "1, n": {one, n}, "n-1, 1": {new(big.Int).Sub(n, one), one}, "n+1, 1": {new(big.Int).Add(n, one), one},
		"Gx, 1": {elliptic.P256().Params().Gx, one},
	} {
		put(name, raw(rs(v[0], v[1])))
	}
	put("another key", ec(attackerEC(), lowS))
	rsaSig := pkcs1(attackerKey(), crypto.SHA256)
	put("RSA", rsaSig)
	fam.add("RS256", forge(f.header.with("alg", `"RS256"`).String(), f.payload.String(), rsaSig))
	for alg, h := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS512": crypto.SHA512} {
		key := must(x509.MarshalPKIXPublicKey(f.key.private.Public()))
		fam.add(alg, forge(f.header.with("alg", quote(alg)).String(), f.payload.String(), mac(key, h)))
	}
	for _, alg := range []string{"ES384", "ES512", "ES256K", "EdDSA", "es256"} {
		fam.add(alg, f.headed(f.header.with("alg", quote(alg)).String()))
	}
	return fam
}

// embeddedKeys are tokens that bring the key along with which to verify them.
func embeddedKeys(f forger) family {
	fam := family{name: "embedded keys"}
	mine := attackerKey()
	kid := must(thumbprint(mine.Public()))
	jwk := string(must(json.Marshal(jose.JSONWebKey{Key: mine.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"})))
	private := string(must(json.Marshal(jose.JSONWebKey{Key: mine, KeyID: kid})))
	cert := quote(base64.StdEncoding.EncodeToString(selfSigned(mine, testStart)))
	extras := []field{
		{"jwk", jwk}, {"jwk", private}, {"jwk", quote(jwk)}, {"jwk", "null"}, {"jwk", "{}"},
		{"jku", `"https://attacker.example/keys"`}, {"jku", quote(testRoot + "/" + contoso + "/discovery/v2.0/keys")}, {"jku", `"file:///etc/passwd"`},
		{"x5u", `"https://attacker.example/cert"`}, {"x5u", `"http://169.254.169.254/"`},
		{"x5c", "[" + cert + "]"}, {"x5c", "[]"}, {"x5c", cert}, {"x5c", `["not a certificate"]`},
		{"x5t", quote(b64(make([]byte, 20)))}, {"x5t#S256", quote(b64(make([]byte, 32)))},
		{"keys", "[" + jwk + "]"}, {"iss", quote(testRoot)}, {"nonce", `"x"`}, {"url", `"x"`},
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
		// The signature is over the bare payload, but the token carries it encoded.
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

func nested(f forger) family {
	fam := family{name: "nested and encrypted"}
	fam.add("token as payload", forge(f.header.with("cty", `"JWT"`).String(), f.token, f.sign))
	fam.add("token as payload, no cty", forge(f.header.String(), f.token, f.sign))
	fam.add("cty", f.headed(f.header.with("cty", `"JWT"`).String()))
	for name, head := range map[string]string{
		"dir":        `{"alg":"dir","enc":"A256GCM"}`,
		"p2c 10^9":   `{"alg":"PBES2-HS256+A128KW","enc":"A128CBC-HS256","p2c":1000000000,"p2s":"c2FsdHNhbHRzYWx0"}`,
		"p2c 2^63":   `{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":9223372036854775807,"p2s":"c2FsdA"}`,
		"zip":        `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`,
		"RSA1_5":     `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`,
		"RSA-OAEP":   `{"alg":"RSA-OAEP","enc":"A256GCM","kid":` + quote(f.key.kid) + `}`,
		"ECDH-ES":    `{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`,
		"none, zip":  `{"alg":"none","zip":"DEF"}`,
		"our header": f.header.String(),
	} {
		fam.add("JWE "+name, b64s(head)+"."+b64s("key")+"."+b64s("iv")+"."+b64s(strings.Repeat("c", 1000))+"."+b64s("tag"))
		fam.add("JWE without key "+name, b64s(head)+".."+b64s("iv")+"."+b64s("c")+"."+b64s("tag"))
		fam.add("JWE header on a JWS "+name, forge(head, f.payload.String(), f.sign)+"x")
	}
	for _, x := range []field{{"zip", `"DEF"`}, {"enc", `"A256GCM"`}, {"p2c", "1000000000"}, {"p2s", `"x"`}, {"epk", "{}"}} {
		fam.add(x.name, f.headed(f.header.with(x.name, x.value).String()))
	}
	return fam
}

func serializations(f forger) family {
	fam := family{name: "serialization"}
	p := parts(f.token)
	flat := fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2])
	general := fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2])
	both := fmt.Sprintf(`{"payload":%q,"protected":%q,"header":{"kid":"x"},"signature":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p[1], p[0], p[2], p[0], p[2])
	for name, s := range map[string]string{"flat": flat, "general": general, "both": both} {
		fam.add(name, s)
		fam.add(name+" in base64", b64s(s))
		fam.add(name+" with space", " "+s)
	}
	for name, s := range map[string]string{
		"detached": p[0] + ".." + p[2], "no header": "." + p[1] + "." + p[2], "one part": p[0], "two parts": p[0] + "." + p[1], "no dots": p[0] + p[1] + p[2],
		"four parts": f.token + "." + p[2], "dot behind": f.token + ".", "dot in front": "." + f.token, "double dot": p[0] + ".." + p[1] + "." + p[2],
		"one dot": ".", "two dots": "..", "three dots": "...", "a.b.c": "a.b.c", "AA.AA.AA": "AA.AA.AA", "e30.e30.e30": "e30.e30.e30",
		"parts exchanged": p[1] + "." + p[0] + "." + p[2], "payload twice": p[1] + "." + p[1] + "." + p[2],
		"two tokens": f.token + f.token, "two tokens, comma": f.token + "," + f.token, "two tokens, space": f.token + " " + f.token,
		"with ~ (SD-JWT)": f.token + "~", "disclosure": f.token + "~" + b64s(`["salt","roles",["x"]]`) + "~",
		"10^6 dots": strings.Repeat(".", 1_000_000), "10^6 dots behind": f.token + strings.Repeat(".", 1_000_000), "1 MB": strings.Repeat("A", 1<<20),
		"1 MB payload": p[0] + "." + strings.Repeat("A", 1<<20) + "." + p[2], "1 MB header": strings.Repeat("A", 1<<20) + "." + p[1] + "." + p[2], "1 MB signature": p[0] + "." + p[1] + "." + strings.Repeat("A", 1<<20),
		"8 KiB header":    b64s(f.header.with("x", quote(strings.Repeat("x", 5000))).String()) + "." + p[1] + "." + p[2],
		"8 KiB signature": p[0] + "." + p[1] + "." + strings.Repeat("A", 6000),
		"null":            "null", "undefined": "undefined", "[object Object]": "[object Object]", "quoted": `"` + f.token + `"`, "in brackets": "<" + f.token + ">",
		"prefix": "Bearer " + f.token, "colon": ": " + f.token, "percent": strings.ReplaceAll(f.token, ".", "%2E"), "hexadecimal": fmt.Sprintf("%x", f.token),
	} {
		fam.add(name, s)
	}
	for _, sp := range []string{" ", "\t", "\n", "\r\n", "\v", "\f", "\u00a0", "\u2028", "\x00", "\\n", "%20", "+", "%0a"} {
		fam.add(fmt.Sprintf("%q in the header", sp), p[0][:10]+sp+p[0][10:]+"."+p[1]+"."+p[2])
		fam.add(fmt.Sprintf("%q in the payload", sp), p[0]+"."+p[1][:10]+sp+p[1][10:]+"."+p[2])
		fam.add(fmt.Sprintf("%q in the signature", sp), p[0]+"."+p[1]+"."+p[2][:10]+sp+p[2][10:])
		fam.add(fmt.Sprintf("%q in front", sp), sp+f.token)
		fam.add(fmt.Sprintf("%q behind", sp), f.token+sp)
		fam.add(fmt.Sprintf("%q at the dot", sp), p[0]+sp+"."+p[1]+"."+p[2])
	}
	return fam
}

// encodings are other ways to write the same bytes in base64.
func encodings(f forger) family {
	fam := family{name: "base64"}
	p := parts(f.token)
	for i, name := range []string{"header", "payload", "signature"} {
		put := func(how, part string) {
			q := slices.Clone(p)
			q[i] = part
			if part != p[i] {
				fam.add(name+" "+how, strings.Join(q, "."))
			}
		}
		put("padded once", p[i]+"=")
		put("padded twice", p[i]+"==")
		put("with 4 padding signs", p[i]+"====")
		put("padded to the quantum", p[i]+strings.Repeat("=", (4-len(p[i])%4)%4))
		put("in the standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(p[i]))
		put("in the standard alphabet with padding", base64.StdEncoding.EncodeToString(unb64(p[i]))+"=")
		put("one letter more", p[i]+"A")
		put("two letters more", p[i]+"AA")
		put("encoded twice", b64s(p[i]))
		put("percent-encoded", "%"+fmt.Sprintf("%x", p[i][0])+p[i][1:])
		put("in hexadecimal", fmt.Sprintf("%x", unb64(p[i])))
		put("with a letter outside", p[i][:5]+"ä"+p[i][5:])
		put("in full width", "ｅ"+p[i][1:])
		// Bits behind the last byte that a lax decoder ignores.
		if n := len(p[i]) % 4; n == 2 || n == 3 {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			last := strings.IndexByte(alphabet, p[i][len(p[i])-1])
			for bit := range map[int]int{2: 4, 3: 2}[n] {
				put(fmt.Sprintf("with trailing bit %d", bit), p[i][:len(p[i])-1]+string(alphabet[last^1<<bit]))
			}
		}
	}
	// The same for parts of every length, signed by us as they are written.
	for pad := range 3 {
		payload := f.payload.with("x", quote(strings.Repeat("x", pad))).String()
		e := b64s(payload)
		if n := len(e) % 4; n != 0 {
			input := p[0] + "." + e + strings.Repeat("=", 4-n)
			fam.add(fmt.Sprintf("padding signed by us, length %d", n), input+"."+b64(f.sign(input)))
			input = p[0] + "." + e[:len(e)-1] + string(e[len(e)-1]+1)
			fam.add(fmt.Sprintf("trailing bits signed by us, length %d", n), input+"."+b64(f.sign(input)))
		}
		input := p[0] + "." + e[:8] + "\n" + e[8:]
		fam.add(fmt.Sprintf("line end signed by us, %d", pad), input+"."+b64(f.sign(input)))
		input = p[0] + "." + base64.StdEncoding.EncodeToString([]byte(payload+"\u00ff"))
		fam.add(fmt.Sprintf("standard alphabet signed by us, %d", pad), input+"."+b64(f.sign(input)))
	}
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

// headers are requests that carry a good token in a way that is not allowed.
func headers(f forger) family {
	fam := family{name: "Authorization header"}
	request := func(name string, make func(r *http.Request)) {
		r := httptest.NewRequest(http.MethodGet, testRoot+"/v1.0/x", nil)
		make(r)
		fam.cases = append(fam.cases, hostile{name: name, req: r, token: name})
	}
	for _, v := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer  ", "bearer", "BEARER ", f.token, "Bearer:" + f.token, "Bearer: " + f.token, "Bearer=" + f.token,
		"Bearer\t" + f.token, "bearer\t" + f.token, "Bearer  " + f.token, "Bearer \t" + f.token, "Bearer\n" + f.token, "Bearer\r\n " + f.token, "Bearer\u00a0" + f.token, "Bearer%20" + f.token, "Bearer+" + f.token,
		" Bearer " + f.token, "\tBearer " + f.token, "Bearer " + f.token + " ", "Bearer " + f.token + "\t", "Bearer " + f.token + "\r\n", "Bearer " + f.token + "\r\nX-Other: 1", "Bearer " + f.token + "\x00", "Bearer \x00" + f.token,
		"Bearer " + f.token + ",", "Bearer " + f.token + ", Bearer " + f.token, "Bearer " + f.token + "," + f.token, "Bearer x, Bearer " + f.token, "Bearer " + f.token + ";", "Bearer " + f.token + " x", "Bearer x " + f.token,
		"Basic " + f.token, "Basic " + base64.StdEncoding.EncodeToString([]byte("Bearer:"+f.token)), "Token " + f.token, "JWT " + f.token, "DPoP " + f.token, "PoP " + f.token, "Digest " + f.token, "Negotiate " + f.token, "OAuth " + f.token, "BearerX " + f.token, "XBearer " + f.token, "Bearer-" + f.token,
		`Bearer "` + f.token + `"`, "Bearer '" + f.token + "'", "Bearer <" + f.token + ">", "Bearer token=" + f.token, "Bearer access_token=" + f.token, `Bearer token="` + f.token + `"`, "Bearer " + b64s(f.token),
		"Веarer " + f.token, "Bearer null", "Bearer undefined", "Bearer {}", "Bearer " + strings.Repeat("x", 1<<20), strings.Repeat("Bearer ", 1000) + f.token,
	} {
		request(fmt.Sprintf("%.60q", v), func(r *http.Request) { r.Header["Authorization"] = []string{v} })
	}
	request("none", func(*http.Request) {})
	request("empty list", func(r *http.Request) { r.Header["Authorization"] = []string{} })
	request("twice", func(r *http.Request) {
		r.Header["Authorization"] = []string{"Bearer " + f.token, "Bearer " + f.token}
	})
	request("twice, the first empty", func(r *http.Request) { r.Header["Authorization"] = []string{"", "Bearer " + f.token} })
	request("twice, the second empty", func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer " + f.token, ""} })
	request("twice, one Basic", func(r *http.Request) { r.Header["Authorization"] = []string{"Basic eDp5", "Bearer " + f.token} })
	for _, h := range []string{"authorization", "AUTHORIZATION", "Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "Authorization ", "X-Access-Token", "X-MS-TOKEN-AAD-ACCESS-TOKEN", "Cookie"} {
		request(h, func(r *http.Request) { r.Header[h] = []string{"Bearer " + f.token} })
	}
	for _, q := range []string{"access_token", "token", "bearer_token", "Authorization", "auth"} {
		r := httptest.NewRequest(http.MethodGet, testRoot+"/v1.0/x?"+q+"="+f.token, nil)
		fam.cases = append(fam.cases, hostile{name: q + " in the URL", req: r})
		r = httptest.NewRequest(http.MethodPost, testRoot+"/v1.0/x", strings.NewReader(q+"="+f.token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		fam.cases = append(fam.cases, hostile{name: q + " in the body", req: r})
	}
	request("cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: f.token}) })
	request("user in the URL", func(r *http.Request) { r.SetBasicAuth("Bearer", f.token) })
	return fam
}

func truncated(f forger) family {
	fam := family{name: "truncated at each byte"}
	for i := range len(f.token) {
		fam.add(fmt.Sprint(i), f.token[:i])
	}
	return fam
}

func flipped(f forger) family {
	fam := family{name: "one bit flipped in each byte"}
	for i := range len(f.token) {
		b := []byte(f.token)
		b[i] ^= 1 << (i % 7)
		fam.add(fmt.Sprint(i), string(b))
	}
	return fam
}
