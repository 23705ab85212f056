package call

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The compact form of a row, in which it goes to disk and between processes.
// It leaves out Tenant, Start and ID, which are the row's key:
//
//	version   1 byte, rowVersion
//	seen      uvarint, Row.Seen
//	settled   uvarint, one bit a field: set if By is not 0
//	witness   1 byte: the witness of all settled fields; or 0, and then one
//	          byte for each settled field
//	known     uvarint, one bit a field: set if the value is not zero;
//	          bit NumFields stands for ClaimedStart
//	values    of the known fields in their order:
//	          ID      16 bytes
//	          Text    uvarint length, bytes
//	          Time    see appendTime
//	          Number  varint
//	          Bool    nothing; the bit is the value
//	          List    uvarint length, 16 bytes each
//
// Fields may be added at the end without a new version. A reader that meets a
// bit it does not know refuses the row, because it cannot tell where the value
// ends.
const rowVersion = 1

const keyFields = 1<<FieldID | 1<<FieldStart

// AppendBody appends the compact form of r, without its key, to b.
func (r *Row) AppendBody(b []byte) []byte {
	b = append(b, rowVersion)
	b = binary.AppendUvarint(b, uint64(r.Seen))
	b = r.appendWitnesses(b)
	known := uint64(0)
	for f := range NumFields {
		if keyFields>>f&1 == 0 && r.Known(f) {
			known |= 1 << f
		}
	}
	if !r.ClaimedStart.IsZero() {
		known |= 1 << NumFields
	}
	b = binary.AppendUvarint(b, known)
	for f := range NumFields {
		if known>>f&1 != 0 {
			b = r.appendField(b, f)
		}
	}
	if !r.ClaimedStart.IsZero() {
		b = appendTime(b, r.ClaimedStart, r.Start)
	}
	return b
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

func (r *Row) appendField(b []byte, f Field) []byte {
	switch f.Type() {
	case ID:
		return append(b, r.idAt(f)[:]...)
	case Text:
		s := *r.textAt(f)
		b = binary.AppendUvarint(b, uint64(len(s)))
		return append(b, s...)
	case Time:
		return appendTime(b, *r.timeAt(f), r.Start)
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

// ParseBody sets r to the row with the given key and compact form. The texts
// of r are parts of body. It allocates only if the row has administrative
// units and r has no room for them.
func (r *Row) ParseBody(tenant GUID, start time.Time, id GUID, body string) error {
	units := r.AdministrativeUnits[:0]
	*r = Row{Tenant: tenant, Start: start, ID: id}
	p := parser{s: body}
	if v := p.byte(); !p.bad && v != rowVersion {
		return fmt.Errorf("row %v: version %d: %w", id, v, ErrNewer)
	}
	seen := p.uvarint()
	r.Seen = Kinds(seen)
	settled := p.uvarint()
	one := Witness(p.byte())
	for f := range NumFields {
		if settled>>f&1 != 0 {
			if r.By[f] = one; one == 0 {
				r.By[f] = Witness(p.byte())
			}
		}
	}
	known := p.uvarint()
	if (settled|known>>1)>>NumFields != 0 {
		return fmt.Errorf("row %v has fields that this version does not know: %w", id, ErrNewer)
	}
	for f := range NumFields {
		if known>>f&1 != 0 {
			r.parseField(&p, f, &units)
		}
	}
	if known>>NumFields&1 != 0 {
		r.ClaimedStart = p.time(start)
	}
	if p.bad || p.s != "" || known&keyFields != 0 || seen>>16 != 0 {
		return fmt.Errorf("row %v: %w", id, errBody)
	}
	return nil
}

var errBody = errors.New("the row's bytes make no sense")

func (r *Row) parseField(p *parser, f Field, units *[]GUID) {
	switch f.Type() {
	case ID:
		copy(r.idAt(f)[:], p.bytes(16))
	case Text:
		*r.textAt(f) = p.bytes(p.uvarint())
	case Time:
		*r.timeAt(f) = p.time(r.Start)
	case Number:
		n := p.varint()
		*r.numberAt(f) = int32(n)
		p.bad = p.bad || n < math.MinInt32 || n > math.MaxInt32
	case Bool:
		*r.boolAt(f) = true
	case List:
		for n := p.uvarint(); n > 0 && !p.bad; n-- {
			var u GUID
			copy(u[:], p.bytes(16))
			*units = append(*units, u)
		}
		r.AdministrativeUnits = *units
	}
}

// Times are kept as ticks of 100 ns since the year 1, as .NET does. A uint64
// holds every time that can be written in the wire form, and its big-endian
// bytes sort as the times do.
const (
	ticksPerSecond = 10_000_000
	unixEpoch      = 62_135_596_800 // in seconds since 0001-01-01
)

// Ticks returns the number of 100 ns since 0001-01-01T00:00:00Z; 0 for times
// before.
func Ticks(t time.Time) uint64 {
	s := t.Unix() + unixEpoch
	if s < 0 {
		return 0
	}
	return uint64(s)*ticksPerSecond + uint64(t.Nanosecond()/100)
}

// TimeOf returns the time of the given number of ticks, in UTC. TimeOf(0) is
// the zero time.
func TimeOf(ticks uint64) time.Time {
	return time.Unix(int64(ticks/ticksPerSecond)-unixEpoch, int64(ticks%ticksPerSecond)*100).UTC()
}

// appendTime appends t as a varint of its distance from the start of the call:
// twice the milliseconds, or twice the ticks and one if milliseconds do not
// suffice.
func appendTime(b []byte, t, start time.Time) []byte {
	d := int64(Ticks(t) - Ticks(start))
	if d%10_000 == 0 {
		return binary.AppendVarint(b, d/10_000*2)
	}
	// Doubling does not overflow: 2⁶³ ticks are 29,000 years.
	return binary.AppendVarint(b, d*2+1)
}

// A parser takes a body apart. Once bad it only returns zeros.
type parser struct {
	s   string
	bad bool
}

func (p *parser) byte() byte {
	b := p.bytes(1)
	if b == "" {
		return 0
	}
	return b[0]
}

func (p *parser) bytes(n uint64) string {
	if p.bad || n > uint64(len(p.s)) {
		p.bad = true
		return ""
	}
	b := p.s[:n]
	p.s = p.s[n:]
	return b
}

func (p *parser) uvarint() uint64 {
	var v uint64
	for i := range len(p.s) {
		c := p.s[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			p.s = p.s[i+1:]
			return v
		}
	}
	p.bad = true
	return 0
}

func (p *parser) varint() int64 {
	u := p.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (p *parser) time(start time.Time) time.Time {
	d := p.varint()
	if d&1 == 0 {
		d = d / 2 * 10_000
	} else {
		d = (d - 1) / 2
	}
	return TimeOf(Ticks(start) + uint64(d))
}
