package auth

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// assertionCorpus returns requests with assertions that the server must refuse.
func assertionCorpus(w *world) map[string]string {
	p, e := newProver(w, attackerKey()), newProver(w, attackerEC())
	key, stranger := attackerKey(), strangerKey()
	now := testStart.Unix()
	out := map[string]string{}
	put := func(name string, p prover) { out[name] = p.form() }
	raw := func(name, assertion string) {
		out[name] = form("grant_type", "client_credentials", "scope", anyScope, "client_id", p.client, "client_assertion_type", assertionType, "client_assertion", assertion)
	}

	for _, v := range []string{
		"", "/", testRoot, testRoot + "/", testRoot + "/" + contoso, testRoot + "/" + contoso + "/v2.0/", testRoot + tokenPath(contoso) + "/", testRoot + tokenPath(fabrikam), testRoot + "/" + fabrikam + "/v2.0", testRoot + "/contoso.example/v2.0",
		aliasURL + tokenPath(contoso), aliasURL + "/" + contoso + "/v2.0", "http" + testRoot[5:] + tokenPath(contoso), strings.ToUpper(testRoot) + tokenPath(contoso), "https://calls.example.test" + tokenPath(contoso), "https://login.microsoftonline.com" + tokenPath(contoso), "https://attacker.example" + tokenPath(contoso),
		testRoot + tokenPath(contoso) + "?x", testRoot + tokenPath(contoso) + "#x", testRoot + tokenPath(strings.ToUpper(contoso)), testRoot + "/" + contoso + "/oauth2/token", testRoot + "/" + contoso + "/oauth2/V2.0/token", "token", p.client, DefaultAudience, testRoot + tokenPath(contoso) + " ", testRoot + "/" + contoso + "/v2.0\x00",
	} {
		put(fmt.Sprintf("aud %q", v), p.claim("aud", quote(v)))
	}
	good := p.payload.get("aud")
	for _, v := range []string{"null", "1", "{}", "[]", "[" + good + "," + good + "]", "[" + good + `,"https://other"]`, `["https://other",` + good + "]", "[" + good + ",null]", "[[" + good + "]]", "true"} {
		put("aud "+v, p.claim("aud", v))
	}
	for _, name := range []string{"aud", "exp", "iss", "sub", "jti", "nbf"} {
		put("without "+name, p.without(name))
		put("empty "+name, p.claim(name, `""`))
		put("null "+name, p.claim(name, "null"))
		put("list "+name, p.claim(name, "[1]"))
	}
	for _, v := range []string{"0", "-1", "1e400", `"x"`, `"1e400"`, "true", "{}", num(now - 60), num(now - 3600), num(now + 661), num(now + 3600), num(now + 86400), num((now + 600) * 1000), "9223372036854775808", `" ` + num(now+600) + `"`, `"` + num(now+600) + `Z"`, `"0x6925"`, `"NaN"`, `"Inf"`, quote(num(now + 86400)), num(now+86400) + ".5"} {
		put("exp "+v, p.claim("exp", v))
	}
	for _, name := range []string{"nbf", "iat"} {
		for _, v := range []string{num(now + 61), num(now + 3600), num(now - 61), num(now - 86400), "0", "-1", "1e400", `"x"`, "true", quote(num(now + 61)), num(now+61) + ".5"} {
			put(name+" "+v, p.claim(name, v))
		}
	}
	put("no nbf, old iat", p.without("nbf").claim("iat", num(now-61)))
	put("24 hours, near its end", p.claim("nbf", num(now-86000)).claim("exp", num(now+400)))
	for _, v := range []string{"", "x", nobody, contoso, p.client + " ", e.client} {
		put("iss "+v, p.claim("iss", quote(v)))
		put("sub "+v, p.claim("sub", quote(v)))
		put("iss and sub "+v, p.claim("iss", quote(v)).claim("sub", quote(v)))
		if other := p; v != "" { // without client_id the assertion is valid
			other.client = v
			put("client_id "+v, other)
		}
	}
	for _, v := range []string{strings.Repeat("x", 513), ""} {
		put(fmt.Sprintf("jti of %d", len(v)), p.claim("jti", quote(v)))
	}
	put("jti 1", p.claim("jti", "1"))

	for _, alg := range []string{"none", "None", "NONE", "", "rs256", "HS256", "RS384", "RS512", "PS384", "PS512", "ES256", "ES384", "EdDSA", "RSA-OAEP", "dir"} {
		put("alg "+alg, p.head("alg", quote(alg)))
		raw("alg "+alg+", no signature", b64s(p.head("alg", quote(alg)).header.String())+"."+b64s(p.payload.String())+".")
	}
	spki := must(x509.MarshalPKIXPublicKey(key.Public()))
	for name, k := range map[string][]byte{"PEM": encodePEM("PUBLIC KEY", spki), "DER": spki, "certificate": p.der, "certificate PEM": encodePEM("CERTIFICATE", p.der), "client id": []byte(p.client), "empty": nil} {
		put("HS256 with "+name, p.signedBy("HS256", mac(k, crypto.SHA256)))
		put("HMAC called PS256 with "+name, p.signedBy("PS256", mac(k, crypto.SHA256)))
	}
	put("RS256 called PS256", p.signedBy("PS256", pkcs1(key, crypto.SHA256)))
	put("PS256 called RS256", p.signedBy("RS256", pss(key, crypto.SHA256, 32)))
	put("PS256 with SHA-512", p.signedBy("PS256", pss(key, crypto.SHA512, 32)))
	put("RS256 with SHA-1", p.signedBy("RS256", pkcs1(key, crypto.SHA1)))
	put("RS512", p.signedBy("RS512", pkcs1(key, crypto.SHA512)))
	put("a stranger's key", p.signedBy("PS256", pss(stranger, crypto.SHA256, 32)))
	put("EC for RSA", p.signedBy("ES256", ec(attackerEC(), rs)))
	put("RSA for EC", e.signedBy("RS256", pkcs1(key, crypto.SHA256)))
	put("EC in DER", e.signedBy("ES256", constant(make([]byte, 70))))
	for name, sig := range map[string][]byte{"0": rs(new(big.Int), new(big.Int)), "1": rs(big.NewInt(1), big.NewInt(1)), "short": make([]byte, 63), "long": make([]byte, 65)} {
		put("EC "+name, e.signedBy("ES256", constant(sig)))
	}
	put("signed by the access token's key", p.signedBy("RS256", func(in string) []byte {
		return pkcs1(w.keys.keys[0].private.(*rsa.PrivateKey), crypto.SHA256)(in)
	}))

	strangerDER := selfSigned(stranger, testStart)
	for name, v := range map[string]string{
		"x5t#S256 of a stranger": quote(b64(two(strangerDER))), "x5t#S256 empty": `""`, "x5t#S256 null": "null", "x5t#S256 list": "[" + p.header.get("x5t#S256") + "]", "x5t#S256 short": quote(b64(two(p.der)[:31])), "x5t#S256 long": quote(b64(append(two(p.der), 0))), "x5t#S256 hexadecimal": quote(fmt.Sprintf("%x", two(p.der))), "x5t#S256 zeros": quote(b64(make([]byte, 32))), "x5t#S256 of the key": quote(must(thumbprint(key.Public()))), "x5t#S256 1 MB": quote(strings.Repeat("A", 40_000)), "x5t#S256 is SHA-1": quote(b64(one(p.der))), "x5t#S256 garbage": `"!!!"`,
	} {
		put(name, p.head("x5t#S256", v))
	}
	for name, v := range map[string]string{"of a stranger": quote(b64(one(strangerDER))), "zeros": quote(b64(make([]byte, 20))), "is SHA-256": quote(b64(two(p.der))), "null": "null", "number": "1"} {
		put("x5t "+name, p.head("x5t", v))
		put("only x5t "+name, p.without("x5t#S256").head("x5t", v))
	}
	for name, v := range map[string]string{"unknown": `"x"`, "path": `"../../etc/passwd"`, "SQL": `"' OR 1=1 --"`, "NUL": `"\u0000"`, "null": "null", "list": "[]", "of the other client": quote(must(thumbprint(attackerEC().Public()))), "thumbprint of the certificate": quote(fmt.Sprintf("%x", one(p.der)))} {
		put("kid "+name, p.without("x5t#S256").head("kid", v))
	}
	jwk := string(must(json.Marshal(jose.JSONWebKey{Key: stranger.Public(), KeyID: "x"})))
	for _, x := range []field{{"jwk", jwk}, {"jku", `"https://attacker.example"`}, {"x5u", `"https://attacker.example"`}, {"crit", `["exp"]`}, {"crit", "[]"}, {"b64", "false"}, {"b64", "true"}, {"zip", `"DEF"`}, {"enc", `"A256GCM"`}, {"cty", `"JWT"`}, {"p2c", "1000000000"}, {"epk", "{}"}} {
		put("header "+x.name+x.value[:2], p.head(x.name, x.value))
		put("header "+x.name+x.value[:2]+" by a stranger", p.head(x.name, x.value).signedBy("PS256", pss(stranger, crypto.SHA256, 32)))
	}
	put("x5c of a stranger", p.head("x5c", "["+quote(base64.StdEncoding.EncodeToString(strangerDER))+"]").signedBy("PS256", pss(stranger, crypto.SHA256, 32)))
	put("x5c garbage", p.head("x5c", `["garbage"]`))
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "JWE", "", "application/jwt"} {
		if typ != "" {
			put("typ "+typ, p.head("typ", quote(typ)))
		}
	}
	put("typ null", p.head("typ", "null"))
	put("typ list", p.head("typ", `["JWT"]`))

	inner := p.payload.String()
	for _, x := range p.payload {
		raw("twice "+x.name, forge(p.header.String(), inner[:len(inner)-1]+","+quote(x.name)+":"+x.value+"}", p.sign))
		escaped := fmt.Sprintf(`"\u%04x%s"`, x.name[0], x.name[1:])
		raw("escaped "+x.name, forge(p.header.String(), strings.Replace(inner, quote(x.name), escaped, 1), p.sign))
	}
	for name, s := range map[string]string{"empty": "", "null": "null", "array": "[" + inner + "]", "garbage": inner + "x", "BOM": "\ufeff" + inner, "UTF-8": inner[:len(inner)-1] + ",\"x\":\"\xff\"}", "deep": inner[:len(inner)-1] + `,"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "1 MB": inner[:len(inner)-1] + `,"x":"` + strings.Repeat("x", 40_000) + `"}`} {
		raw("payload "+name, forge(p.header.String(), s, p.sign))
		raw("header "+name, forge(s, inner, p.sign))
	}
	tok := p.token()
	q := parts(tok)
	for name, s := range map[string]string{"none": "x", "two parts": q[0] + "." + q[1], "four parts": tok + ".x", "padded": tok + "=", "space": " " + tok, "line end": tok + "\n", "inside": tok[:20] + "\n" + tok[20:], "twice": tok + tok, "JSON": fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, q[1], q[0], q[2]), "detached": q[0] + ".." + q[2], "10^5 dots": strings.Repeat(".", 60_000), "standard base64": q[0] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(q[1]) + "+." + q[2], "JWE": "a.b.c.d.e", "a secret": "tlk_x"} {
		raw("form "+name, s)
	}
	_, access := w.token(contoso)
	raw("an access token", access)
	for i := range 40 {
		at := i * len(tok) / 40
		raw(fmt.Sprintf("cut at %d", at), tok[:at]+".")
		b := []byte(tok)
		b[at] ^= 1
		raw(fmt.Sprintf("flipped at %d", at), string(b))
	}

	// A request may have only one kind of credentials, and each parameter once.
	out["with a secret"] = p.form("client_secret", "x")
	out["with another grant"] = strings.Replace(p.form(), "client_credentials", "password", 1)
	out["without the type"] = strings.Replace(p.form(), "client_assertion_type", "x", 1)
	out["assertion twice"] = p.form() + "&client_assertion=" + p.token()
	return out
}

// constant returns a signFunc that gives every token the same signature.
func constant(sig []byte) signFunc { return func(string) []byte { return sig } }

func TestAssertionCorpus(t *testing.T) {
	w := newWorld(t, unlimited)
	p := newProver(w, attackerKey())
	if rec := ask(w.Authority, p.form()); rec.Code != 200 {
		t.Fatalf("the good assertion gets %s, so the corpus proves nothing", rec.Body)
	}
	cases := assertionCorpus(w)
	issued, remembered := w.Stats().Issued, 1
	for name, body := range cases {
		var rec *httptest.ResponseRecorder
		alloc := allocated(func() { rec = ask(w.Authority, body) })
		a := readAnswer(t, rec)
		switch {
		case rec.Code != 400 && rec.Code != 401, a.Error != "invalid_client" && a.Error != "invalid_request" && a.Error != "unauthorized_client" && a.Error != "unsupported_grant_type":
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		case alloc > 1<<20:
			t.Errorf("%s: %d bytes were allocated", name, alloc)
		case w.kv.names(prefixJTI) != remembered:
			t.Errorf("%s: it was remembered as used", name)
			remembered = w.kv.names(prefixJTI)
		}
	}
	t.Logf("%5d hostile assertions", len(cases))
	if got := w.Stats().Issued - issued; got != 0 {
		t.Errorf("%d tokens were issued", got)
	}
}
