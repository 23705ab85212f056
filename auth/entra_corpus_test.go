package auth

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestEntraCorpus shows that the second verifier refuses hostile tokens, and that each verifier
// refuses the tokens of the other.
func TestEntraCorpus(t *testing.T) {
	s := newSTS(t)
	w := entraWorld(t, s)
	key := stsKey()
	v1, v2, head := s.v1(), s.v2(), entraHead("k1")
	sign := pkcs1(key, crypto.SHA256)
	good := forge(head.String(), v2.String(), sign)
	if _, e := verifyOn(t, w.Authority, withToken(good), RoleRead); e != nil {
		t.Fatalf("the good token is refused, so the corpus proves nothing: %v", e)
	}
	f := forger{token: good, header: head, payload: v2, key: &signKey{kid: "k1", alg: jose.RS256, private: key}}
	_, own := w.token(contoso)
	of := newForger(w.Authority, own)
	total := 0
	for _, fam := range []family{
		algNone(f), emptySignature(f), macs(f), rsaSignatures(f), critical(f), serializations(f), encodings(f), nested(f), truncated(f), flipped(f),
		entraOtherAlgs(f), entraHeaders(f), entraClaims(s, f, v1), entraRoles(f, v1), mixed(s, f, of),
	} {
		fam.name = "Entra: " + fam.name
		total += fam.run(t, w.Authority)
	}
	t.Logf("%5d hostile tokens of Entra in all", total)
	if got := s.hits(contoso); got > 2 {
		t.Errorf("the corpus made %d reads of the keys", got)
	}
	if got := s.hits(fabrikam) + s.hits(nobody); got != 0 {
		t.Errorf("the keys of other tenants were read %d times", got)
	}
}

func entraOtherAlgs(f forger) family {
	fam := family{name: "alg"}
	key := f.key.private.(*rsa.PrivateKey)
	for alg, sign := range map[string]signFunc{
		"RS384": pkcs1(key, crypto.SHA384), "RS512": pkcs1(key, crypto.SHA512), "PS256": pss(key, crypto.SHA256, 32), "PS512": pss(key, crypto.SHA512, 64),
		"ES256": ec(attackerEC(), rs), "HS256": mac(must(x509.MarshalPKIXPublicKey(key.Public())), crypto.SHA256), "rs256": f.sign, "": f.sign, "EdDSA": f.sign,
	} {
		fam.add(alg, forge(f.header.with("alg", quote(alg)).String(), f.payload.String(), sign))
	}
	return fam
}

func entraHeaders(f forger) family {
	fam := family{name: "header"}
	mine := strangerKey()
	jwk := string(must(json.Marshal(jose.JSONWebKey{Key: mine.Public(), KeyID: "k1"})))
	cert := quote(base64.StdEncoding.EncodeToString(selfSigned(mine, testStart)))
	for _, x := range []field{{"jwk", jwk}, {"jku", `"https://attacker.example"`}, {"x5u", `"https://attacker.example"`}, {"x5c", "[" + cert + "]"}, {"x5c", "[]"}, {"crit", `["x"]`}, {"b64", "false"}, {"zip", `"DEF"`}, {"cty", `"JWT"`}, {"enc", `"A"`}} {
		fam.add(x.name, forge(f.header.with(x.name, x.value).String(), f.payload.String(), pkcs1(mine, crypto.SHA256)))
		fam.add(x.name+", good signature", f.headed(f.header.with(x.name, x.value).String()))
	}
	for _, kid := range []string{"", "k2", "K1", "k1 ", "k1\x00", "../k1", strings.Repeat("k", 4000)} {
		fam.add(fmt.Sprintf("kid %.20q", kid), f.headed(f.header.with("kid", quote(kid)).String()))
	}
	for _, v := range []string{"null", "1", "[]", `["k1"]`} {
		fam.add("kid "+v, f.headed(f.header.with("kid", v).String()))
	}
	fam.add("no kid", f.headed(f.header.without("kid").String()))
	fam.add("no kid, but x5t", f.headed(f.header.without("kid").with("x5t", `"k1"`).String()))
	for _, typ := range []string{"jwt", "Jwt", "JWT ", "at+jwt", "AT+JWT", "application/jwt", "id_token", ""} {
		fam.add("typ "+typ, f.headed(f.header.with("typ", quote(typ)).String()))
	}
	fam.add("no typ", f.headed(f.header.without("typ").String()))
	fam.add("nonce, as in tokens for Graph", forge(f.header.with("nonce", `"x"`).String(), f.payload.String(), func(string) []byte {
		// Entra signs a token for Graph over a hash of its nonce.
		sum := digest(crypto.SHA256, "x")
		return f.sign(b64s(f.header.with("nonce", quote(b64(sum))).String()) + "." + b64s(f.payload.String()))
	}))
	return fam
}

func entraClaims(s *sts, f forger, v1 fields) family {
	fam := family{name: "claims"}
	v2 := f.payload
	now := testStart.Unix()
	both := func(name, claim, value string) {
		fam.add("v2 "+name, f.claims(v2.with(claim, value).String()))
		if testing.Short() {
			return
		}
		fam.add("v1 "+name, f.claims(v1.with(claim, value).String()))
	}
	for _, aud := range []string{"", "00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", "https://graph.microsoft.com/", "https://graph.microsoft.us", robotID, strings.ToUpper(apiID), "{" + apiID + "}", apiURI + "/", strings.ToUpper(apiURI), DefaultAudience, "spn:" + apiID, apiID + " " + apiID, apiID + "\x00", "*"} {
		both(fmt.Sprintf("aud %q", aud), "aud", quote(aud))
	}
	for _, aud := range []string{"null", "[]", "[" + quote(apiID) + "]", "[" + quote(apiID) + `,"x"]`, "1"} {
		both("aud "+aud, "aud", aud)
	}
	for _, iss := range []string{
		"", "https://login.microsoftonline.com/" + contoso + "/v2.0", "https://login.microsoftonline.us/" + contoso + "/v2.0", "https://sts.windows.net/" + contoso, "https://sts.windows.net/" + fabrikam + "/", "https://sts.windows.net/" + strings.ToUpper(contoso) + "/", "https://sts.chinacloudapi.cn/" + contoso + "/", "http://sts.windows.net/" + contoso + "/", "https://sts.windows.net." + contoso + "/", "https://sts.windows.net/" + contoso + "/v2.0",
		s.URL, s.URL + "/" + contoso + "/", s.URL + "/" + contoso + "/v2.0/", s.URL + "/" + fabrikam + "/v2.0", s.URL + "/{tenantid}/v2.0", s.URL + "/common/v2.0", testRoot + "/" + contoso + "/v2.0", strings.ToUpper(s.URL) + "/" + contoso + "/v2.0", s.URL + ":443/" + contoso + "/v2.0",
	} {
		both(fmt.Sprintf("iss %q", iss), "iss", quote(iss))
	}
	for _, tid := range []string{"", fabrikam, nobody, strings.ToUpper(contoso), "common", "9188040d-6c67-4c5b-b112-36a304b66dad", contoso + " "} {
		both(fmt.Sprintf("tid %q", tid), "tid", quote(tid))
		fam.add(fmt.Sprintf("v2 tid and iss %q", tid), f.claims(v2.with("tid", quote(tid)).with("iss", quote(s.URL+"/"+tid+"/v2.0")).String()))
		fam.add(fmt.Sprintf("v1 tid and iss %q", tid), f.claims(v1.with("tid", quote(tid)).with("iss", quote("https://sts.windows.net/"+tid+"/")).String()))
	}
	fam.add("v2 called v1", f.claims(v2.with("ver", `"1.0"`).String()))
	fam.add("v1 called v2", f.claims(v1.with("ver", `"2.0"`).String()))
	fam.add("v2 with v1's issuer", f.claims(v2.with("iss", v1.get("iss")).String()))
	fam.add("v1 with v2's issuer", f.claims(v1.with("iss", v2.get("iss")).String()))
	fam.add("v2 with appid for azp", f.claims(v2.without("azp").with("appid", quote(robotID)).String()))
	fam.add("v1 with azp for appid", f.claims(v1.without("appid").with("azp", quote(robotID)).String()))
	for _, v := range []string{`""`, `"x"`, "null", "[]", quote("{" + robotID + "}")} {
		fam.add("azp "+v, f.claims(v2.with("azp", v).String()))
		fam.add("appid "+v, f.claims(v1.with("appid", v).String()))
	}
	for _, name := range []string{"aud", "iss", "tid", "ver", "exp", "nbf", "iat"} {
		fam.add("v2 without "+name, f.claims(v2.without(name).String()))
		fam.add("v1 without "+name, f.claims(v1.without(name).String()))
		fam.add("twice "+name, f.claims(strings.TrimSuffix(v2.String(), "}")+","+quote(name)+":"+v2.get(name)+"}"))
	}
	for _, v := range badTimes {
		fam.add("exp "+v, f.claims(v2.with("exp", v).String()))
		fam.add("nbf "+v, f.claims(v2.with("nbf", v).String()))
		fam.add("iat "+v, f.claims(v2.with("iat", v).String()))
	}
	fam.add("expired", f.claims(v2.with("exp", num(now-300)).String()))
	fam.add("not yet", f.claims(v2.with("nbf", num(now+301)).String()))
	fam.add("from the future", f.claims(v2.with("iat", num(now+301)).String()))
	for _, name := range []string{"roles"} {
		for _, v := range []string{`"CallRecords.Read.All"`, "null", "[1]", "{}"} {
			fam.add(name+" "+v, f.claims(v2.with(name, v).String()))
		}
	}
	return fam
}

func entraRoles(f forger, v1 fields) family {
	fam := family{name: "roles, scp, idtyp"}
	for _, p := range []fields{f.payload, v1} {
		fam.forbid("no roles", f.claims(p.without("roles").String()))
		fam.forbid("empty roles", f.claims(p.with("roles", "[]").String()))
		fam.forbid("another role", f.claims(p.with("roles", `["CallRecords.Read"]`).String()))
		fam.forbid("lower case", f.claims(p.with("roles", `["callrecords.read.all"]`).String()))
		for _, v := range []string{`"CallRecords.Read.All"`, `"user_impersonation"`, `""`, "null"} {
			fam.forbid("scp "+v, f.claims(p.with("scp", v).String()))
			fam.forbid("scp alone "+v, f.claims(p.without("roles").with("scp", v).String()))
		}
		for _, v := range []string{`"user"`, `"App"`, `""`, "null", `["app"]`, "1"} {
			fam.forbid("idtyp "+v, f.claims(p.with("idtyp", v).String()))
		}
	}
	return fam
}

// mixed has tokens with parts of both kinds.
func mixed(s *sts, f, own forger) family {
	fam := family{name: "both verifiers mixed"}
	fam.add("ours, called JWT", own.headed(own.header.with("typ", `"JWT"`).String()))
	fam.add("ours, called JWT, for the API", forge(own.header.with("typ", `"JWT"`).String(), own.payload.with("aud", quote(apiID)).String(), own.sign))
	fam.add("Entra's claims signed by us", forge(own.header.String(), f.payload.String(), own.sign))
	fam.add("Entra's claims signed by us, called JWT", forge(own.header.with("typ", `"JWT"`).String(), f.payload.String(), own.sign))
	fam.add("Entra's claims signed by us, Entra's header", forge(f.header.String(), f.payload.String(), own.sign))
	fam.add("our claims signed by Entra", forge(f.header.String(), own.payload.String(), f.sign))
	fam.add("our claims signed by Entra, called at+jwt", forge(f.header.with("typ", `"at+jwt"`).String(), own.payload.String(), f.sign))
	fam.add("our claims signed by Entra, our header", forge(own.header.String(), own.payload.String(), f.sign))
	fam.add("our claims signed by Entra, our kid", forge(f.header.with("kid", own.header.get("kid")).String(), own.payload.String(), f.sign))
	fam.add("Entra's kid, at+jwt, signed by us", forge(own.header.with("kid", `"k1"`).String(), own.payload.String(), own.sign))
	fam.add("our issuer, Entra's audience, signed by Entra", f.claims(f.payload.with("iss", own.payload.get("iss")).String()))
	fam.add("Entra's issuer, our audience, signed by us", own.claims(own.payload.with("iss", f.payload.get("iss")).String()))
	fam.add("Entra's issuer and audience in our token", own.claims(own.payload.with("iss", f.payload.get("iss")).with("aud", f.payload.get("aud")).String()))
	fam.add("Entra's token, called at+jwt", f.headed(f.header.with("typ", `"at+jwt"`).String()))
	fam.add("Entra's token, called at+jwt, with our kid", f.headed(f.header.with("typ", `"at+jwt"`).with("kid", own.header.get("kid")).String()))
	return fam
}
