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

// answerTime is how long sending an answer may take.
const answerTime = time.Minute

// A body is the unpacked body of a request, within its limits. Its errors are of type *refusal,
// except io.EOF.
type body struct {
	h    *Handler
	raw  *rawBody
	r    io.Reader    // unpacked
	zip  *gzip.Reader // nil if it is not packed
	most int64

	bytes int64     // bytes read, after unpacking
	sum   hash.Hash // over the kind and these bytes; nil if the request has no key
	err   error     // the error that ended it early
}

// newBody returns the body of x's request. It reads nothing yet, because the first read sends "100
// Continue" to a sender that waits for it.
func (h *Handler) newBody(x *exchange) *body {
	now := time.Now() // connections take deadlines of the system's clock, not Config.Now's
	raw := &rawBody{
		r: x.r.Body, x: x, control: http.NewResponseController(x.w),
		idle: h.c.IdleTimeout, rate: h.c.LeastRate, until: now.Add(h.c.BodyTimeout), most: h.c.MaxBody,
	}
	// The sender has until then to send the body; sending the answer comes on top of that.
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

// close counts the body's bytes and returns its gzip reader to the pool.
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

// unpack starts a gzip reader.
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

// words returns the refusal for an error of reading.
func (b *body) words(err error) error {
	if b.raw.err != nil {
		return b.raw.err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		// Not err: it may be io.EOF, which readers take for the end of the body.
		return brokenBody("The gzip in the body breaks off before its end.", io.ErrUnexpectedEOF)
	}
	return brokenBody("The body is not gzip, or is damaged.", err)
}

// A rawBody is a body as it is sent. Each read sets the connection's deadline anew, so that a
// sender that makes progress has time and an idle one has not.
type rawBody struct {
	r       io.Reader
	x       *exchange // gives its turn back while a read waits; nil has none
	control *http.ResponseController
	idle    time.Duration
	until   time.Time
	rate    int64
	most    int64

	n     int64
	spent time.Duration // time spent waiting for the n bytes
	err   error         // *refusal
}

// Read implements [io.Reader].
func (b *rawBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	began := time.Now()
	// The bytes so far were allowed slowStart, and their time at the least rate.
	owed := slowStart + time.Duration(b.n)*time.Second/time.Duration(b.rate) - b.spent
	deadline := began.Add(min(b.idle, owed))
	if deadline.After(b.until) {
		deadline = b.until
	}
	_ = b.control.SetReadDeadline(deadline) // fails for a recorder in a test, which has no connection
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
		// The deadline would otherwise end the request while the store works.
		_ = b.control.SetReadDeadline(time.Time{})
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = timedOut(err)
	default:
		b.err = brokenBody("The body ends before its end.", err)
	}
	return 0, b.err
}

// resume waits for a turn of a processor to work on what has arrived.
func (b *rawBody) resume() error {
	if b.x == nil {
		return nil
	}
	b.err = b.x.work()
	return b.err
}
