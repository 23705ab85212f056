package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for signatures that the server must refuse
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The functions below make tokens without a JOSE library, because a library would refuse to make
// wrong ones.

func b64(b []byte) string     { return base64.RawURLEncoding.EncodeToString(b) }
func b64s(s string) string    { return b64([]byte(s)) }
func unb64(s string) []byte   { b, _ := base64.RawURLEncoding.DecodeString(s); return b }
func parts(t string) []string { return strings.Split(t, ".") }

// A signFunc returns the signature of the first two parts of a token.
type signFunc func(input string) []byte

// forge returns a token with exactly that header and payload.
func forge(header, payload string, sign signFunc) string {
	input := b64s(header) + "." + b64s(payload)
	return input + "." + b64(sign(input))
}

func digest(h crypto.Hash, input string) []byte {
	d := h.New()
	d.Write([]byte(input))
	return d.Sum(nil)
}

func pkcs1(key *rsa.PrivateKey, h crypto.Hash) signFunc {
	return func(input string) []byte {
		return must(rsa.SignPKCS1v15(rand.Reader, key, h, digest(h, input)))
	}
}

func pss(key *rsa.PrivateKey, h crypto.Hash, salt int) signFunc {
	return func(input string) []byte {
		return must(rsa.SignPSS(rand.Reader, key, h, digest(h, input), &rsa.PSSOptions{SaltLength: salt}))
	}
}

func mac(key []byte, h crypto.Hash) signFunc {
	return func(input string) []byte {
		m := hmac.New(h.New, key)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
}

// ec returns a signFunc that encodes r and s by shape.
func ec(key *ecdsa.PrivateKey, shape func(r, s *big.Int) []byte) signFunc {
	return func(input string) []byte {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest(crypto.SHA256, input))
		if err != nil {
			panic(err)
		}
		return shape(r, s)
	}
}

func rs(r, s *big.Int) []byte {
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

func raw(sig []byte) signFunc { return func(string) []byte { return sig } }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A field is one member of a JSON object. Its value may be any text.
type field struct{ name, value string }

type fields []field

// read returns the members of an object in their order.
func read(b []byte) fields {
	var out fields
	o := must(parseObject(b))
	d := json.NewDecoder(strings.NewReader(string(b)))
	_ = must(d.Token())
	for d.More() {
		name := must(d.Token()).(string)
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			panic(err)
		}
		out = append(out, field{name, string(o[name])})
	}
	return out
}

func (f fields) String() string {
	var out []string
	for _, x := range f {
		out = append(out, fmt.Sprintf("%q:%s", x.name, x.value))
	}
	return "{" + strings.Join(out, ",") + "}"
}

// with returns f with one member changed or added.
func (f fields) with(name, value string) fields {
	out := slices.Clone(f)
	for i := range out {
		if out[i].name == name {
			out[i].value = value
			return out
		}
	}
	return append(out, field{name, value})
}

func (f fields) without(names ...string) fields {
	return slices.DeleteFunc(slices.Clone(f), func(x field) bool { return slices.Contains(names, x.name) })
}

func (f fields) get(name string) string {
	for _, x := range f {
		if x.name == name {
			return x.value
		}
	}
	return ""
}

func quote(s string) string { return string(must(json.Marshal(s))) }
func num(n int64) string    { return fmt.Sprint(n) }

// A forger holds a valid token and the key that has signed it.
type forger struct {
	token   string
	header  fields
	payload fields
	key     *signKey
}

func newForger(a *Authority, token string) forger {
	p := parts(token)
	f := forger{token: token, header: read(unb64(p[0])), payload: read(unb64(p[1]))}
	for _, k := range a.keys.keys {
		if quote(k.kid) == f.header.get("kid") {
			f.key = k
		}
	}
	return f
}

// sign signs with the real key.
func (f forger) sign(input string) []byte {
	if k, ok := f.key.private.(*ecdsa.PrivateKey); ok {
		return ec(k, lowS)(input)
	}
	return pkcs1(f.key.private.(*rsa.PrivateKey), crypto.SHA256)(input)
}

// claims returns a token with other claims, signed with the real key.
func (f forger) claims(payload string) string { return forge(f.header.String(), payload, f.sign) }

// claim returns a token with one other claim, signed with the real key.
func (f forger) claim(name, value string) string {
	return f.claims(f.payload.with(name, value).String())
}

// headed returns a token with another header, signed with the real key.
func (f forger) headed(header string) string { return forge(header, f.payload.String(), f.sign) }
