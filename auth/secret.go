package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
)

// A Secret is a text that reads "[redacted]" wherever a program prints, logs or encodes it. Only
// Reveal returns the text.
//
// It holds a pointer, because fmt cannot call the methods of a value in an unexported field of
// another struct: there fmt prints the pointer.
type Secret struct{ value *string }

const redacted = "[redacted]"

// NewSecret returns s as a Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether s is empty.
func (s Secret) IsZero() bool { return s.value == nil }

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter], because verbs such as %d would otherwise print the fields.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// secretPrefix lets scanners for leaked secrets recognise ours:
// tlk_[0-9A-Za-z]{43}.
const secretPrefix = "tlk_"

// newSecret returns 256 random bits as letters and digits, after the prefix.
func newSecret(random io.Reader) (Secret, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Secret{}, fmt.Errorf("auth: reading random bytes: %w", err)
	}
	s := new(big.Int).SetBytes(b[:]).Text(62)
	return NewSecret(secretPrefix + strings.Repeat("0", 43-len(s)) + s), nil
}

// newGUID returns a random GUID (RFC 9562, version 4).
func newGUID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("auth: reading random bytes: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// isGUID reports whether s is a GUID in lower case.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// derive returns 32 bytes for one purpose from the master key (RFC 5869).
func derive(master []byte, purpose string) ([]byte, error) {
	k, err := hkdf.Key(sha256.New, master, nil, "trunklog auth 1: "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("auth: deriving the key for the %s: %w", purpose, err)
	}
	return k, nil
}

// hashSecret returns the hash of a client secret that the store keeps. The secret has 256 random
// bits, so a slow hash would protect nothing, and would only let strangers overload the token
// endpoint. The pepper is not in the store; without it a stolen store is useless.
func (a *Authority) hashSecret(tenant, client string, s Secret) []byte {
	h := hmac.New(sha256.New, a.pepper)
	_, _ = io.WriteString(h, tenant+"\x00"+client+"\x00"+s.Reveal()) // a hash does not fail
	return h.Sum(nil)
}
