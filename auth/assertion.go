package auth

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionLife is the longest life of a client assertion. Every library of Microsoft's asks for
// these ten minutes.
const assertionLife = 10 * time.Minute

// An assertion is a token that a client has signed to prove that it holds a key (private_key_jwt,
// RFC 7523). Its contents are unverified.
type assertion struct {
	compact
	subject string // in lower case
}

// parseAssertion checks what it can check of s without the client.
func parseAssertion(s string) (assertion, *refusal) {
	c, err := parseCompact(s, maxAssertion, maxAssertion)
	if err != nil {
		return assertion{}, badAssertion(50027, "It is not a JWT in compact form.")
	}
	// "client-authentication+jwt" comes with the successor of RFC 7523.
	if c.typ != "" && !strings.EqualFold(c.typ, "JWT") && !strings.EqualFold(c.typ, "client-authentication+jwt") {
		return assertion{}, badAssertion(50027, "Its typ '%s' is not that of an assertion.", shown(c.typ))
	}
	if !c.plain() {
		return assertion{}, badAssertion(50027, "Its header has a parameter that is not allowed.")
	}
	o, err := c.unverified()
	if err != nil {
		return assertion{}, badAssertion(50027, "Its claims are not a JSON object.")
	}
	sub, ok := o.text("sub")
	if !ok {
		return assertion{}, badAssertion(50027, "It has no sub.")
	}
	return assertion{c, strings.ToLower(sub)}, nil
}

// checkAssertion verifies that client c made j for this request, and returns the key. It looks only
// among the keys of c: the request, or the sub of the assertion, names the client, and a key never
// does.
func (a *Authority) checkAssertion(c storedClient, j assertion, req request) (credential, *refusal) {
	key, why := c.keyFor(j.compact)
	if why != nil {
		return credential{}, why
	}
	if !key.NotAfter.IsZero() && a.now().After(key.NotAfter) {
		return credential{}, badAssertion(700027, "The certificate that signed it has expired on %s.", key.NotAfter.Format(time.DateOnly))
	}
	public, err := x509.ParsePKIXPublicKey(key.SPKI)
	if err != nil {
		return credential{}, outOfOrder(fmt.Errorf("auth: reading key %s of client %s: %w", key.ID, c.ID, err))
	}
	claims, why := j.verified(public)
	if why != nil {
		return credential{}, why
	}
	iss, _ := claims.text("iss")
	sub, _ := claims.text("sub")
	if strings.ToLower(iss) != c.ID || strings.ToLower(sub) != c.ID {
		return credential{}, badAssertion(700021, "Its iss and sub must both be the client_id of the request.")
	}
	if why := a.checkAudience(claims, c, req); why != nil {
		return credential{}, why
	}
	if why := a.checkTimes(claims); why != nil {
		return credential{}, why
	}
	if jti, ok := claims.text("jti"); !ok || jti == "" || len(jti) > 512 {
		return credential{}, badAssertion(50027, "It needs a jti of 1 to 512 bytes.")
	}
	return key.credential(), nil
}

// verified returns the claims if that key made the signature.
func (j assertion) verified(public crypto.PublicKey) (object, *refusal) {
	alg := jose.SignatureAlgorithm(j.alg)
	if !slices.Contains(algFor(public), alg) {
		return nil, badAssertion(50027, "The alg '%s' is not for this key; use PS256 or RS256 with an RSA key, ES256 with an EC key.", shown(j.alg))
	}
	claims, err := j.verify(alg, public)
	if err != nil {
		return nil, badAssertion(700027, "Its signature was not made with the key that its header names.")
	}
	return claims, nil
}

// keyFor returns the key of c that the header of an assertion names, by the thumbprint of its
// certificate or by its kid. A header that names no key is valid for a client with one key.
func (c storedClient) keyFor(j compact) (storedClientKey, *refusal) {
	two, ok2 := thumbprintIn(j.header, "x5t#S256", 32)
	one, ok1 := thumbprintIn(j.header, "x5t", 20)
	if !ok1 || !ok2 {
		return storedClientKey{}, badAssertion(50027, "The thumbprint in its header is malformed.")
	}
	named := one != "" || two != "" || j.kid != ""
	i := slices.IndexFunc(c.Keys, func(k storedClientKey) bool {
		switch {
		case one != "" || two != "":
			return (two == "" || two == string(k.SHA256)) && (one == "" || one == string(k.SHA1))
		case named:
			return j.kid == k.ID
		}
		return len(c.Keys) == 1
	})
	if i < 0 {
		return storedClientKey{}, badClient(700027, "The certificate or key that the client assertion names is not registered on application '%s'; that is done with: trunklog client key add.", c.ID)
	}
	return c.Keys[i], nil
}

// thumbprintIn returns the thumbprint of that name in bytes, empty if there is none. It accepts
// both alphabets of base64, with and without padding: MSAL for Go writes the standard one with
// padding, the others base64url.
func thumbprintIn(header object, name string, size int) (string, bool) {
	if !header.has(name) {
		return "", true
	}
	s, ok := header.text(name)
	if !ok || len(s) > 2*size {
		return "", false
	}
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawURLEncoding.DecodeString(s)
	return string(b), err == nil && len(b) == size
}

// checkAudience accepts exactly one aud: the issuer, or the URL of the token endpoint as the client
// addressed it. With two audiences, the other server could use the assertion here.
func (a *Authority) checkAudience(claims object, c storedClient, req request) *refusal {
	aud, ok := claims.text("aud")
	if list, is := claims.texts("aud"); is && len(list) == 1 {
		aud, ok = list[0], true
	}
	good := []string{issuerOf(req.root, c.Tenant, req.v1)}
	if !a.issuerAudience {
		good = append(good, req.endpoints...)
	}
	if !ok || !slices.Contains(good, aud) {
		return badAssertion(700023, "Its aud must be exactly one value, %s.", strings.Join(slices.Compact(good), " or "))
	}
	return nil
}

// checkTimes accepts an assertion that is valid now and for no more than assertionLife. It needs an
// iat or an nbf, because nothing else tells the age of the assertion.
func (a *Authority) checkTimes(claims object) *refusal {
	exp, ok := claims.looseSeconds("exp")
	if !ok {
		return badAssertion(50027, "It needs an exp.")
	}
	now, tol, life := a.now().Unix(), int64(Skew/time.Second), int64(assertionLife/time.Second)
	here := a.now().UTC().Format(time.RFC3339)
	if now >= exp+tol || exp > now+life+tol {
		return badAssertion(700024, "It is not within its valid time range. Its exp must be in the future and at most %v away; here it is %s.", assertionLife, here)
	}
	began := false
	for _, name := range []string{"nbf", "iat"} {
		if !claims.has(name) {
			continue
		}
		t, ok := claims.looseSeconds(name)
		if !ok {
			return badAssertion(50027, "Its %s is not a time.", name)
		}
		if t > now+tol || exp-t > life+tol {
			return badAssertion(700024, "It is not within its valid time range. Its %s must be in the past and at most %v before its exp; here it is %s.", name, assertionLife, here)
		}
		began = true
	}
	if !began {
		return badAssertion(50027, "It needs an nbf or an iat.")
	}
	return nil
}

// useAssertion records that the client has used j, which is verified, and refuses it if the client
// had used it before.
func (a *Authority) useAssertion(ctx context.Context, c storedClient, j assertion) *refusal {
	o, err := j.unverified()
	if err != nil {
		return outOfOrder(err)
	}
	jti, _ := o.text("jti")
	exp, _ := o.looseSeconds("exp")
	first, err := a.useOnce(ctx, c.ID, jti, exp+int64(Skew/time.Second))
	switch {
	case err != nil:
		return outOfOrder(err)
	case !first:
		a.counts.replayed.Add(1)
		return badAssertion(50027, "It has been used before, and each one is good once.")
	}
	return nil
}
