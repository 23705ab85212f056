package admin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/trunklog/trunklog/call"
)

// Check implements [Keeper].
func (c *Client) Check(ctx context.Context, report func(problem string)) error {
	return c.each(ctx, pathKeep, []byte{keepCheck}, func(kind byte, payload []byte) error {
		if kind != frameProblem {
			return malformed()
		}
		report(string(payload))
		return nil
	})
}

// Stats implements [Keeper].
func (c *Client) Stats(ctx context.Context) (stats call.Stats, err error) {
	err = c.one(ctx, pathKeep, []byte{keepStats}, func(p *parser) { stats = p.stats() })
	return stats, err
}

// Backup implements [Keeper]. The node writes to dir, as the user that it runs as. A relative dir
// is relative to the working directory of this process.
func (c *Client) Backup(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	return c.finish(ctx, pathKeep, appendText([]byte{keepBackup}, dir))
}

// Compact implements [Keeper].
func (c *Client) Compact(ctx context.Context) error {
	return c.finish(ctx, pathKeep, []byte{keepCompact})
}

func (h *handler) keep(ctx context.Context, p *parser, a *answer) error {
	job, dir := p.byte(), ""
	if job == keepBackup {
		dir = p.text()
	}
	if err := p.end(); err != nil {
		return err
	}
	k := h.node.Keeper
	if k == nil {
		return fmt.Errorf("this store is looked after by the tools of its own server: %w", errors.ErrUnsupported)
	}
	switch job {
	case keepCheck:
		return k.Check(ctx, func(problem string) {
			at := a.open(frameProblem)
			a.buf = append(a.buf, problem...)
			a.close(at)
			a.flush() // the next one may take long
		})
	case keepStats:
		s, err := k.Stats(ctx)
		a.value(func(b []byte) []byte { return appendStats(b, s) })
		return err
	case keepBackup:
		return k.Backup(ctx, dir)
	case keepCompact:
		return k.Compact(ctx)
	}
	return senseless()
}
