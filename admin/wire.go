package admin

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Numbers are varints, the length of a text comes before it, and times are seconds and nanoseconds
// of Unix time, because a bound of a query may lie between two ticks.

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendMoment(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

func appendFlag(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendValue appends a value of the state, which may be nil.
func appendValue(b []byte, name string, v []byte) []byte {
	b = appendText(b, name)
	b = appendFlag(b, v != nil)
	return appendText(b, string(v))
}

func appendValues(b []byte, m map[string][]byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for name, v := range m {
		b = appendValue(b, name, v)
	}
	return b
}

// A parser parses a message. Once bad is set its methods return zeros.
type parser struct {
	s   string
	bad bool
}

// end returns an error if the message was too short, malformed or too long.
func (p *parser) end() error {
	if p.bad || p.s != "" {
		return senseless()
	}
	return nil
}

func senseless() error {
	return fmt.Errorf("%w: the message of %s makes no sense", call.ErrInvalid, header)
}

func (p *parser) take(n uint64) string {
	if p.bad || n > uint64(len(p.s)) {
		p.bad = true
		return ""
	}
	b := p.s[:n]
	p.s = p.s[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != "" {
		return b[0]
	}
	return 0
}

func (p *parser) flag() bool {
	b := p.byte()
	p.bad = p.bad || b > 1
	return b == 1
}

func (p *parser) uvarint() uint64 {
	var v uint64
	for i := range min(len(p.s), binary.MaxVarintLen64) {
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

func (p *parser) text() string { return p.take(p.uvarint()) }

// number takes the number of the items that follow, each at least size bytes long. A number that
// the rest of the message cannot hold is malformed, so the caller may allocate for it.
func (p *parser) number(size int) uint64 {
	n := p.uvarint()
	if p.bad = p.bad || n > uint64(len(p.s)/size); p.bad {
		return 0
	}
	return n
}

// big takes a big-endian number of n bytes.
func (p *parser) big(n uint64) (v uint64) {
	for _, c := range []byte(p.take(n)) {
		v = v<<8 | uint64(c)
	}
	return v
}

// long takes a text whose length comes before it in four bytes.
func (p *parser) long() string { return p.take(p.big(4)) }

func (p *parser) guid() (g call.GUID) {
	copy(g[:], p.take(16))
	return g
}

func (p *parser) moment() time.Time {
	s, ns := p.varint(), p.uvarint()
	if p.bad = p.bad || ns > 999_999_999; p.bad {
		return time.Time{}
	}
	return time.Unix(s, int64(ns)).UTC()
}

func (p *parser) value() (name string, v []byte) {
	name = p.text()
	there, s := p.flag(), p.text()
	if !there {
		p.bad = p.bad || s != ""
		return name, nil
	}
	return name, append([]byte{}, s...)
}

func (p *parser) values() map[string][]byte {
	n := p.uvarint()
	if n == 0 {
		return nil
	}
	m := make(map[string][]byte, min(n, uint64(len(p.s)/3))) // a value has at least three bytes
	for ; n > 0 && !p.bad; n-- {
		name, v := p.value()
		m[name] = v
	}
	return m
}
