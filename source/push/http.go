// Package push takes calls that clients deliver by POST: rows in Graph's form, as JSON or JSON
// lines, and events about calls that have not ended yet.
//
// It puts rows in batches while it still reads the body, so that a body of any length needs the
// memory of a few thousand rows. An answer of 2xx means that every record that it counts as
// accepted is durable. The package counts each record that it does not take by cause, and tells the
// sender its line; to a full or slow store it answers 503 with Retry-After, never 2xx.
//
// Sending the same rows again is harmless, because their ids identify them. A sender that also
// wants the same answer again sends an Idempotency-Key.
//
// A request goes through these files in this order:
//
//	http.go     the handler, and the order of its checks
//	slots.go    how many bodies it reads and batches it puts at once
//	request.go  the headers and the query
//	key.go      Idempotency-Key; key_sweep.go
//	body.go     deadlines, limits, gzip
//	lines.go    the body's lines, and which of them are events
//	event.go    one event about a call
//	intake.go   batches of calls on their way to the sink
//	answer.go   the answer
//	error.go    the other answers
//	stats.go    the counts; cause.go their causes; measure.go their metrics
//	source.go   the handler as a source
//
// The package does not know how to check a token, decode and keep rows, or write an error on the
// wire: its caller passes in all three.
//
// Sources: RFC 9110; draft-ietf-httpapi-idempotency-key-header-07;
// jsonlines.org.
package push

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
	"github.com/trunklog/trunklog/share"
)

// Path is the path at which the caller mounts the handler.
const Path = "/ingest/v1/calls"

// A Caller is the sender of a request, as its token says.
type Caller struct {
	Tenant call.GUID // owner of the calls
	Client string    // id of its application
}

// An Admission is the result of Authorize: it admits a caller.
type Admission struct {
	Caller
	// Still returns a [*refuse.Error] once the caller may deliver nothing more; the handler counts
	// it like an error of Authorize. It calls Still before each batch, since a body may take
	// minutes to arrive. nil admits the caller until the end.
	Still func(ctx context.Context) error
}

// A State keeps the records of Idempotency-Keys. It is a part of [call.Store].
type State interface {
	call.StateReader
	Write(ctx context.Context, b call.Batch) (call.Result, error)
}

// A Sample is a record that the handler has not taken.
type Sample struct {
	Cause  Cause
	Line   int64  // in the body, counted from 1
	Reason string // for the operator; it names no person
	Raw    []byte // the record, if known; it may be cut
}

// A Config is what a [Handler] needs. Decode, Sink, Authorize, Fail and State must be set; the zero
// value of every other field is a good one.
type Config struct {
	// Decode reads rows in Graph's form from JSON. It must read no more of its input than the
	// record that it yields needs, or the line numbers become wrong.
	Decode call.Decoder
	// Sink returns the sink for the calls of a caller. The handler calls it once a request.
	Sink func(Caller) call.Sink
	// Authorize identifies the caller of a request with records of that kind. kind is 0 if the
	// query is wrong; the handler then refuses the request in any case. An error of Authorize goes
	// to Fail, and counts as [Unauthorized], or as [Failed] if it is a [*refuse.Error] with a
	// status of 500 or more.
	Authorize func(r *http.Request, kind call.Kind) (Admission, error)
	// Fail answers a request with an error, which wraps a [*refuse.Error] or comes from Authorize.
	// The caller is zero if it is unknown.
	Fail  func(w http.ResponseWriter, r *http.Request, c Caller, err error)
	State State
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets a line for each request of which the handler took a record; nil is no log.
	Log *slog.Logger
	// Reject gets at most one record a second for each cause; nil gets none.
	Reject func(Sample)

	// MaxBody is the largest size of a body in bytes, both packed and unpacked; 0 is 64 MiB.
	MaxBody int64
	// MaxRejected is the number of bad records at which the handler stops reading a body; 0 is
	// 10,000.
	MaxRejected int64
	// PutTimeout is how long the sink may take for a batch before the handler answers that the
	// sender shall come back; 0 is 10 s.
	PutTimeout time.Duration
	// IdleTimeout is the longest pause of a sender within a body; 0 is 30 s.
	IdleTimeout time.Duration
	// BodyTimeout is how long a body may take to arrive in all; 0 is 5 minutes.
	BodyTimeout time.Duration
	// LeastRate is the slowest rate, in bytes a second, at which a body may arrive after slowStart,
	// not counting the time in which the store makes the sender wait; 0 is 1,024.
	LeastRate int64
	// Concurrent is how many calls the handler puts at once, of which one tenant may have half; 0
	// is 20,000, which are four large batches or hundreds of small ones. A batch beyond that waits
	// for up to PutTimeout.
	Concurrent int
	// Turns share out the processors among tenants while the handler reads what has arrived of
	// their bodies; nil is no limit.
	Turns *share.Turns[call.GUID]
	// Bodies is how many bodies the handler reads at once, besides the few that are each tenant's
	// own; 0 is 512. One tenant may have as many as a quarter of Bodies in all, and an eighth of
	// that quarter is its own, whatever others do.
	Bodies int
}

// A packed body may become a thousand times as long when unpacked, which takes memory and a
// processor. So it may have no more than freeBytes and mostRatio times its packed size, and the
// handler unpacks only a part of all bodies at once.
const (
	mostRatio  = 200
	freeBytes  = 1 << 20
	packedPart = 8 // one in so many of all bodies
)

// slowStart is how long a body may arrive at any rate.
const slowStart = 10 * time.Second

func (c *Config) defaults() {
	if c.Decode == nil || c.Sink == nil || c.Authorize == nil || c.Fail == nil || c.State == nil {
		panic("push: New needs Decode, Sink, Authorize, Fail and State")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	orElse(&c.MaxBody, 64<<20)
	orElse(&c.MaxRejected, 10_000)
	orElse(&c.PutTimeout, 10*time.Second)
	orElse(&c.IdleTimeout, 30*time.Second)
	orElse(&c.BodyTimeout, 5*time.Minute)
	orElse(&c.LeastRate, 1<<10)
	orElse(&c.Concurrent, 20_000)
	orElse(&c.Bodies, 512)
}

func orElse[T int | int64 | time.Duration](p *T, value T) {
	if *p <= 0 {
		*p = value
	}
}

// A Handler answers the requests. It is a source on the server's own ports. Its owner calls
// [Handler.Run] beside it, and [Handler.Close] when no more requests come.
type Handler struct {
	c      Config
	slots  *slots // for bodies
	packed *slots // for packed ones
	puts   *share.Turns[call.GUID]
	keys   keys
	zips   sync.Pool // of *gzip.Reader
	count  counters
	shown  [NumCauses]shownAt
}

// New returns a handler. It panics if c lacks a field that must be set.
func New(c Config) *Handler {
	c.defaults()
	return &Handler{
		c:      c,
		slots:  newSlots(c.Bodies, 8),
		packed: newSlots(c.Bodies/packedPart, 4),
		puts:   putTurns(c.Concurrent),
		keys:   keys{state: c.State, now: c.Now, busy: map[string]bool{}},
	}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	x := &exchange{h: h, w: w, r: r, began: h.c.Now()}
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// An exchange is one request and its answer.
type exchange struct {
	h     *Handler
	w     http.ResponseWriter
	r     *http.Request
	began time.Time

	caller  Caller
	still   func(ctx context.Context) error // see Admission
	head    head
	body    *body
	answer  Answer
	turn    share.Turn[call.GUID]
	working bool // x holds turn
}

// serve answers the request, or returns the error to answer with.
func (x *exchange) serve() (err error) {
	h, r := x.h, x.r
	if r.Method != http.MethodPost {
		return methodNotAllowed()
	}
	kind, _ := parseQuery(r.URL.RawQuery) // parseHead returns its error, once the caller is known
	admitted, err := h.c.Authorize(r, kind)
	if err != nil {
		return err
	}
	x.caller, x.still = admitted.Caller, admitted.Still
	if x.head, err = parseHead(r); err != nil {
		return err
	}
	if r.ContentLength > h.c.MaxBody {
		return tooLarge(h.c.MaxBody)
	}
	slot, ok := h.slots.take(x.caller)
	if !ok {
		return busy()
	}
	defer slot.release()
	if x.head.gzip {
		unpacking, ok := h.packed.take(x.caller)
		if !ok {
			return busy()
		}
		defer unpacking.release()
	}
	if err := x.work(); err != nil {
		return err
	}
	defer x.pause()
	x.body = h.newBody(x)
	defer x.body.close()
	if x.head.key == "" {
		return x.take(slot)
	}
	return x.takeOnce(slot)
}

// take reads the body, hands its calls on and answers.
func (x *exchange) take(slot *slot) error {
	if err := x.intake(slot); err != nil {
		return err
	}
	return x.reply(false)
}

// intake reads the body and hands its calls on.
func (x *exchange) intake(slot *slot) error {
	in := intake{
		x: x, h: x.h, ctx: x.r.Context(), slot: slot, tenant: x.caller.Tenant, answer: &x.answer,
		sink:  x.h.c.Sink(x.caller),
		kind:  x.head.kind,
		lines: newLines(x.body, x.head.lines),
	}
	defer in.lines.close()
	began := time.Now()
	err := in.run()
	if r := (*refusal)(nil); errors.As(err, &r) && r.cause == Dense {
		// A gzip bomb costs its sender nothing, so its sender waits for the answer and keeps its
		// slot.
		x.pause()
		time.Sleep(restAfter(time.Since(began)))
	}
	return err
}

// fail answers with an error and counts it.
func (x *exchange) fail(err error) {
	e, r := &refuse.Error{}, &refusal{}
	errors.As(err, &e)
	if !errors.As(err, &r) {
		r = notLetIn(*e)
	}
	x.h.count.refused[r.cause].Add(1)
	if x.answer.Accepted > 0 {
		x.log(e.Status)
	}
	// The deadlines of reading may be long past when the answer comes.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(answerTime))
	x.h.c.Fail(x.w, x.r, x.caller, err)
}

// log writes the one line about a request. It contains none of the sender's text.
func (x *exchange) log(status int) {
	a := &x.answer
	attrs := []slog.Attr{
		slog.String("tenant", x.caller.Tenant.String()), slog.String("client", x.caller.Client),
		slog.Int64("new", a.New), slog.Int64("changed", a.Changed), slog.Int64("same", a.Same), slog.Int64("open", a.Open), slog.Int64("rejected", a.Rejected),
		slog.Int64("bytes", x.body.bytes),
		slog.Float64("ms", float64(x.h.c.Now().Sub(x.began).Microseconds())/1000),
		slog.Int("status", status),
	}
	x.h.c.Log.LogAttrs(x.r.Context(), slog.LevelInfo, "calls delivered", attrs...)
}
