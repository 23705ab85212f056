package admin

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"unsafe"

	"github.com/trunklog/trunklog/call"
)

// Rows implements [call.RowReader].
func (c *Client) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	return func(yield func(*call.Row, error) bool) {
		body, err := appendQuery([]byte{askRows}, q)
		if err != nil {
			yield(nil, fmt.Errorf("admin socket: %w", err))
			return
		}
		stream(ctx, c, pathAsk, body, parseRows())(yield)
	}
}

// parseRows returns a function that parses the frames of a walk. It returns the same row each
// time, with new contents.
func parseRows() func(kind byte, payload []byte) (*call.Row, error) {
	var row call.Row
	var units []call.GUID // kept apart, because the receiver may change the row
	return func(kind byte, payload []byte) (*call.Row, error) {
		if kind != frameRow && (kind != frameMet || len(payload) < 8) {
			return nil, malformed()
		}
		// The next step overwrites the buffer; the row is valid until then.
		body := unsafe.String(unsafe.SliceData(payload), len(payload)) //nolint:gosec // see above
		var met call.Cursor
		if kind == frameMet {
			met.Start, body = call.TimeOf(binary.BigEndian.Uint64(payload)), body[8:]
		}
		row.AdministrativeUnits = units[:0]
		if err := parseRow(&row, body); err != nil {
			return nil, fmt.Errorf("admin socket: %w: %w", errMalformed, err)
		}
		if !met.Start.IsZero() {
			row.Met = call.Cursor{Start: met.Start, ID: row.ID}
		}
		if cap(row.AdministrativeUnits) > 0 {
			units = row.AdministrativeUnits
		}
		return &row, nil
	}
}

// Row implements [call.RowReader].
func (c *Client) Row(ctx context.Context, tenant, id call.GUID) (call.Row, error) {
	var row call.Row
	err := c.one(ctx, pathAsk, append(append([]byte{askRow}, tenant[:]...), id[:]...), func(p *parser) {
		p.bad = parseRow(&row, p.s) != nil
		p.s = ""
	})
	if err != nil {
		return call.Row{}, err
	}
	return row, nil
}

// Count implements [call.RowReader].
func (c *Client) Count(ctx context.Context, q call.Query) (n int64, err error) {
	body, err := appendQuery([]byte{askCount}, q)
	if err != nil {
		return 0, fmt.Errorf("admin socket: %w", err)
	}
	err = c.one(ctx, pathAsk, body, func(p *parser) { n = p.varint() })
	return n, err
}

// Latest implements [call.RowReader].
func (c *Client) Latest(ctx context.Context, tenant call.GUID) (v call.Version, err error) {
	err = c.one(ctx, pathAsk, append([]byte{askLatest}, tenant[:]...), func(p *parser) { v = p.version() })
	return v, err
}

// State implements [call.StateReader].
func (c *Client) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	return stream(ctx, c, pathAsk, appendText([]byte{askState}, prefix), valueOf(func(p *parser) (v call.Named) {
		v.Name, v.Value = p.value()
		return v
	}))
}

// Legs implements [call.MessageReader].
func (c *Client) Legs(ctx context.Context, tenant call.GUID, row call.Cursor) (legs []call.Leg, err error) {
	body := appendCursor(append([]byte{askLegs}, tenant[:]...), row)
	for l, err := range stream(ctx, c, pathAsk, body, valueOf((*parser).leg)) {
		if err != nil {
			return nil, err
		}
		legs = append(legs, l)
	}
	return legs, nil
}

// Messages implements [call.MessageReader].
func (c *Client) Messages(ctx context.Context, leg call.Leg) iter.Seq2[*call.Message, error] {
	return func(yield func(*call.Message, error) bool) {
		stream(ctx, c, pathAsk, appendLeg([]byte{askMessages}, &leg), parseMessages())(yield)
	}
}

// parseMessages returns a function that parses the frames of messages. Each message is valid
// until the next one, which overwrites the buffer.
func parseMessages() func(kind byte, payload []byte) (*call.Message, error) {
	var m call.Message
	return func(kind byte, payload []byte) (*call.Message, error) {
		if kind != frameMessage {
			return nil, malformed()
		}
		if err := parseMessage(&m, payload); err != nil {
			return nil, fmt.Errorf("admin socket: %w: %w", errMalformed, err)
		}
		return &m, nil
	}
}

// Write implements [call.Writer]. After [call.ErrClosed] the caller does not know whether the node
// has applied the batch.
func (c *Client) Write(ctx context.Context, b call.Batch) (r call.Result, err error) {
	body, err := appendBatch(make([]byte, 0, 64+256*len(b.Rows)), &b)
	if err != nil {
		return call.Result{}, fmt.Errorf("admin socket: %w", err)
	}
	err = c.one(ctx, pathWrite, body, func(p *parser) { r = p.result() })
	return r, err
}

func (h *handler) ask(ctx context.Context, p *parser, a *answer) error {
	switch p.byte() {
	case askRows:
		return h.rows(ctx, p, a)
	case askRow:
		return h.row(ctx, p, a)
	case askCount:
		return h.count(ctx, p, a)
	case askLatest:
		return h.latest(ctx, p, a)
	case askState:
		return h.state(ctx, p, a)
	case askLegs:
		return h.legs(ctx, p, a)
	case askMessages:
		return h.messages(ctx, p, a)
	}
	return senseless()
}

func (h *handler) rows(ctx context.Context, p *parser, a *answer) error {
	q, err := parseQuery(p.s)
	if err != nil {
		return err
	}
	return send(a, h.node.Log.Rows(ctx, q), a.row)
}

func (h *handler) row(ctx context.Context, p *parser, a *answer) error {
	tenant, id := p.guid(), p.guid()
	if err := p.end(); err != nil {
		return err
	}
	r, err := h.node.Log.Row(ctx, tenant, id)
	if err == nil {
		a.row(&r)
	}
	return err
}

func (h *handler) count(ctx context.Context, p *parser, a *answer) error {
	q, err := parseQuery(p.s)
	if err != nil {
		return err
	}
	n, err := h.node.Log.Count(ctx, q)
	a.value(func(b []byte) []byte { return binary.AppendVarint(b, n) })
	return err
}

func (h *handler) latest(ctx context.Context, p *parser, a *answer) error {
	tenant := p.guid()
	if err := p.end(); err != nil {
		return err
	}
	v, err := h.node.Log.Latest(ctx, tenant)
	a.value(func(b []byte) []byte { return appendVersion(b, v) })
	return err
}

func (h *handler) state(ctx context.Context, p *parser, a *answer) error {
	prefix := p.text()
	if err := p.end(); err != nil {
		return err
	}
	return send(a, h.node.Log.State(ctx, prefix), func(v call.Named) {
		a.value(func(b []byte) []byte { return appendValue(b, v.Name, v.Value) })
	})
}

func (h *handler) legs(ctx context.Context, p *parser, a *answer) error {
	tenant, row := p.guid(), p.cursor()
	if err := p.end(); err != nil {
		return err
	}
	legs, err := h.node.Log.Legs(ctx, tenant, row)
	for i := range legs {
		a.value(func(b []byte) []byte { return appendLeg(b, &legs[i]) })
	}
	return err
}

func (h *handler) messages(ctx context.Context, p *parser, a *answer) error {
	leg := p.leg()
	if err := p.end(); err != nil {
		return err
	}
	return send(a, h.node.Log.Messages(ctx, leg), a.message)
}

func (h *handler) write(ctx context.Context, p *parser, a *answer) error {
	b, err := parseBatch(p.s)
	if err != nil {
		return err
	}
	res, err := h.node.Log.Write(ctx, b)
	a.value(func(b []byte) []byte { return appendResult(b, res) })
	return err
}
