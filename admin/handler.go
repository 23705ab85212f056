package admin

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Handler answers the requests of a [Client].
//
// A request ends when its client goes away, or reads nothing for 15 minutes: a walk holds a
// snapshot of the store.
func Handler(n Node) http.Handler {
	h := &handler{node: n, stamp: stamp(n.Version), limit: maxRequest, patience: 15 * time.Minute}
	return h.routes()
}

type handler struct {
	node     Node
	stamp    string
	limit    int64         // largest request, in bytes
	patience time.Duration // time limit for the body of a request, and for each write to the client
}

// An action answers one verb. The handler sends its error to the client.
type action func(ctx context.Context, p *parser, a *answer) error

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	for path, do := range map[string]action{
		pathHello:   func(_ context.Context, p *parser, _ *answer) error { return p.end() },
		pathAsk:     h.ask,
		pathWrite:   h.write,
		pathKeep:    h.keep,
		pathTail:    h.tail,
		pathSources: h.sources,
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
	_ = control.SetReadDeadline(time.Now().Add(h.patience)) // the recorder of a test has no deadlines
	body, err := h.read(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		w.Header().Set("Connection", "close") // else net/http reads the rest of the body first
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		return // the client has gone or has stopped sending
	}
	_ = control.SetReadDeadline(time.Time{}) // the old one would end a long answer
	w.Header().Set("Content-Type", "application/octet-stream")
	a := &answer{w: w, control: control, patience: h.patience}
	a.end(do(r.Context(), &parser{s: body}, a))
}

// read returns the body of a request. The given length may be false, so read allocates at most 4
// MB in advance.
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

// An answer gathers frames and writes them out. Once err is set it writes no more, because the
// client has gone or has stopped reading. A client knows an incomplete answer by the missing last
// frame.
type answer struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // time limit of a write; 0 is none
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

func (a *answer) message(m *call.Message) {
	at := a.open(frameMessage)
	a.buf = appendMessage(a.buf, m)
	a.close(at)
}

// value adds a frame whose payload add appends.
func (a *answer) value(add func([]byte) []byte) {
	at := a.open(frameValue)
	a.buf = add(a.buf)
	a.close(at)
}

// write writes out the gathered frames. It blocks while the client is slow.
func (a *answer) write() {
	if a.err == nil {
		var deadline time.Time
		if a.patience > 0 {
			deadline = time.Now().Add(a.patience)
		}
		_ = a.control.SetWriteDeadline(deadline)
		_, a.err = a.w.Write(a.buf)
	}
	a.buf = a.buf[:0]
}

// flush writes out the gathered frames, and flushes the buffers of net/http.
func (a *answer) flush() {
	if a.write(); a.err == nil {
		a.err = a.control.Flush()
	}
}

// end adds the last frame and writes out all that is left.
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

// send calls add for each value of seq, until the client is gone.
func send[T any](a *answer, seq iter.Seq2[T, error], add func(T)) error {
	for v, err := range seq {
		if err != nil {
			return err
		}
		if add(v); a.err != nil {
			return a.err
		}
	}
	return nil
}
