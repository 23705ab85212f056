package graph

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/trunklog/trunklog/call"
)

// A token is the place in the log behind which the next page begins, and how
// long pages are. It says nothing of the rows that are kept, and so stays good
// over restarts and whatever is written meanwhile.
//
// It is written as base64url without padding of
//
//	version  1 byte, tokenVersion
//	size     2 bytes, rows a page
//	start    8 bytes, ticks of the last row's start
//	id       16 bytes, the last row's id
//	mac      16 bytes of HMAC-SHA256 over all that and what the token is for:
//	         the tenant, the range, the order, the properties and the filter
//
// all numbers big-endian.
type token struct {
	size  int
	after call.Cursor
}

const (
	tokenVersion = 1
	tokenPayload = 1 + 2 + 8 + 16
	tokenMAC     = 16
)

// scope is what a token is for. With a token, none of it can be changed.
type scope struct {
	tenant   call.GUID
	from, to uint64 // ticks
	reverse  bool
	fields   Fields
	filter   string
}

// mac returns the whole authentication code of a payload.
func (s *scope) mac(key, payload []byte) []byte {
	h := hmac.New(sha256.New, key)
	b := make([]byte, 0, 128)
	b = append(b, "trunklog skiptoken\x00"...)
	b = append(b, payload...)
	b = append(b, s.tenant[:]...)
	b = binary.BigEndian.AppendUint64(b, s.from)
	b = binary.BigEndian.AppendUint64(b, s.to)
	b = binary.BigEndian.AppendUint32(b, uint32(s.fields))
	if s.reverse {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	// Only the last part has a length of its own, so none can pass for another.
	h.Write(b)
	h.Write([]byte(s.filter))
	return h.Sum(nil)
}

// appendToken appends t as a client gets it.
func appendToken(b, key []byte, t token, s *scope) []byte {
	p := make([]byte, 0, tokenPayload+tokenMAC)
	p = append(p, tokenVersion)
	p = binary.BigEndian.AppendUint16(p, uint16(t.size))
	p = binary.BigEndian.AppendUint64(p, call.Ticks(t.after.Start))
	p = append(p, t.after.ID[:]...)
	p = append(p, s.mac(key, p)[:tokenMAC]...)
	return base64.RawURLEncoding.AppendEncode(b, p)
}

// parseToken reads what appendToken wrote for the same scope. All else is
// refused with the same words, whatever is wrong with it.
func parseToken(text string, key []byte, s *scope) (token, error) {
	encoding := base64.RawURLEncoding.Strict()
	var p [tokenPayload + tokenMAC]byte
	if len(text) != encoding.EncodedLen(len(p)) {
		return token{}, badSkipToken()
	}
	if n, err := encoding.Decode(p[:], []byte(text)); err != nil || n != len(p) {
		return token{}, badSkipToken()
	}
	payload, mac := p[:tokenPayload], p[tokenPayload:]
	if !hmac.Equal(mac, s.mac(key, payload)[:tokenMAC]) || payload[0] != tokenVersion {
		return token{}, badSkipToken()
	}
	t := token{size: int(binary.BigEndian.Uint16(payload[1:]))}
	t.after.Start = call.TimeOf(binary.BigEndian.Uint64(payload[3:]))
	copy(t.after.ID[:], payload[11:])
	return t, nil
}

func badSkipToken() *Error {
	return badRequest("The $skiptoken is not good for this request. Follow @odata.nextLink as it is, with a token of the same tenant.")
}
