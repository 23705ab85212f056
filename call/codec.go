package call

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"
)

// The compact form of a row, for disk and between processes. It leaves out Tenant, Start and ID,
// which are the row's key:
//
//	version   1 byte, rowVersion
//	seen      uvarint, Row.Seen
//	settled   uvarint, one bit a field: set if By is not 0
//	witness   1 byte: the witness of all settled fields; or 0, and then one
//	          byte for each settled field
//	known     uvarint, one bit a field: set if the value is not zero;
//	          bit claimedBit stands for ClaimedStart, extensionsBit for the last part
//	values    of the known fields in their order:
//	          ID      16 bytes
//	          Text    uvarint length, bytes
//	          Time    see appendTime
//	          Number  varint
//	          Bool    nothing; the bit is the value
//	          List    uvarint length, 16 bytes each
//	extensions  if there are any, see extension.go
//
// A later version may add fields at the end under the same version byte. A reader that meets an
// unknown bit refuses the row, because it cannot tell where the value ends. It keeps an unknown
// extension.
const rowVersion = 1

const (
	keyFields = 1<<FieldID | 1<<FieldStart
	// claimedBit is the place of ClaimedStart among the known fields, after those of the first
	// release. The fields that came later have bits one higher.
	claimedBit = FieldSharedID + 1
	// extensionsBit says that the body has extensions. Fields added after it need bits one higher
	// again.
	extensionsBit = FieldCalleeRaw + 2
	knownBits     = NumFields + 2
)

func knownBit(f Field) Field {
	if f >= claimedBit {
		return f + 1
	}
	return f
}

// AppendBody appends the compact form of r, without its key, to b.
func (r *Row) AppendBody(b []byte) []byte {
	b = append(b, rowVersion)
	b = binary.AppendUvarint(b, uint64(r.Seen))
	b = r.appendWitnesses(b)
	known := uint64(0)
	for f := range NumFields {
		if keyFields>>f&1 == 0 && r.Known(f) {
			known |= 1 << knownBit(f)
		}
	}
	if !r.ClaimedStart.IsZero() {
		known |= 1 << claimedBit
	}
	if r.hasExtensions() {
		known |= 1 << extensionsBit
	}
	b = binary.AppendUvarint(b, known)
	for f := range NumFields {
		if f == claimedBit && known>>claimedBit&1 != 0 {
			b = appendTime(b, r.ClaimedStart, r.Start)
		}
		if known>>knownBit(f)&1 != 0 {
			b = r.appendField(b, f, r.Start)
		}
	}
	return r.appendExtensions(b)
}

func (r *Row) appendWitnesses(b []byte) []byte {
	var settled uint64
	var one Witness
	uniform := true
	for f, w := range r.By {
		if w == 0 {
			continue
		}
		if settled != 0 && w != one {
			uniform = false
		}
		settled |= 1 << f
		one = w
	}
	b = binary.AppendUvarint(b, settled)
	if uniform && one != 0 {
		return append(b, byte(one))
	}
	b = append(b, 0)
	for _, w := range r.By {
		if w != 0 {
			b = append(b, byte(w))
		}
	}
	return b
}

// appendField appends the value of a field, a time as its distance from start.
func (r *Row) appendField(b []byte, f Field, start time.Time) []byte {
	switch f.Type() {
	case ID:
		return append(b, r.idAt(f)[:]...)
	case Text:
		s := *r.textAt(f)
		b = binary.AppendUvarint(b, uint64(len(s)))
		return append(b, s...)
	case Time:
		return appendTime(b, *r.timeAt(f), start)
	case Number:
		return binary.AppendVarint(b, int64(*r.numberAt(f)))
	case List:
		b = binary.AppendUvarint(b, uint64(len(r.AdministrativeUnits)))
		for _, u := range r.AdministrativeUnits {
			b = append(b, u[:]...)
		}
	}
	return b
}

// ParseBody sets r to the row with the given key and compact form. The texts of r, Source, Said and
// Rest included, are parts of body. It allocates only if the row has administrative units and r has
// no room for them.
func (r *Row) ParseBody(tenant GUID, start time.Time, id GUID, body string) error {
	units := r.AdministrativeUnits[:0]
	*r = Row{Tenant: tenant, Start: start, ID: id}
	if body != "" && body[0] != rowVersion {
		return fmt.Errorf("row %v: version %d: %w", id, body[0], ErrNewer)
	}
	seen, at := uvarintAt(body, 1)
	r.Seen = Kinds(seen)
	settled, at := uvarintAt(body, at)
	if settled>>NumFields == 0 {
		at = r.parseWitnesses(body, at, settled)
	}
	known, at := uvarintAt(body, at)
	if settled>>NumFields != 0 || known>>knownBits != 0 {
		return fmt.Errorf("row %v has fields that this version does not know: %w", id, ErrNewer)
	}
	at = r.parseFields(body, at, known, units)
	if at != len(body) || known&keyFields != 0 || seen>>16 != 0 {
		return fmt.Errorf("row %v: %w", id, errBody)
	}
	return nil
}

var errBody = errors.New("the row's bytes make no sense")

func (r *Row) parseWitnesses(s string, at int, settled uint64) int {
	one, at := byteAt(s, at)
	for ; settled != 0; settled &= settled - 1 {
		w := one
		if one == 0 {
			w, at = byteAt(s, at)
		}
		r.By[bits.TrailingZeros64(settled)] = Witness(w)
	}
	return at
}

// parseFields parses the values of the known fields. It is one straight run, because a loop over
// the table of fields takes twice as long, and every row of every answer passes here.
func (r *Row) parseFields(s string, at int, known uint64, units []GUID) int {
	start := Ticks(r.Start)
	if known>>FieldCorrelationID&1 != 0 {
		at = r.CorrelationID.parseAt(s, at)
	}
	if known>>FieldUserID&1 != 0 {
		at = r.UserID.parseAt(s, at)
	}
	if known>>FieldUserPrincipalName&1 != 0 {
		r.UserPrincipalName, at = textAt(s, at)
	}
	if known>>FieldUserDisplayName&1 != 0 {
		r.UserDisplayName, at = textAt(s, at)
	}
	if known>>FieldInvite&1 != 0 {
		r.Invite, at = timeAt(s, at, start)
	}
	if known>>FieldFailure&1 != 0 {
		r.Failure, at = timeAt(s, at, start)
	}
	if known>>FieldEnd&1 != 0 {
		r.End, at = timeAt(s, at, start)
	}
	if known>>FieldDuration&1 != 0 {
		r.Duration, at = numberAt(s, at)
	}
	if known>>FieldCallType&1 != 0 {
		r.CallType, at = textAt(s, at)
	}
	r.Successful = known>>FieldSuccessful&1 != 0
	if known>>FieldCaller&1 != 0 {
		r.Caller, at = textAt(s, at)
	}
	if known>>FieldCallee&1 != 0 {
		r.Callee, at = textAt(s, at)
	}
	if known>>FieldMediaLocation&1 != 0 {
		r.MediaLocation, at = textAt(s, at)
	}
	if known>>FieldSignalLocation&1 != 0 {
		r.SignalLocation, at = textAt(s, at)
	}
	if known>>FieldFinalSIPCode&1 != 0 {
		r.FinalSIPCode, at = numberAt(s, at)
	}
	if known>>FieldCallEndSubReason&1 != 0 {
		r.CallEndSubReason, at = numberAt(s, at)
	}
	if known>>FieldFinalSIPPhrase&1 != 0 {
		r.FinalSIPPhrase, at = textAt(s, at)
	}
	if known>>FieldTrunk&1 != 0 {
		r.Trunk, at = textAt(s, at)
	}
	r.MediaBypass = known>>FieldMediaBypass&1 != 0
	if known>>FieldUserCountry != 0 {
		at = r.parseLast(s, at, known, units, start)
	}
	return at
}

// parseLast parses the fields that few rows have.
func (r *Row) parseLast(s string, at int, known uint64, units []GUID, start uint64) int {
	if known>>FieldUserCountry&1 != 0 {
		r.UserCountry, at = textAt(s, at)
	}
	if known>>FieldOtherCountry&1 != 0 {
		r.OtherCountry, at = textAt(s, at)
	}
	if known>>FieldTransferorID&1 != 0 {
		at = r.TransferorID.parseAt(s, at)
	}
	if known>>FieldAdministrativeUnits&1 != 0 {
		r.AdministrativeUnits, at = unitsAt(s, at, units)
	}
	if known>>FieldSharedID&1 != 0 {
		at = r.SharedID.parseAt(s, at)
	}
	if known>>claimedBit&1 != 0 {
		r.ClaimedStart, at = timeAt(s, at, start)
	}
	if known>>(FieldCallerRaw+1)&1 != 0 {
		r.CallerRaw, at = textAt(s, at)
	}
	if known>>(FieldCalleeRaw+1)&1 != 0 {
		r.CalleeRaw, at = textAt(s, at)
	}
	if known>>extensionsBit&1 != 0 {
		at = r.parseExtensions(s, at)
	}
	return at
}

// parseField parses the value of one field, which is known.
func (r *Row) parseField(s string, at int, f Field, start uint64) int {
	switch f.Type() {
	case ID:
		return r.idAt(f).parseAt(s, at)
	case Text:
		*r.textAt(f), at = textAt(s, at)
	case Time:
		*r.timeAt(f), at = timeAt(s, at, start)
	case Number:
		*r.numberAt(f), at = numberAt(s, at)
	case Bool:
		*r.boolAt(f) = true
	case List:
		r.AdministrativeUnits, at = unitsAt(s, at, nil)
	}
	return at
}

// unitsAt appends the GUIDs of a list to units.
func unitsAt(s string, at int, units []GUID) ([]GUID, int) {
	n, at := uvarintAt(s, at)
	for ; n > 0 && at <= len(s); n-- {
		var u GUID
		at = u.parseAt(s, at)
		units = append(units, u)
	}
	return units, at
}

// Times are stored as ticks of 100 ns since the year 1, as in .NET. A uint64 holds every time that
// the wire form can write, and its big-endian bytes sort as the times do.
const (
	ticksPerSecond = 10_000_000
	unixEpoch      = 62_135_596_800 // in seconds since 0001-01-01
)

// Ticks returns the number of 100 ns since 0001-01-01T00:00:00Z; 0 for earlier times.
func Ticks(t time.Time) uint64 {
	s := t.Unix() + unixEpoch
	if s < 0 {
		return 0
	}
	return uint64(s)*ticksPerSecond + uint64(t.Nanosecond()/100)
}

// TimeOf returns the time of the given number of ticks, in UTC. TimeOf(0) is the zero time.
func TimeOf(ticks uint64) time.Time {
	return time.Unix(int64(ticks/ticksPerSecond)-unixEpoch, int64(ticks%ticksPerSecond)*100).UTC()
}

// appendTime appends t as a varint of its distance from the start of the call: twice the
// milliseconds, or twice the ticks plus one if t is no whole number of milliseconds away.
func appendTime(b []byte, t, start time.Time) []byte {
	d := int64(Ticks(t) - Ticks(start))
	if d%10_000 == 0 {
		return binary.AppendVarint(b, d/10_000*2)
	}
	// Doubling does not overflow: 2⁶³ ticks are 29,000 years.
	return binary.AppendVarint(b, d*2+1)
}

// The functions that parse a body return a value and the position after it. On failure that is
// badly, a position far beyond the end of any body, at which all later ones fail too.
const badly = math.MaxInt / 2

func byteAt(s string, at int) (byte, int) {
	if at >= len(s) {
		return 0, badly
	}
	return s[at], at + 1
}

// parseAt sets g to the 16 bytes at the given place.
func (g *GUID) parseAt(s string, at int) int {
	if at > len(s)-len(g) {
		return badly
	}
	copy(g[:], s[at:at+len(g)])
	return at + len(g)
}

func textAt(s string, at int) (string, int) {
	n, at := uvarintAt(s, at)
	if at > len(s) || n > uint64(len(s)-at) {
		return "", badly
	}
	return s[at : at+int(n)], at + int(n)
}

func uvarintAt(s string, at int) (uint64, int) {
	if at < len(s) && s[at] < 0x80 {
		return uint64(s[at]), at + 1
	}
	return longUvarintAt(s, at)
}

func longUvarintAt(s string, at int) (uint64, int) {
	var v uint64
	for i := 0; at < len(s); i++ {
		c := s[at]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if at++; c < 0x80 {
			return v, at
		}
	}
	return 0, badly
}

func varintAt(s string, at int) (int64, int) {
	u, at := uvarintAt(s, at)
	return int64(u>>1) ^ -int64(u&1), at
}

func numberAt(s string, at int) (int32, int) {
	n, at := varintAt(s, at)
	if int64(int32(n)) != n {
		return 0, badly
	}
	return int32(n), at
}

// timeAt reads what appendTime wrote; start is in ticks.
func timeAt(s string, at int, start uint64) (time.Time, int) {
	d, at := varintAt(s, at)
	if d&1 == 0 {
		d = d / 2 * 10_000
	} else {
		d = (d - 1) / 2
	}
	return TimeOf(start + uint64(d)), at
}
