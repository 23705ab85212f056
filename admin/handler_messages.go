package admin

import (
	"context"

	"github.com/trunklog/trunklog/call"
)

func (h *handler) legs(ctx context.Context, p *parser, a *answer) error {
	tenant, row := p.guid(), p.cursor()
	if err := p.end(); err != nil {
		return err
	}
	legs, err := h.store.Legs(ctx, tenant, row)
	for i := range legs {
		if a.value(func(b []byte) []byte { return appendLeg(b, &legs[i]) }); a.err != nil {
			return a.err
		}
	}
	return err
}

func (h *handler) messages(ctx context.Context, p *parser, a *answer) error {
	leg := p.leg()
	if err := p.end(); err != nil {
		return err
	}
	for m, err := range h.store.Messages(ctx, leg) {
		if err != nil {
			return err
		}
		if a.message(m); a.err != nil {
			return a.err
		}
	}
	return nil
}

func (a *answer) message(m *call.Message) {
	at := a.open(frameMessage)
	a.buf = appendMessage(a.buf, m)
	a.close(at)
}

func (h *handler) trimMessages(ctx context.Context, p *parser, _ *answer) error {
	t := p.moment()
	if err := p.end(); err != nil {
		return err
	}
	return h.store.TrimMessages(ctx, t)
}
