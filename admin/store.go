package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/trunklog/trunklog/call"
)

// Rows implements [call.Reader].
func (s *Store) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	return func(yield func(*call.Row, error) bool) {
		body, err := appendQuery(nil, q)
		if err != nil {
			yield(nil, fmt.Errorf("admin socket: %w", err))
			return
		}
		f, err := s.ask(ctx, pathRows, body)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.close()
		f.walk(ctx, yield)
	}
}

// walk yields the rows of an answer.
func (f *frames) walk(ctx context.Context, yield func(*call.Row, error) bool) {
	var row call.Row
	var units []call.GUID // the receiver may do to a row what it likes
	for {
		kind, payload, err := f.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err == nil && ctx.Err() != nil:
			err = fmt.Errorf("admin socket: %w", ctx.Err())
		case err == nil && kind != frameRow && (kind != frameMet || len(payload) < 8):
			err = malformed()
		case err == nil:
			// The buffer is written to again at the next step only, until
			// which the row is valid.
			body := unsafe.String(unsafe.SliceData(payload), len(payload)) //nolint:gosec // see above
			var met call.Cursor
			if kind == frameMet {
				met.Start, body = call.TimeOf(binary.BigEndian.Uint64(payload)), body[8:]
			}
			row.AdministrativeUnits = units[:0]
			if err = parseRow(&row, body); err != nil {
				err = fmt.Errorf("admin socket: %w: %w", errMalformed, err)
			}
			if !met.Start.IsZero() {
				row.Met = call.Cursor{Start: met.Start, ID: row.ID}
			}
			if cap(row.AdministrativeUnits) > 0 {
				units = row.AdministrativeUnits
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(&row, nil) {
			return
		}
	}
}

// Row implements [call.Reader].
func (s *Store) Row(ctx context.Context, tenant, id call.GUID) (call.Row, error) {
	var row call.Row
	err := s.one(ctx, pathRow, append(tenant[:], id[:]...), func(p *parser) {
		p.bad = parseRow(&row, p.s) != nil
		p.s = ""
	})
	if err != nil {
		return call.Row{}, err
	}
	return row, nil
}

// Count implements [call.Reader].
func (s *Store) Count(ctx context.Context, q call.Query) (n int64, err error) {
	body, err := appendQuery(nil, q)
	if err != nil {
		return 0, fmt.Errorf("admin socket: %w", err)
	}
	err = s.one(ctx, pathCount, body, func(p *parser) { n = p.varint() })
	return n, err
}

// Write implements [call.Store].
func (s *Store) Write(ctx context.Context, b call.Batch) (r call.Result, err error) {
	body, err := appendBatch(make([]byte, 0, 64+256*len(b.Rows)), &b)
	if err != nil {
		return call.Result{}, fmt.Errorf("admin socket: %w", err)
	}
	err = s.one(ctx, pathWrite, body, func(p *parser) { r = p.result() })
	return r, err
}

// State implements [call.StateReader].
func (s *Store) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	return func(yield func(call.Named, error) bool) {
		f, err := s.ask(ctx, pathState, appendText(nil, prefix))
		if err != nil {
			yield(call.Named{}, err)
			return
		}
		defer f.close()
		for {
			_, payload, err := f.next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			var v call.Named
			if err == nil {
				p := parser{s: string(payload)}
				if v.Name, v.Value = p.value(); p.end() != nil {
					v, err = call.Named{}, malformed()
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Trim implements [call.Store].
func (s *Store) Trim(ctx context.Context, tenant call.GUID, t time.Time) (n int64, err error) {
	err = s.one(ctx, pathTrim, appendMoment(tenant[:], t), func(p *parser) { n = p.varint() })
	return n, err
}

// Check implements [call.Keeper].
func (s *Store) Check(ctx context.Context, report func(problem string)) error {
	return s.each(ctx, pathCheck, nil, func(kind byte, payload []byte) error {
		if kind != frameProblem {
			return malformed()
		}
		report(string(payload))
		return nil
	})
}

// Stats implements [call.Keeper].
func (s *Store) Stats(ctx context.Context) (stats call.Stats, err error) {
	err = s.one(ctx, pathStats, nil, func(p *parser) { stats = p.stats() })
	return stats, err
}

// Backup implements [call.Keeper]. It is the server that writes to dir, as the
// user that it runs as; a relative dir is that of this process.
func (s *Store) Backup(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	return s.finish(ctx, pathBackup, appendText(nil, dir))
}

// Compact implements [call.Keeper].
func (s *Store) Compact(ctx context.Context) error { return s.finish(ctx, pathCompact, nil) }
