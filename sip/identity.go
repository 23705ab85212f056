package sip

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/trunklog/trunklog/call"
)

const (
	// maxPassport is the longest payload of a PASSporT that Scan reads, in base64. Those of SHAKEN
	// have some 300 bytes.
	maxPassport = 4 << 10
	// maxPassports is how many Scan reads in one header.
	maxPassports = 8
)

// An attestation is how well the carrier knows the caller by a PASSporT, as in [call.Signal]: it
// has nothing of the numbers, the certificate or the signature.
type attestation struct{ level, origin string }

// identityOf reads an Identity header (RFC 8224, section 4): a PASSporT in its full form,
// header.payload.signature, and parameters behind it. Those with an empty payload (the compact
// form, RFC 8225, section 7) say nothing by themselves, and those without attest, such as div (RFC
// 8946), are not about the caller's number. There may be one header for each; some proxies put
// several into one, with commas between them, against the grammar.
func identityOf(value []byte) (a attestation, ok bool) {
	for range maxPassports {
		one, rest, more := bytes.Cut(value, []byte{','})
		token, _, _ := bytes.Cut(one, []byte{';'})
		token = bytes.Trim(trim(token), `"`)
		if parts := bytes.Split(token, []byte{'.'}); len(parts) == 3 {
			if a, ok = passport(parts[1]); ok {
				return a, true
			}
		}
		if !more {
			break
		}
		value = rest
	}
	return attestation{}, false
}

// passport reads the claims of RFC 8588, section 4, in a payload. It ignores spaces, which come
// from a folded header.
func passport(payload []byte) (a attestation, ok bool) {
	if len(payload) > maxPassport {
		return a, false
	}
	packed := make([]byte, 0, len(payload))
	for _, c := range payload {
		if !isSpace(c) && c != '=' {
			packed = append(packed, c)
		}
	}
	plain, err := base64.RawURLEncoding.AppendDecode(nil, packed)
	if err != nil || !bytes.Contains(plain, []byte(`"attest"`)) {
		return a, false
	}
	var claims struct{ Attest, OrigID any }
	if json.Unmarshal(plain, &claims) != nil {
		return a, false
	}
	level, _ := claims.Attest.(string)
	origin, _ := claims.OrigID.(string)
	a = attestation{levelOf([]byte(level)), originOf([]byte(origin))}
	return a, a.level != ""
}

// levelOf returns the level of an Attestation-Info header (3GPP TS 24.229, section 7.2.18), or of a
// claim, or nothing if v is no level.
func levelOf(v []byte) string {
	v, _, _ = bytes.Cut(v, []byte{';'})
	if v = trim(v); len(v) == 1 && 'A' <= v[0] && v[0] <= 'C' {
		return "ABC"[v[0]-'A' : v[0]-'A'+1]
	}
	return ""
}

// originOf returns the id of an Origination-Id header (3GPP TS 24.229, section 7.2.19), or of a
// claim, or nothing if it is no UUID, because any other text may hold anything.
func originOf(v []byte) string {
	v, _, _ = bytes.Cut(v, []byte{';'})
	v = trim(v)
	if _, err := call.ParseGUID(string(v)); err != nil || len(v) != len("00000000-0000-0000-0000-000000000000") {
		return ""
	}
	return string(v)
}

// appendAttestation appends headers with the claims of a PASSporT.
func appendAttestation(dst []byte, a attestation) []byte {
	dst = append(append(append(dst, "Attestation-Info: "...), a.level...), "\r\n"...)
	if a.origin != "" {
		dst = append(append(append(dst, "Origination-Id: "...), a.origin...), "\r\n"...)
	}
	return dst
}
