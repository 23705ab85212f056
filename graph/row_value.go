package graph

import (
	"encoding/binary"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// set writes s to b[n:] and returns where it ends.
func set(b []byte, n int, s string) int { return n + copy(b[n:n+len(s)], s) }

func setBool(b []byte, n int, v bool) int {
	if v {
		return set(b, n, "true")
	}
	return set(b, n, "false")
}

func setNumber(b []byte, n int, v int32) int {
	if uint32(v) < 10 {
		b[n] = byte('0' + v)
		return n + 1
	}
	return len(strconv.AppendInt(b[:n], int64(v), 10))
}

// setID writes g in quotes, or null if it is zero. It takes a fourth of the time of GUID.Append,
// and a page has 3,000 ids.
func setID(b []byte, n int, g *call.GUID) int {
	const zero = `"00000000-0000-0000-0000-000000000000"`
	if g.IsZero() {
		return set(b, n, "null")
	}
	d := b[n : n+len(zero)]
	copy(d, zero)
	order := binary.BigEndian
	order.PutUint64(d[1:], hexDigits(order.Uint32(g[0:])))
	v := hexDigits(order.Uint32(g[4:]))
	order.PutUint32(d[10:], uint32(v>>32))
	order.PutUint32(d[15:], uint32(v))
	v = hexDigits(order.Uint32(g[8:]))
	order.PutUint32(d[20:], uint32(v>>32))
	order.PutUint32(d[25:], uint32(v))
	order.PutUint64(d[29:], hexDigits(order.Uint32(g[12:])))
	return n + len(zero)
}

// hexDigits returns the eight digits of v, the first one in the highest byte.
func hexDigits(v uint32) uint64 {
	x := uint64(v)
	x = (x<<16 | x) & 0x0000ffff0000ffff
	x = (x<<8 | x) & 0x00ff00ff00ff00ff
	x = (x<<4 | x) & 0x0f0f0f0f0f0f0f0f
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101 // 1 where a digit is above 9
	return x + 0x3030303030303030 + letters*('a'-'0'-10)
}

// setText writes s as a JSON string, or null if it is empty. It copies and checks eight bytes at
// once.
func setText(b []byte, n int, s string) int {
	if s == "" {
		return set(b, n, "null")
	}
	d := b[n : n+2+len(s)]
	d[0], d[len(d)-1] = '"', '"'
	t := d[1 : len(d)-1]
	var odd uint64
	if len(s) >= 8 {
		for i := 0; i+8 < len(s); i += 8 {
			v := load64(s[i:])
			odd |= oddBytes(v)
			binary.LittleEndian.PutUint64(t[i:], v)
		}
		v := load64(s[len(s)-8:]) // may overlap with the words before
		odd |= oddBytes(v)
		binary.LittleEndian.PutUint64(t[len(t)-8:], v)
	} else {
		v := uint64(0x2020202020202020)
		for i := range t {
			t[i] = s[i]
			v = v<<8 | uint64(s[i])
		}
		odd = oddBytes(v)
	}
	if odd&top != 0 && !plainUTF8(s) {
		return len(appendText(b[:n], s))
	}
	return n + len(d)
}

// load64 returns the first eight bytes of s.
func load64(s string) uint64 {
	s = s[:8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// graphType returns Graph's name of a call type. Nearly all rows have it already, and need no
// search: Graph's names begin with Byot, and no name of the admin centre does.
func graphType(s string) string {
	if len(s) < 4 || s[:4] != "Byot" {
		s = string(call.CallType(s).Graph())
	}
	return s
}

// appendText appends s as a JSON string (RFC 8259, section 7). Like encoding/json without HTML
// escapes, it also escapes U+2028 and U+2029, which end a line in JavaScript, and writes U+FFFD for
// bytes that are not UTF-8.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	return append(appendEscaped(b, s), '"')
}

const (
	ones = 0x0101010101010101
	top  = 0x80 * ones
)

// oddBytes has a top bit set if one of the eight bytes of v is a control character, not ASCII, '"'
// or '\', so that a JSON string may not hold it as it is. With no byte at or above 0x80, a
// subtraction borrows, and so sets a top bit, only where a byte is below 0x20, or is '"' or '\' and
// so zero after the xor.
func oddBytes(v uint64) uint64 {
	return v | (v - 0x20*ones) | ((v ^ '"'*ones) - ones) | ((v ^ '\\'*ones) - ones)
}

// plainUTF8 reports whether a JSON string can hold s as it is although not all of it is ASCII, as
// in names with umlauts. It returns false if s may hold U+2028, whose first byte is 0xe2.
func plainUTF8(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == 0xe2 {
			return false
		}
	}
	return utf8.ValidString(s)
}

func appendEscaped(b []byte, s string) []byte {
	from := 0 // where the text begins that is not yet appended
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == '"' || c == '\\' {
				b = appendEscape(append(b, s[from:i]...), c)
				from = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[from:i]...), `\u202`...)
			b = append(b, byte('0'+r-'\u2020'))
			from = i + size
		}
		i += size
	}
	return append(b, s[from:]...)
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
}

const unixEpoch = 62_135_596_800 // in seconds since 0001-01-01

// time writes t in UTC and in quotes, with as many fraction digits, 0 to 7, as it needs. A time
// outside of the years 1 to 9999, which no row that passes Row.Check has, it writes as unknown.
func (w *rowWriter) time(b []byte, n int, t time.Time) int {
	const zero = `"0001-01-01T00:00:00Z"`
	sec := t.Unix() + unixEpoch
	nanos := uint32(t.Nanosecond())
	days := uint64(sec) / 86_400 // of times before year 1 wraps to far too many
	d := b[n : n+len(zero)]
	copy(d, zero)
	n += len(zero)
	if sec == 0 && nanos < 100 || days > lastDay {
		return n
	}
	if days+1 != w.day {
		w.newDay(days)
	}
	*(*[10]byte)(d[1:]) = w.date
	clock := uint32(uint64(sec) % 86_400)
	put2(d[12:], clock/3600)
	put2(d[15:], clock/60%60)
	put2(d[18:], clock%60)
	if ticks := nanos / 100; ticks != 0 {
		n = setFraction(b, n-len(`Z"`), ticks)
		n = set(b, n, `Z"`)
	}
	return n
}

// newDay keeps the text of a day, because the times of a page lie on few days.
func (w *rowWriter) newDay(days uint64) {
	year, month, day := civil(uint32(days))
	w.day = days + 1
	put2(w.date[0:], year/100)
	put2(w.date[2:], year%100)
	w.date[4] = '-'
	put2(w.date[5:], month)
	w.date[7] = '-'
	put2(w.date[8:], day)
}

// setFraction writes a point and the seven digits of ticks without the zeros at the end. ticks is
// not 0.
func setFraction(b []byte, n int, ticks uint32) int {
	digits := 7
	if ticks%10_000 == 0 { // whole milliseconds, as nearly always
		ticks /= 10_000
		digits = 3
	}
	for ticks%10 == 0 {
		ticks /= 10
		digits--
	}
	b[n] = '.'
	d := b[n+1 : n+1+digits]
	for i := len(d) - 1; i >= 0; i-- {
		d[i] = byte('0' + ticks%10)
		ticks /= 10
	}
	return n + 1 + digits
}

func put2(d []byte, v uint32) {
	_ = d[1]
	d[0] = byte('0' + v/10)
	d[1] = byte('0' + v%10)
}

const lastDay = 3_652_058 // 9999-12-31 in days since 0001-01-01

// civil returns the date that is the given number of days after 0001-01-01.
// It counts from the first of March of the year 0, so that the leap day is the
// last of its year, and takes years and months by multiplication.
//
// Source: Neri, Schneider, "Euclidean affine functions and their application
// to calendar algorithms", Software: Practice and Experience 2023, 53(4).
func civil(days uint32) (year, month, day uint32) {
	n := 4*(days+306) + 3
	century := n / 146_097
	p := uint64(n%146_097|3) * 2_939_745
	year = 100*century + uint32(p>>32)
	ofYear := uint32(p) / 2_939_745 / 4
	q := 2_141*ofYear + 197_913
	month, day = q>>16, q&0xffff/2_141+1
	if ofYear >= 306 {
		year, month = year+1, month-12
	}
	return year, month, day
}
