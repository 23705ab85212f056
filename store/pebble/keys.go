package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

// What is on disk, by the first byte of the key. Numbers are big-endian, so
// that bytes sort as the values do; start is [call.Ticks], of which a day has
// 864·10⁹; day, hour, quarter and minute count from 0001-01-01.
//
//	kind  rest of the key                                    value
//	'f'                                                      version of all this, in decimal digits
//	'r'   tenant 16, start 8, id 16                          Row.AppendBody
//	'i'   tenant 16, id 16                                   version 1, start 8; or 2, id 16 of
//	                                                         the row that it is an alias of; or
//	                                                         3, number 8 of the change that
//	                                                         removed the row
//	'a'   tenant 16, row's id 16, alias 16                   nothing
//	'c'   tenant 16, day 4, correlation id 16, tail          nothing
//	'u'   tenant 16, day 4, user id 16, tail                 nothing
//	'n'   tenant 16, day 4, digits of a number, 0, tail      nothing
//	'm'   tenant 16, day 4, digits of a masked number
//	      up to its first '*', 0, tail                       nothing
//	'w'   tenant 16, day 4, principal name folded, 0, tail   nothing
//	'x'   tenant 16, signs of a masked number 2, digits
//	      before its first '*' 2                             nothing
//	'k'   tenant 16, 'd', day 8                              version 1, varint: rows of the day
//	'k'   tenant 16, 'h', hour 8                             … of the hour
//	'k'   tenant 16, 'm', minute 8                           … of the minute
//	's'   name of the state                                  version 1, the value
//	'p'   day 4, leg 16, time of day 5, name 8               Message.AppendBody
//	'l'   day 4, tenant 16, time of day 5, row's id 16,
//	      leg 16                                             version 1, main 1, from 8, to 8
//	't'                                                      version 1, version of the cells
//	't'   tenant 16, 'a', quarter of an hour 4, flags 1,
//	      varint SIP code, varint subcode, uvarint length
//	      of the call type, call type, trunk                 version 1, varints: call.Sums
//	't'   tenant 16, 'b', day 4, user id 16                  version 1, varints: call.Sums
//	'e'                                                      version 1, epoch 8
//	'h'   tenant 16                                          version 1, number 8 of the last
//	                                                         change, number 8 after which all
//	                                                         changes and moves are kept
//	'g'   tenant 16, number 8 of the last of some changes    see changeLog
//	'v'   tenant 16, start 8, id 16, number 8, 0             a row left this place: version 1,
//	                                                         start 8 of the next, 0 if none
//	'v'   tenant 16, start 8, id 16, number 8, 1             a row came to this place: version 1,
//	                                                         number 8 of when it left another
//
// The tail of an index key is the start within the day, 5, and the first 4
// bytes of the id. It leads to the row, or to the few rows with the same start
// whose ids begin alike; the reader looks at each. The other 12 bytes of the id
// are random, cannot be compressed and would cost 48 bytes a row.
//
// 'n' and 'm' hold both numbers of a call. A masked number has its own kind
// because look-ups search it in another way: by every beginning of a whole
// number; 'x' says which of these can exist, see [shape]. 'w' and 'x' came
// with format 2. In 'w' a name may hold a 0.
//
// The name in the key of a SIP message is the beginning of the SHA-256 of its
// value: the same message again takes its own place. The day of a message is
// that of its time, the day of a leg that on which its row starts; the day
// stands first, so that those of all tenants are one range to delete.
//
// Messages and legs came after format 1 and did not change it: a trunklog that
// does not know them leaves them alone, neither showing nor deleting them.
//
// Index keys are divided by day, and the day stands before the value, so that
// those of the oldest days are one range to delete. A look-up finds a row among
// 10 million by one seek for each day of the range.
const (
	kindFormat      = 'f'
	kindRow         = 'r'
	kindID          = 'i'
	kindCorrelation = 'c'
	kindUser        = 'u'
	kindNumber      = 'n'
	kindMasked      = 'm'
	kindCount       = 'k'
	kindState       = 's'
	kindMessage     = 'p'
	kindLeg         = 'l'
	kindTotals      = 't'
	kindAlias       = 'a'
	kindEpoch       = 'e'
	kindHead        = 'h'
	kindChange      = 'g'
	kindMove        = 'v'
	kindPrincipal   = 'w'
	kindShape       = 'x'
)

// indexKinds are the kinds whose keys come from the fields of a row.
const indexKinds = "cumnw"

// valueVersion is the first byte of ids, counts and state. Bodies of rows have a version of their
// own.
const valueVersion = 1

const (
	ticksPerMinute = 60 * 10_000_000
	ticksPerHour   = 60 * ticksPerMinute
	ticksPerDay    = 24 * ticksPerHour

	tenantEnd = 1 + 16 // where the tenant ends in every key that has one
	rowKeyLen = tenantEnd + 8 + 16
	tailLen   = 5 + shortID
	shortID   = 4
	valueAt   = tenantEnd + 4 // where the value begins in an index key
)

func appendTenant(b []byte, kind byte, tenant call.GUID) []byte {
	return append(append(b, kind), tenant[:]...)
}

func appendRowKey(b []byte, tenant call.GUID, start uint64, id call.GUID) []byte {
	b = appendTenant(b, kindRow, tenant)
	b = binary.BigEndian.AppendUint64(b, start)
	return append(b, id[:]...)
}

// parseRowKey returns the start and id of a row key.
func parseRowKey(key []byte) (start uint64, id call.GUID, err error) {
	if len(key) != rowKeyLen || key[0] != kindRow {
		return 0, id, badKey(key)
	}
	return binary.BigEndian.Uint64(key[tenantEnd:]), call.GUID(key[tenantEnd+8:]), nil
}

func badKey(key []byte) error {
	kind := "nothing"
	if len(key) > 0 {
		kind = fmt.Sprintf("%q", key[0])
	}
	return &call.CorruptError{Offset: -1, Err: fmt.Errorf("a key of kind %s has %d bytes", kind, len(key))}
}

// tenantOf returns the tenant in a key that has one.
func tenantOf(key []byte) call.GUID { return call.GUID(key[1:tenantEnd]) }

func appendIDKey(b []byte, tenant, id call.GUID) []byte {
	return append(appendTenant(b, kindID, tenant), id[:]...)
}

func appendIDValue(b []byte, start uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, valueVersion), start)
}

// Versions of the value of an id.
const (
	aliasVersion   = 2
	removedVersion = 3
)

// An idEntry is the value of an id: the start of its row, or the row of which it is an alias, or
// the change that removed its row.
type idEntry struct {
	kind  idKind
	start uint64
	of    call.GUID
	by    uint64
}

type idKind uint8

const (
	noID idKind = iota
	idOfRow
	idAlias
	idRemoved
)

func parseIDValue(v []byte) (e idEntry, err error) {
	switch {
	case len(v) == idValueLen && v[0] == valueVersion:
		return idEntry{kind: idOfRow, start: binary.BigEndian.Uint64(v[1:])}, nil
	case len(v) == idValueLen && v[0] == removedVersion:
		return idEntry{kind: idRemoved, by: binary.BigEndian.Uint64(v[1:])}, nil
	case len(v) == 1+16 && v[0] == aliasVersion:
		return idEntry{kind: idAlias, of: call.GUID(v[1:])}, nil
	}
	if len(v) > 0 && v[0] > removedVersion {
		return e, badVersion("an id", v[0], removedVersion)
	}
	return e, badValue("an id", v)
}

// badValue returns the error for a value that does not fit its kind.
func badValue(what string, v []byte) error {
	if len(v) > 0 && v[0] > valueVersion {
		return badVersion(what, v[0], valueVersion)
	}
	return &call.CorruptError{Offset: -1, Err: fmt.Errorf("%s has a value of %d bytes", what, len(v))}
}

func badVersion(what string, found, known byte) error {
	return fmt.Errorf("pebble: %s has version %d, and %d is known: %w", what, found, known, call.ErrNewer)
}

// appendDay appends the common beginning of the index keys of one day.
func appendDay(b []byte, kind byte, tenant call.GUID, day uint64) []byte {
	return binary.BigEndian.AppendUint32(appendTenant(b, kind, tenant), uint32(day))
}

// dayOf returns the day of an index key.
func dayOf(key []byte) uint64 { return uint64(binary.BigEndian.Uint32(key[tenantEnd:])) }

func appendTail(b []byte, start uint64, id call.GUID) []byte {
	t := start % ticksPerDay
	b = append(b, byte(t>>32), byte(t>>24), byte(t>>16), byte(t>>8), byte(t))
	return append(b, id[:shortID]...)
}

// A tail is the end of an index key as a number: the start within the day, and the first bytes of
// the id.
type tail struct {
	start uint64 // from the beginning of time
	short uint32
}

func parseTail(day uint64, b []byte) tail {
	t := uint64(b[0])<<32 | uint64(binary.BigEndian.Uint32(b[1:]))
	return tail{day*ticksPerDay + t, binary.BigEndian.Uint32(b[5:])}
}

// appendRowPrefix appends the common beginning of the keys of the rows that t leads to.
func (t tail) appendRowPrefix(b []byte, tenant call.GUID) []byte {
	b = appendTenant(b, kindRow, tenant)
	b = binary.BigEndian.AppendUint64(b, t.start)
	return binary.BigEndian.AppendUint32(b, t.short)
}

// indexKeys calls add with each index key of r, each once. The key is valid
// until add returns.
func indexKeys(buf []byte, r *call.Row, start uint64, add func(key []byte)) []byte {
	day := start / ticksPerDay
	guid := func(kind byte, v call.GUID) {
		if v.IsZero() {
			return
		}
		buf = append(appendDay(buf[:0], kind, r.Tenant, day), v[:]...)
		buf = appendTail(buf, start, r.ID)
		add(buf)
	}
	guid(kindCorrelation, r.CorrelationID)
	guid(kindUser, r.UserID)
	buf = appendNumberKey(buf[:0], r, r.Caller, start)
	n := len(buf)
	if n > 0 {
		add(buf)
	}
	if buf = appendNumberKey(buf, r, r.Callee, start); len(buf) > n && !bytes.Equal(buf[:n], buf[n:]) {
		add(buf[n:])
	}
	if r.UserPrincipalName != "" {
		buf = append(appendDay(buf[:0], kindPrincipal, r.Tenant, day), call.Fold(r.UserPrincipalName)...)
		buf = appendTail(append(buf, 0), start, r.ID)
		add(buf)
	}
	return buf
}

// appendNumberKey appends the index key of one of r's numbers, or nothing if it has no digit,
// masked or not: no look-up can find such a number.
func appendNumberKey(b []byte, r *call.Row, number string, start uint64) []byte {
	at := len(b)
	b = appendDay(b, kindNumber, r.Tenant, start/ticksPerDay)
	b, masked := call.AppendDigits(b, number)
	if masked > 0 {
		b[at] = kindMasked
	} else if len(b) == at+valueAt {
		return b[:at]
	}
	return appendTail(append(b, 0), start, r.ID)
}

func appendStateKey(b []byte, name string) []byte { return append(append(b, kindState), name...) }

// after returns the first key that does not begin with prefix, in memory of its own; nil if there
// is none.
func after(prefix []byte) []byte {
	return behind(append([]byte(nil), prefix...))
}

// behind is [after] in the memory of prefix.
func behind(end []byte) []byte {
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
