package call

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// A Message is one SIP message, kept so that an operator can look at the call later. It has neither
// its body nor the headers that hold credentials.
type Message struct {
	// Leg names the dialog of the message, uniquely within the store: [NameGUID] of the source, the
	// Call-ID and, where the source hears several tenants' calls, the tenant.
	Leg GUID
	At  time.Time // by the capturing agent's clock

	Src, Dst  netip.AddrPort
	Transport string // as in [Signal]
	Raw       []byte
}

// MaxMessage is the most bytes that a message may have.
const MaxMessage = 64 << 10

// maxTransport is the most bytes that the name of a transport, or the zone of an address, may have.
const maxTransport = 32

// A Leg says that the messages of a leg belong to a row's call. A row made from SIP has one for the
// leg that faces Microsoft, and one for each other leg that ingest found.
type Leg struct {
	Tenant GUID
	Row    Cursor // the row
	ID     GUID   // the value of [Message.Leg]
	Main   bool   // the leg that faces Microsoft
	// From and To are the times of its first and its last message. Readers look for messages in the
	// days between them.
	From, To time.Time
}

// Check reports whether a store can keep m: it has a leg and a time, and 1 to [MaxMessage] bytes.
func (m *Message) Check() error {
	switch {
	case m.Leg.IsZero():
		return fmt.Errorf("%w: the message has no leg", ErrInvalid)
	case len(m.Raw) == 0:
		return fmt.Errorf("%w: the message is empty", ErrInvalid)
	case len(m.Raw) > MaxMessage:
		return fmt.Errorf("%w: the message has %d bytes, more than %d", ErrInvalid, len(m.Raw), MaxMessage)
	case len(m.Transport) > maxTransport || !utf8.ValidString(m.Transport):
		return fmt.Errorf("%w: the message's transport is no name", ErrInvalid)
	case len(m.Src.Addr().Zone()) > maxTransport || len(m.Dst.Addr().Zone()) > maxTransport:
		return fmt.Errorf("%w: the zone of the message's address is too long", ErrInvalid)
	}
	return checkTime("the message's time", m.At)
}

// Check reports whether a store can keep l: it names a row and a leg, and its times are in order.
func (l *Leg) Check() error {
	switch {
	case l.Row.ID.IsZero():
		return fmt.Errorf("%w: the leg names no row", ErrInvalid)
	case l.ID.IsZero():
		return fmt.Errorf("%w: the leg has no id", ErrInvalid)
	case l.To.Before(l.From):
		return fmt.Errorf("%w: the leg's last message is before its first", ErrInvalid)
	}
	for _, t := range [...]struct {
		name string
		time time.Time
	}{{"the start of the leg's row", l.Row.Start}, {"the time of the leg's first message", l.From}, {"the time of the leg's last message", l.To}} {
		if err := checkTime(t.name, t.time); err != nil {
			return err
		}
	}
	return nil
}

// checkTime reports whether t is known and the wire form can write it.
func checkTime(name string, t time.Time) error {
	switch t = t.UTC(); {
	case t.Truncate(100 * time.Nanosecond).IsZero():
		return fmt.Errorf("%w: %s is not known", ErrInvalid, name)
	case t.Year() < 1 || t.Year() > 9999:
		return fmt.Errorf("%w: %s is in the year %d", ErrInvalid, name, t.Year())
	}
	return nil
}

// Clone returns a copy of m that shares no memory with it.
func (m *Message) Clone() Message {
	c := *m
	c.Transport = strings.Clone(m.Transport)
	c.Raw = bytes.Clone(m.Raw)
	return c
}

// Compare orders the messages of a leg: by time, and those of one time by their bytes, so that
// every engine has the same order.
func (m *Message) Compare(n *Message) int {
	if c := m.At.Compare(n.At); c != 0 {
		return c
	}
	if c := bytes.Compare(m.Raw, n.Raw); c != 0 {
		return c
	}
	if c := m.Src.Compare(n.Src); c != 0 {
		return c
	}
	if c := m.Dst.Compare(n.Dst); c != 0 {
		return c
	}
	return strings.Compare(m.Transport, n.Transport)
}

// Compare orders the legs of a row: the one that faces Microsoft first, then
// by the times of their first messages, then by their ids.
func (l *Leg) Compare(k *Leg) int {
	switch {
	case l.Main && !k.Main:
		return -1
	case k.Main && !l.Main:
		return 1
	}
	if c := l.From.Compare(k.From); c != 0 {
		return c
	}
	return bytes.Compare(l.ID[:], k.ID[:])
}
