package call

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// A GUID is 16 bytes, written as 8-4-4-4-12 lower-case hexadecimal digits
// (RFC 9562). The zero GUID means not known; as a tenant it is [Unassigned].
type GUID [16]byte

// Unassigned is the tenant of rows whose tenant is unknown.
var Unassigned GUID

// ParseGUID reads a GUID in any of the forms that clients and vendors write:
// upper or lower case, in braces or not, with its four hyphens or with none.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	t := s
	if n := len(t); n > 2 && t[0] == '{' && t[n-1] == '}' {
		t = t[1 : n-1]
	}
	if len(t) == 36 {
		if t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-' {
			return g, badGUID(s)
		}
		for i, part := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
			if !unhex(g[guidParts[i]:guidParts[i+1]], t[part[0]:part[1]]) {
				return GUID{}, badGUID(s)
			}
		}
		return g, nil
	}
	if len(t) != 32 || !unhex(g[:], t) {
		return GUID{}, badGUID(s)
	}
	return g, nil
}

// guidParts are the borders between the five parts of a GUID, in bytes.
var guidParts = [...]int{0, 4, 6, 8, 10, 16}

func badGUID(s string) error {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return fmt.Errorf("%w: %q is not a GUID", ErrInvalid, s)
}

func unhex(dst []byte, s string) bool {
	for i := range dst {
		hi, lo := hexDigits[s[2*i]], hexDigits[s[2*i+1]]
		if hi|lo > 15 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

// HexDigit returns the value of a hexadecimal digit, in upper or lower case, and 255 for any
// other byte.
func HexDigit(c byte) byte { return hexDigits[c] }

// hexDigits maps a byte to its value as a digit, or to 255. It is a table, because no processor
// predicts which of three branches the next digit takes.
var hexDigits = func() (digits [256]byte) {
	for i := range digits {
		digits[i] = 255
	}
	for i, c := range []byte("0123456789abcdef") {
		digits[c] = byte(i)
	}
	copy(digits['A':'G'], digits['a':'g'])
	return digits
}()

// NewGUID returns a random GUID (RFC 9562, version 4).
func NewGUID() GUID {
	var g GUID
	rand.Read(g[:])
	return g.stamp(4)
}

// trunklogSpace is the name space of [NameGUID]. It must never change: the ids of stored rows
// depend on it.
var trunklogSpace = GUID{0x6b, 0x1f, 0x0d, 0x1e, 0x5c, 0x2a, 0x4f, 0x0b, 0x9d, 0x3b, 0x74, 0x72, 0x75, 0x6e, 0x6b, 0x6c}

// NameGUID returns the GUID of the given parts (RFC 9562, version 5), so that reading the same
// thing twice gives the same row.
func NameGUID(parts ...string) GUID {
	h := sha1.New()
	h.Write(trunklogSpace[:])
	h.Write([]byte(strings.Join(parts, "\x00")))
	var g GUID
	copy(g[:], h.Sum(nil))
	return g.stamp(5)
}

func (g GUID) stamp(version byte) GUID {
	g[6] = g[6]&0x0f | version<<4
	g[8] = g[8]&0x3f | 0x80
	return g
}

// IsZero reports whether g is not known.
func (g GUID) IsZero() bool { return g == GUID{} }

func (g GUID) String() string { return string(g.Append(nil)) }

// Append appends the 36 characters of g to b.
func (g GUID) Append(b []byte) []byte {
	for i := range 5 {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, g[guidParts[i]:guidParts[i+1]])
	}
	return b
}

// MarshalText implements [encoding.TextMarshaler]. The zero GUID is empty.
func (g GUID) MarshalText() ([]byte, error) {
	if g.IsZero() {
		return []byte{}, nil
	}
	return g.Append(nil), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (g *GUID) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*g = GUID{}
		return nil
	}
	*g, err = ParseGUID(string(b))
	return err
}
