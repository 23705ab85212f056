package graph

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// A token holds the place in the log after which the next page begins, the size of pages, and the
// version of the log at which the walk began. The server keeps nothing for it, so it stays good over
// restarts and later writes.
//
// On the wire it is base64url without padding of
//
//	version  1 byte, tokenVersion
//	size     2 bytes, rows a page
//	start    8 bytes, ticks of the place where the walk has met the last row
//	id       16 bytes, the last row's id
//	walk     8 bytes of epoch, 8 bytes of number
//	mac      16 bytes of HMAC-SHA256 over all that and what the token is for:
//	         the tenant, the range, the order, the properties and the filter
//
// with all numbers big-endian. Tokens of the first release have version 1 and no walk.
type token struct {
	size  int
	after call.Cursor
	walk  call.Version
}

const (
	tokenVersion = 2
	tokenPayload = 1 + 2 + 8 + 16 + 8 + 8
	tokenMAC     = 16

	firstVersion = 1
	firstPayload = 1 + 2 + 8 + 16
)

// A scope is what a token is for. A client cannot change any part of it under the same token.
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
	// The version in the payload tells its length. Of the rest only the filter, which comes last,
	// varies in length, so that two scopes never give the same bytes.
	h.Write(b)
	h.Write([]byte(s.filter))
	return h.Sum(nil)
}

// appendToken appends t in the form that a client gets.
func appendToken(b, key []byte, t token, s *scope) []byte {
	p := make([]byte, 0, tokenPayload+tokenMAC)
	p = append(p, tokenVersion)
	p = binary.BigEndian.AppendUint16(p, uint16(t.size))
	p = binary.BigEndian.AppendUint64(p, call.Ticks(t.after.Start))
	p = append(p, t.after.ID[:]...)
	p = binary.BigEndian.AppendUint64(p, t.walk.Epoch)
	p = binary.BigEndian.AppendUint64(p, t.walk.Number)
	p = append(p, s.mac(key, p)[:tokenMAC]...)
	return base64.RawURLEncoding.AppendEncode(b, p)
}

// parseToken reads a token that appendToken of this or of the first release has written for the
// same scope. It refuses any other text with the same message, whatever is wrong with it.
func parseToken(text string, key []byte, s *scope) (token, error) {
	encoding := base64.RawURLEncoding.Strict()
	size, version := tokenPayload, byte(tokenVersion)
	if len(text) == encoding.EncodedLen(firstPayload+tokenMAC) {
		size, version = firstPayload, firstVersion
	}
	p := make([]byte, size+tokenMAC)
	if len(text) != encoding.EncodedLen(len(p)) {
		return token{}, badSkipToken()
	}
	if n, err := encoding.Decode(p, []byte(text)); err != nil || n != len(p) {
		return token{}, badSkipToken()
	}
	payload, mac := p[:size], p[size:]
	if !hmac.Equal(mac, s.mac(key, payload)[:tokenMAC]) || payload[0] != version {
		return token{}, badSkipToken()
	}
	t := token{size: int(binary.BigEndian.Uint16(payload[1:])), walk: call.FirstRelease()}
	t.after.Start = call.TimeOf(binary.BigEndian.Uint64(payload[3:]))
	copy(t.after.ID[:], payload[11:])
	if version == tokenVersion {
		t.walk = call.Version{Epoch: binary.BigEndian.Uint64(payload[27:]), Number: binary.BigEndian.Uint64(payload[35:])}
	}
	return t, nil
}

func badSkipToken() *refuse.Error {
	return badRequest("The $skiptoken is not good for this request. Follow @odata.nextLink as it is, with a token of the same tenant.")
}

func goneToken() *refuse.Error {
	return badRequest("The log has been cut or restored since this $skiptoken was made. Begin again with the first page.")
}
