package graph

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trunklog/trunklog/call"
)

// An exchange is one request and its answer.
type exchange struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request

	begun    time.Time
	id       string // request-id
	clientID string // client-request-id
	caller   Caller
	batchID  string // request-id of the batch that holds it, if any
	cut      bool   // a fault: its answer is to break off

	// For the log.
	from, to time.Time
	rows     int
	bytes    int
	status   int
	err      error
}

// begin returns a new exchange, and sets the headers that every answer has.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{h: h, w: w, r: r, begun: h.conf.Now(), id: call.NewGUID().String()}
	x.clientID = clientRequestID(r.Header.Get("Client-Request-Id"))
	if x.clientID == "" {
		x.clientID = x.id
	}
	head := w.Header()
	head.Set("Request-Id", x.id)
	head.Set("Client-Request-Id", x.clientID)
	head.Set("Odata-Version", "4.0")
	head.Set("Cache-Control", "private")
	head.Set("X-Content-Type-Options", "nosniff")
	if r.TLS != nil {
		head.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return x
}

// clientRequestID returns the part of the client's own id that is safe to send back: the first 64
// characters of those that GUIDs and other ids have.
func clientRequestID(s string) string {
	const most = 64
	b := make([]byte, 0, most)
	for i := 0; i < len(s) && len(b) < most; i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || strings.IndexByte("-_.:{}", c) >= 0 {
			b = append(b, c)
		}
	}
	return string(b)
}

// options answers OPTIONS.
func (x *exchange) options() {
	rt, _ := parseRoute(x.r.URL.EscapedPath())
	x.w.Header().Set("Allow", rt.allowed())
	x.status = http.StatusNoContent
	x.w.WriteHeader(x.status)
}

// minZip is the least size of an answer, in bytes, for which compressing pays.
const minZip = 1024

// send writes an answer in one piece, compressed if the client accepts gzip. The headers of HEAD
// are those of GET. Pages without $select have a quicker way: page_pack.go.
func (x *exchange) send(status int, contentType string, body []byte) {
	encoding := ""
	if len(body) >= minZip && acceptsGzip(x.r.Header) {
		z := x.h.zip()
		defer x.h.keepZip(z)
		body, encoding = z.compress(body), "gzip"
	}
	x.deliver(status, contentType, body, encoding)
}

// deliver writes an answer whose body has the given encoding, or none.
func (x *exchange) deliver(status int, contentType string, body []byte, encoding string) {
	head := x.w.Header()
	head.Set("Content-Type", contentType)
	head.Set("Vary", "Accept-Encoding")
	if encoding != "" {
		head.Set("Content-Encoding", encoding)
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	x.status = status
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return
	}
	if x.cut && status == http.StatusOK {
		x.breakOff(body)
	}
	n, _ := x.w.Write(body) // it fails if the client is gone
	x.bytes = n
}

// log writes the one line about a request. It leaves out path, query, headers and address, which
// can be personal. It has the error of the server's own fault, and not that of a client's mistake,
// which may quote the client's text.
func (x *exchange) log() {
	severity := slog.LevelInfo
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs, slog.String("request", x.id), slog.String("method", method(x.r)))
	if x.caller != (Caller{}) {
		attrs = append(attrs, slog.String("tenant", x.caller.Tenant.String()), slog.String("client", x.caller.Client))
	}
	if x.batchID != "" {
		attrs = append(attrs, slog.String("batch", x.batchID))
	}
	if !x.from.IsZero() || !x.to.IsZero() {
		attrs = append(attrs, slog.Time("from", x.from), slog.Time("to", x.to))
	}
	attrs = append(attrs,
		slog.Int("rows", x.rows),
		slog.Int("bytes", x.bytes),
		slog.Float64("ms", float64(x.h.conf.Now().Sub(x.begun).Microseconds())/1000),
		slog.Int("status", x.status))
	if x.status >= 500 {
		severity = slog.LevelError
		if x.err != nil {
			attrs = append(attrs, slog.Any("err", x.err))
		}
	}
	x.h.conf.Log.LogAttrs(x.r.Context(), severity, "graph request", attrs...)
}

// method returns the method of the request, or "other" for a rare one: a client may write anything
// there, and the log must not repeat it.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return "other"
}

// maxKept is the capacity, in bytes, up to which the handler uses a buffer again. A page of usual
// rows has about 750 KB.
const maxKept = 2 << 20

// body returns an empty buffer; the caller hands it back to keep.
func (h *Handler) body() *[]byte {
	if b, ok := h.bodies.Get().(*[]byte); ok {
		*b = (*b)[:0]
		return b
	}
	b := make([]byte, 0, 16<<10)
	return &b
}

// keep takes a buffer back, if it has not grown too large.
func (h *Handler) keep(b *[]byte) {
	if cap(*b) <= maxKept {
		h.bodies.Put(b)
	}
}

// A zip is a compressor and its output. The handler uses it again, because a new one costs as much
// as a small page.
type zip struct {
	out []byte
	gz  *gzip.Writer
}

// Write implements [io.Writer].
func (z *zip) Write(p []byte) (int, error) {
	z.out = append(z.out, p...)
	return len(p), nil
}

// compress returns body in gzip; the slice is valid until the next call.
func (z *zip) compress(body []byte) []byte {
	z.out = z.out[:0]
	z.gz.Reset(z)
	_, _ = z.gz.Write(body) // z never fails
	_ = z.gz.Close()
	return z.out
}

func (h *Handler) zip() *zip {
	if z, ok := h.zips.Get().(*zip); ok {
		return z
	}
	z := &zip{}
	gz, err := gzip.NewWriterLevel(z, gzip.BestSpeed)
	if err != nil {
		panic("graph: " + err.Error()) // the level is a constant
	}
	z.gz = gz
	return z
}

func (h *Handler) keepZip(z *zip) {
	if cap(z.out) <= maxKept {
		h.zips.Put(z)
	}
}
