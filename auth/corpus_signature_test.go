package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// These families attack the signature.

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

// macs has tokens whose HMAC key is our public key, which is no secret.
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

// otherAlgs has valid signatures of our own key, by an algorithm that does not belong to it.
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
	// Bleichenbacher's forgery of 2006 needs a key with exponent 3, and a verifier that accepts a
	// padding that ends too early. Our exponent is larger, so the test makes the block with the key.
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
