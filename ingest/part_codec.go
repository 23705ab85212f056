package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The state has what parts have told:
//
//	part/SOURCE/CALL  of a call that has no row yet
//	told/SOURCE/CALL  of a call that has one
//	told/CALL         the same, from the first release
//
// CALL is a GUID made of the source, the tenant and the name of the call. There is one of these
// names at most: the batch that writes the row moves the value. The value:
//
//	version    1 byte, partVersion
//	since      varint, ns since 1970
//	tenant     16 bytes
//	id         16 bytes: the row's, or the one that it will have
//	start      uvarint, [call.Ticks]; 0 if no part tells it
//	published  uvarint, ticks: the start of the row when it was made; 0 if there is none
//	done       1 byte, 0 or 1
//	last       uvarint, one bit a field: a last part has told it
//	body       [call.Row.AppendBody]
const (
	partPrefix  = "part/"
	toldPrefix  = "told/"
	partVersion = 2
)

// partNames returns the names in the state of a call's parts: before there is a row, and then. The
// first release named the latter without their source.
func (s *Sink) partNames(name string) (open, told, first string) {
	id := call.NameGUID(s.source, "part", s.tenant.String(), name).String()
	return partPrefix + s.source + "/" + id, toldPrefix + s.source + "/" + id, toldPrefix + id
}

// isFirst reports whether a name under toldPrefix is of the first release.
func isFirst(name string) bool { return strings.LastIndexByte(name, '/') < len(toldPrefix) }

var errPart = &call.CorruptError{Offset: -1, Err: errors.New("a part of a call cannot be read")}

func (p *part) encode() []byte {
	b := []byte{partVersion}
	b = binary.AppendVarint(b, p.since.UnixNano())
	b = append(b, p.row.Tenant[:]...)
	id := p.row.ID
	if !p.at.IsZero() {
		id = p.at.ID
	}
	b = append(b, id[:]...)
	b = binary.AppendUvarint(b, call.Ticks(p.row.Start))
	b = binary.AppendUvarint(b, call.Ticks(p.at.Start))
	b = append(b, byte(btoi(p.done)))
	b = binary.AppendUvarint(b, uint64(p.last))
	return p.row.AppendBody(b)
}

func decodePart(b []byte) (p part, err error) {
	if len(b) == 0 {
		return p, errPart
	}
	version := b[0]
	if version == 0 || version > partVersion {
		return p, fmt.Errorf("a part of a call: version %d: %w", version, call.ErrNewer)
	}
	since, n := binary.Varint(b[1:])
	if n <= 0 || len(b) < 1+n+32 {
		return p, errPart
	}
	p.since = time.Unix(0, since).UTC()
	b = b[1+n:]
	tenant, id := call.GUID(b[:16]), call.GUID(b[16:32])
	start, b, ok := p.decodeFold(b[32:], id, version)
	if !ok {
		return p, errPart
	}
	return p, p.row.ParseBody(tenant, start, id, string(b))
}

// decodeFold decodes the bytes between the id and the body. Version 1 has only the start there, in
// ns since 1970.
func (p *part) decodeFold(b []byte, id call.GUID, version byte) (start time.Time, rest []byte, ok bool) {
	if version == 1 {
		ns, n := binary.Varint(b)
		if ns != 0 {
			start = time.Unix(0, ns).UTC()
		}
		return start, b[max(n, 0):], n > 0
	}
	told, n := binary.Uvarint(b)
	if n <= 0 {
		return start, nil, false
	}
	b = b[n:]
	published, n := binary.Uvarint(b)
	if n <= 0 || len(b) == n || b[n] > 1 {
		return start, nil, false
	}
	p.done, b = b[n] == 1, b[n+1:]
	last, n := binary.Uvarint(b)
	if n <= 0 {
		return start, nil, false
	}
	p.last = fieldSet(last)
	if published != 0 {
		p.at = call.Cursor{Start: call.TimeOf(published), ID: id}
	}
	return call.TimeOf(told), b[n:], true
}
