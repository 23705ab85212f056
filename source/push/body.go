package push

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
)

// answerTime is how long an answer may take to be sent.
const answerTime = time.Minute

// A body is what a request delivers, unpacked, within its limits. Its errors,
// but for io.EOF, are of type *refusal.
type body struct {
	h    *Handler
	raw  *rawBody
	r    io.Reader    // unpacked
	zip  *gzip.Reader // nil if it is not packed
	most int64

	bytes int64     // that were read, after unpacking
	sum   hash.Hash // of them; nil if nobody wants it
	err   error     // why it ended other than at its end
}

// newBody returns the body of x's request. It reads nothing yet, so that a
// sender that waits for "100 Continue" is not called upon for nothing.
func (h *Handler) newBody(x *exchange) *body {
	now := time.Now() // deadlines of connections are the system's, not Config.Now's
	raw := &rawBody{
		r: x.r.Body, x: x, control: http.NewResponseController(x.w),
		idle: h.c.IdleTimeout, rate: h.c.LeastRate, until: now.Add(h.c.BodyTimeout), most: h.c.MaxBody,
	}
	// What the sender has to do takes up to then; the answer comes behind it.
	_ = raw.control.SetWriteDeadline(raw.until.Add(answerTime))
	b := &body{h: h, raw: raw, r: raw, most: h.c.MaxBody}
	if x.head.gzip {
		b.r = nil
	}
	if x.head.key != "" {
		b.sum = sha256.New()
		b.sum.Write([]byte(x.head.kind.String() + "\n"))
	}
	return b
}

// close counts the body and gives back what it has borrowed.
func (b *body) close() {
	b.h.count.bytes.Add(uint64(b.bytes))
	if b.zip != nil {
		b.h.zips.Put(b.zip)
	}
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.r == nil {
		if b.err = b.unpack(); b.err != nil {
			return 0, b.err
		}
	}
	n, err := b.r.Read(p)
	b.bytes += int64(n)
	switch {
	case b.bytes > b.most:
		b.err = tooLarge(b.most)
		return 0, b.err
	case b.zip != nil && b.bytes > freeBytes+mostRatio*b.raw.n:
		b.err = tooDense()
		return 0, b.err
	}
	if b.sum != nil {
		b.sum.Write(p[:n])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = b.words(err)
		return n, b.err
	}
	return n, err
}

// unpack begins to read gzip.
func (b *body) unpack() error {
	zip, ok := b.h.zips.Get().(*gzip.Reader)
	if !ok {
		zip = new(gzip.Reader)
	}
	b.zip = zip
	if err := zip.Reset(b.raw); err != nil {
		return b.words(err)
	}
	b.r = zip
	return nil
}

// words returns the answer to an error of reading.
func (b *body) words(err error) error {
	if b.raw.err != nil {
		return b.raw.err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		// Not err, which may be io.EOF: nobody shall take this for the end.
		return brokenBody("The gzip in the body breaks off before its end.", io.ErrUnexpectedEOF)
	}
	return brokenBody("The body is not gzip, or is damaged.", err)
}

// A rawBody is a body as it is sent. Each read sets the connection's deadline
// anew, so that a sender that goes on has time and one that does not has none.
type rawBody struct {
	r       io.Reader
	x       *exchange // whose turn is given back while nothing comes; nil is nobody's
	control *http.ResponseController
	idle    time.Duration
	until   time.Time
	rate    int64
	most    int64

	n     int64
	spent time.Duration // waiting for them
	err   error         // *refusal
}

// Read implements [io.Reader].
func (b *rawBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	began := time.Now()
	// What has come so far may have taken so long.
	owed := slowStart + time.Duration(b.n)*time.Second/time.Duration(b.rate) - b.spent
	deadline := began.Add(min(b.idle, owed))
	if deadline.After(b.until) {
		deadline = b.until
	}
	_ = b.control.SetReadDeadline(deadline) // a recorder in a test has none
	if b.x != nil {
		b.x.pause()
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.spent += time.Since(began)
	switch {
	case b.n > b.most:
		b.err = tooLarge(b.most)
	case err == nil:
		return n, b.resume()
	case errors.Is(err, io.EOF):
		// From here on the deadline would end the request while it is kept.
		_ = b.control.SetReadDeadline(time.Time{})
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = timedOut(err)
	default:
		b.err = brokenBody("The body ends before its end.", err)
	}
	return 0, b.err
}

// resume waits for a turn to read what has come.
func (b *rawBody) resume() error {
	if b.x == nil {
		return nil
	}
	b.err = b.x.work()
	return b.err
}
