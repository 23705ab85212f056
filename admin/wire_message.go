package admin

import (
	"encoding/binary"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

const (
	messageKey = 16 + 8                       // bytes before the compact form of a message
	legLen     = 16 + 2 + 16 + 16 + 1 + 2 + 2 // the shortest leg, in bytes
)

// appendMessage appends a message with its key.
func appendMessage(b []byte, m *call.Message) []byte {
	b = append(b, m.Leg[:]...)
	b = binary.BigEndian.AppendUint64(b, call.Ticks(m.At.UTC()))
	return m.AppendBody(b)
}

// parseMessage sets m to the message in b. m.Raw shares the memory of b.
func parseMessage(m *call.Message, b []byte) error {
	if len(b) < messageKey {
		return fmt.Errorf("%w: a message of %d bytes", call.ErrInvalid, len(b))
	}
	return m.ParseBody(call.GUID(b), call.TimeOf(binary.BigEndian.Uint64(b[16:])), b[messageKey:])
}

func appendCursor(b []byte, c call.Cursor) []byte {
	return append(appendMoment(b, c.Start), c.ID[:]...)
}

func (p *parser) cursor() call.Cursor { return call.Cursor{Start: p.moment(), ID: p.guid()} }

func appendLeg(b []byte, l *call.Leg) []byte {
	b = append(b, l.Tenant[:]...)
	b = appendCursor(b, l.Row)
	b = append(b, l.ID[:]...)
	b = appendFlag(b, l.Main)
	return appendMoment(appendMoment(b, l.From), l.To)
}

func (p *parser) leg() call.Leg {
	return call.Leg{Tenant: p.guid(), Row: p.cursor(), ID: p.guid(), Main: p.flag(), From: p.moment(), To: p.moment()}
}

// appendMessages appends the messages and legs of a batch.
func appendMessages(b []byte, batch *call.Batch) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(batch.Messages)))
	for i := range batch.Messages {
		m := &batch.Messages[i]
		if err := m.Check(); err != nil {
			return nil, fmt.Errorf("message %d of %d: %w", i+1, len(batch.Messages), err)
		}
		at := len(b)
		b = appendMessage(append(b, 0, 0, 0, 0), m)
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Legs)))
	for i := range batch.Legs {
		if err := batch.Legs[i].Check(); err != nil {
			return nil, fmt.Errorf("leg %d of %d: %w", i+1, len(batch.Legs), err)
		}
		b = appendLeg(b, &batch.Legs[i])
	}
	return b, nil
}

// messages takes the messages and legs of a batch.
func (p *parser) messages(b *call.Batch) {
	if n := p.number(4 + messageKey); n > 0 {
		b.Messages = make([]call.Message, n)
	}
	for i := range b.Messages {
		p.bad = p.bad || parseMessage(&b.Messages[i], []byte(p.long())) != nil
	}
	if n := p.number(legLen); n > 0 {
		b.Legs = make([]call.Leg, n)
	}
	for i := range b.Legs {
		b.Legs[i] = p.leg()
	}
}
