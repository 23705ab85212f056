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

// A Secret is a text that does not show itself: however it is printed, logged
// or encoded, it reads "[redacted]". Only Reveal returns it.
//
// It is held by a pointer because fmt cannot call the methods of what stands in
// unexported fields of others: there it prints the pointer.
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

// IsZero reports whether there is no secret at all.
func (s Secret) IsZero() bool { return s.value == nil }

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter], because verbs such as %d would look
// inside otherwise.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// secretPrefix lets scanners for leaked secrets recognise ours:
// tlk_[0-9A-Za-z]{43}.
const secretPrefix = "tlk_"

// newSecret returns 256 random bits in letters and digits.
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

// hashSecret returns what is kept of a client's secret. The secret has 256
// random bits, so that a slow hash would protect nothing and only make the
// token endpoint easy to overload; the pepper, which is not in the store, makes
// a stolen store useless.
func (a *Authority) hashSecret(tenant, client string, s Secret) []byte {
	h := hmac.New(sha256.New, a.pepper)
	_, _ = io.WriteString(h, tenant+"\x00"+client+"\x00"+s.Reveal()) // a hash does not fail
	return h.Sum(nil)
}
