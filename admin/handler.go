package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Handler answers the requests of stores that [Dial] has made, by asking
// store. If store is a [call.Keeper] it answers those of a keeper, too.
//
// A request ends when its client goes away, and when its client takes nothing
// for a quarter of an hour: a walk holds a snapshot of the store.
func Handler(store call.Store, version string) http.Handler {
	h := &handler{store: store, stamp: stamp(version), limit: maxRequest, patience: 15 * time.Minute}
	return h.routes()
}

type handler struct {
	store    call.Store
	stamp    string
	limit    int64         // of a request, in bytes
	patience time.Duration // how long a client may neither send nor take anything
}

// An action answers one kind of request. What it returns, if not nil, is told
// to the client.
type action func(ctx context.Context, p *parser, a *answer) error

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	for path, do := range map[string]action{
		pathHello:        func(_ context.Context, p *parser, _ *answer) error { return p.end() },
		pathRows:         h.rows,
		pathRow:          h.row,
		pathCount:        h.count,
		pathGroups:       h.groups,
		pathWrite:        h.write,
		pathState:        h.state,
		pathTrim:         h.trim,
		pathLegs:         h.legs,
		pathMessages:     h.messages,
		pathTrimMessages: h.trimMessages,
		pathCheck:        h.check,
		pathStats:        h.stats,
		pathBackup:       h.backup,
		pathCompact:      h.compact,
		pathLatest:       h.latest,
		pathAwait:        h.await,
		pathChanges:      h.changes,
		pathTrimChanges:  h.trimChanges,
		pathNewEpoch:     h.newEpoch,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, do) })
	}
	return mux
}

// serve reads a request, lets do answer it, and ends the answer.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, do action) {
	control := http.NewResponseController(w)
	w.Header().Set(header, h.stamp)
	if r.Header.Get(header) != h.stamp {
		http.Error(w, "another version", http.StatusConflict)
		return
	}
	_ = control.SetReadDeadline(time.Now().Add(h.patience)) // a recorder in a test has none
	body, err := h.read(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		w.Header().Set("Connection", "close") // or the rest would be read before this is sent
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		return // the client has gone, or sends nothing any more
	}
	_ = control.SetReadDeadline(time.Time{}) // from here on it would end the request
	w.Header().Set("Content-Type", "application/octet-stream")
	a := &answer{w: w, control: control, patience: h.patience}
	a.end(do(r.Context(), &parser{s: body}, a))
}

// read returns the body of a request. It does not trust the length that the
// client has given.
func (h *handler) read(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.ContentLength > h.limit {
		return "", &http.MaxBytesError{Limit: h.limit}
	}
	var b strings.Builder
	b.Grow(int(min(max(r.ContentLength, 0), 4<<20)))
	buf := make([]byte, min(max(r.ContentLength+1, 512), 32<<10))
	_, err := io.CopyBuffer(&b, http.MaxBytesReader(w, r.Body, h.limit), buf)
	return b.String(), err
}

// An answer gathers frames and writes them out. Once err is set it writes
// nothing more: the client has gone, or takes nothing any more, and an answer
// without its last frame is known to be cut off.
type answer struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	buf      []byte
	err      error
}

// open begins a frame; close ends it.
func (a *answer) open(kind byte) (at int) {
	if a.buf == nil {
		a.buf = make([]byte, 0, 512)
	}
	at = len(a.buf)
	a.buf = append(a.buf, kind, 0, 0, 0, 0)
	return at
}

func (a *answer) close(at int) {
	binary.BigEndian.PutUint32(a.buf[at+1:], uint32(len(a.buf)-at-5))
	if len(a.buf) >= chunk {
		a.write()
	}
}

func (a *answer) row(r *call.Row) {
	if r.Met.IsZero() {
		at := a.open(frameRow)
		a.buf = appendRow(a.buf, r)
		a.close(at)
		return
	}
	at := a.open(frameMet)
	a.buf = appendRow(binary.BigEndian.AppendUint64(a.buf, call.Ticks(r.Met.Start)), r)
	a.close(at)
}

// value adds a frame that says what add appends.
func (a *answer) value(add func([]byte) []byte) {
	at := a.open(frameValue)
	a.buf = add(a.buf)
	a.close(at)
}

// write writes out what was gathered. It blocks while the client is slow.
func (a *answer) write() {
	if a.err == nil {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.patience))
		_, a.err = a.w.Write(a.buf)
	}
	a.buf = a.buf[:0]
}

// flush writes out what was gathered, and does not leave it with the system
// either.
func (a *answer) flush() {
	if a.write(); a.err == nil {
		a.err = a.control.Flush()
	}
}

// end adds the last frame and writes out what was gathered.
func (a *answer) end(err error) {
	if err == nil {
		a.close(a.open(frameEnd))
	} else {
		at := a.open(frameError)
		a.buf = appendError(a.buf, err)
		a.close(at)
	}
	a.write()
}

func (h *handler) rows(ctx context.Context, p *parser, a *answer) error {
	q, err := parseQuery(p.s)
	if err != nil {
		return err
	}
	for r, err := range h.store.Rows(ctx, q) {
		if err != nil {
			return err
		}
		if a.row(r); a.err != nil {
			return a.err
		}
	}
	return nil
}

func (h *handler) row(ctx context.Context, p *parser, a *answer) error {
	tenant, id := p.guid(), p.guid()
	if err := p.end(); err != nil {
		return err
	}
	r, err := h.store.Row(ctx, tenant, id)
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
	n, err := h.store.Count(ctx, q)
	a.value(func(b []byte) []byte { return binary.AppendVarint(b, n) })
	return err
}

func (h *handler) write(ctx context.Context, p *parser, a *answer) error {
	b, err := parseBatch(p.s)
	if err != nil {
		return err
	}
	res, err := h.store.Write(ctx, b)
	a.value(func(b []byte) []byte { return appendResult(b, res) })
	return err
}

func (h *handler) state(ctx context.Context, p *parser, a *answer) error {
	prefix := p.text()
	if err := p.end(); err != nil {
		return err
	}
	for v, err := range h.store.State(ctx, prefix) {
		if err != nil {
			return err
		}
		if a.value(func(b []byte) []byte { return appendValue(b, v.Name, v.Value) }); a.err != nil {
			return a.err
		}
	}
	return nil
}

func (h *handler) trim(ctx context.Context, p *parser, a *answer) error {
	tenant, t := p.guid(), p.moment()
	if err := p.end(); err != nil {
		return err
	}
	n, err := h.store.Trim(ctx, tenant, t)
	a.value(func(b []byte) []byte { return binary.AppendVarint(b, n) })
	return err
}

// keeper returns the store as a keeper.
func (h *handler) keeper() (call.Keeper, error) {
	k, ok := h.store.(call.Keeper)
	if !ok {
		return nil, fmt.Errorf("this store is looked after by the tools of its own server: %w", errors.ErrUnsupported)
	}
	return k, nil
}

func (h *handler) check(ctx context.Context, p *parser, a *answer) error {
	k, err := h.keeper()
	if err = errors.Join(err, p.end()); err != nil {
		return err
	}
	return k.Check(ctx, func(problem string) {
		at := a.open(frameProblem)
		a.buf = append(a.buf, problem...)
		a.close(at)
		a.flush() // the next one may take long
	})
}

func (h *handler) stats(ctx context.Context, p *parser, a *answer) error {
	k, err := h.keeper()
	if err = errors.Join(err, p.end()); err != nil {
		return err
	}
	s, err := k.Stats(ctx)
	a.value(func(b []byte) []byte { return appendStats(b, s) })
	return err
}

func (h *handler) backup(ctx context.Context, p *parser, _ *answer) error {
	dir := p.text()
	k, err := h.keeper()
	if err = errors.Join(err, p.end()); err != nil {
		return err
	}
	return k.Backup(ctx, dir)
}

func (h *handler) compact(ctx context.Context, p *parser, _ *answer) error {
	k, err := h.keeper()
	if err = errors.Join(err, p.end()); err != nil {
		return err
	}
	return k.Compact(ctx)
}
