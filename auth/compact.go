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

// The longest tokens that are looked at, in bytes. Ours have about 1,100; an
// assertion may carry a chain of certificates in its header.
const (
	maxToken       = 8 << 10
	maxTokenHeader = 1 << 10
	maxAssertion   = 32 << 10
)

var (
	errCompact   = errors.New("auth: not a JWS in compact form")
	errSignature = errors.New("auth: the signature is wrong")
)

// A compact is a JWS in compact form (RFC 7515, section 7.1) of which nothing
// was verified.
type compact struct {
	raw     string
	header  object
	payload []byte
	sig     []byte
	alg     string
	typ     string // empty if there is none
	kid     string // empty if there is none
}

// parseCompact takes s apart: exactly three parts, each in the one way in which
// base64url can write it, and a header that is a plain object. What is refused
// here never reaches the library.
func parseCompact(s string, limit, headerLimit int) (compact, error) {
	if len(s) > limit {
		return compact{}, errCompact
	}
	head, rest, _ := strings.Cut(s, ".")
	if len(head) > headerLimit {
		return compact{}, errCompact
	}
	payload, sig, _ := strings.Cut(rest, ".") // a third dot is no base64url
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

// unverified returns what the payload says although nobody has verified it. It
// decides which key is asked, and nothing else.
func (c compact) unverified() (object, error) { return parseObject(c.payload) }

// only reports whether the header has no parameters but those.
func (c compact) only(names ...string) bool {
	n := 0
	for _, name := range names {
		if c.header.has(name) {
			n++
		}
	}
	return n == len(c.header)
}

// plain reports whether the header has none of the parameters that bring a key
// along, change what is signed, or ask for something that we do not know.
func (c compact) plain() bool {
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "zip", "enc", "cty", "epk", "p2c", "p2s"} {
		if c.header.has(name) {
			return false
		}
	}
	return true
}

// verify returns the claims if the signature was made with key. The algorithm
// is the one that belongs to the key, not the one that the header asks for.
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

// highS reports whether the signature is one of ES256 in the form that nobody
// needs: with (r, s) comes (r, n-s), so that two texts would be one token. We
// write the lower s.
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
