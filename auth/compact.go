package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// The longest tokens that the server reads, in bytes. Our own have about 1,400 with RS256 and 1,100
// with ES256; an assertion may carry a chain of certificates in its header.
const (
	maxToken       = 8 << 10
	maxTokenHeader = 1 << 10
	maxAssertion   = 32 << 10
)

var (
	errCompact   = errors.New("auth: not a JWS in compact form")
	errSignature = errors.New("auth: the signature is wrong")
)

// A compact is a JWS in compact form (RFC 7515, section 7.1). Its contents are unverified.
type compact struct {
	raw     string
	header  object
	payload []byte
	sig     []byte
	alg     string
	typ     string // empty if the header has none
	kid     string // empty if the header has none
}

// parseCompact splits s into exactly three parts, each in canonical base64url, and parses the
// header as a plain object. The JOSE library never sees a token that parseCompact refuses.
func parseCompact(s string, limit, headerLimit int) (compact, error) {
	if len(s) > limit {
		return compact{}, errCompact
	}
	head, rest, _ := strings.Cut(s, ".")
	if len(head) > headerLimit {
		return compact{}, errCompact
	}
	payload, sig, _ := strings.Cut(rest, ".") // a third dot stays in sig, which is then no base64url
	c := compact{raw: s, payload: decodePart(payload), sig: decodePart(sig)}
	var err error
	if c.header, err = parseObject(decodePart(head)); err != nil || len(c.payload) == 0 || len(c.sig) == 0 {
		return compact{}, errCompact
	}
	var ok [3]bool
	c.alg, ok[0] = c.header.text("alg")
	c.typ, ok[1] = c.header.text("typ")
	c.kid, ok[2] = c.header.text("kid")
	if !ok[0] || !ok[1] && c.header.has("typ") || !ok[2] && c.header.has("kid") {
		return compact{}, errCompact
	}
	return c, nil
}

// decodePart returns nil if s is not canonical base64url: no padding, no
// trailing bits, no line ends.
func decodePart(s string) []byte {
	if strings.ContainsAny(s, "\r\n") {
		return nil // the decoder would skip them
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// unverified returns the claims without a check of the signature. The caller may use them to choose
// the key or to refuse the token; to grant anything it needs verify.
func (c compact) unverified() (object, error) { return parseObject(c.payload) }

// only reports whether the header has no other parameters than these.
func (c compact) only(names ...string) bool {
	n := 0
	for _, name := range names {
		if c.header.has(name) {
			n++
		}
	}
	return n == len(c.header)
}

// plain reports whether the header has none of the parameters that carry a key, change the signed
// text or ask for an extension.
func (c compact) plain() bool {
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "zip", "enc", "cty", "epk", "p2c", "p2s"} {
		if c.header.has(name) {
			return false
		}
	}
	return true
}

// verify returns the claims if key made the signature. The caller takes alg from the key, never
// from the header.
func (c compact) verify(alg jose.SignatureAlgorithm, key crypto.PublicKey) (object, error) {
	jws, err := jose.ParseSignedCompact(c.raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return nil, errSignature
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, errSignature
	}
	return parseObject(payload)
}

// highS reports whether the signature is one of ES256 with the higher of its two values of s: (r,
// n-s) is as valid as (r, s), so that two texts would be the same token. Our signatures have the
// lower s.
func (c compact) highS() bool {
	return len(c.sig) == 64 && new(big.Int).SetBytes(c.sig[32:]).Cmp(halfP256()) > 0
}

func halfP256() *big.Int { return new(big.Int).Rsh(elliptic.P256().Params().N, 1) }

// lowS returns the equivalent signature with the lower s, as r‖s (RFC 7518,
// section 3.4).
func lowS(r, s *big.Int) []byte {
	if s.Cmp(halfP256()) > 0 {
		s = new(big.Int).Sub(elliptic.P256().Params().N, s)
	}
	b := make([]byte, 64)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return b
}

// algFor returns the algorithms that a client may use with its key.
func algFor(key crypto.PublicKey) []jose.SignatureAlgorithm {
	if _, ok := key.(*ecdsa.PublicKey); ok {
		return []jose.SignatureAlgorithm{jose.ES256}
	}
	return []jose.SignatureAlgorithm{jose.PS256, jose.RS256}
}
