// Package push takes calls that are delivered by POST: JSON lines of rows in
// Graph's form, and of events about calls that have not ended yet.
//
// Rows are handed on in batches while the body is still being read, so that a
// body of any length needs the memory of a few thousand rows. An answer of 2xx
// means that everything it counts as accepted is durable. Whatever is not taken
// is counted by cause and told to the sender, line by line; a store that is
// full or slow is answered with 503 and Retry-After, never with 2xx.
//
// Sending the same rows again is harmless, because their ids decide. A sender
// that wants the same answer again, too, names its request with an
// Idempotency-Key.
//
// A request goes through these files in this order:
//
//	http.go     what the handler is made of, the order of the checks
//	slots.go    how many bodies are read and batches put at once
//	request.go  the headers and the query
//	key.go      Idempotency-Key; key_sweep.go
//	body.go     deadlines, limits, gzip
//	lines.go    the body's lines, and which of them are events
//	event.go    one event about a call
//	intake.go   batches of calls on their way to the sink
//	answer.go   the answer
//	error.go    the other answers
//	stats.go    what is counted, cause.go why, measure.go as monitoring shows it
//	source.go   what the handler is as a source
//
// The package does not know how a token is checked, how rows are decoded and
// kept, or how an error looks on the wire: all three are passed in.
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

// Path is where the handler expects to be mounted.
const Path = "/ingest/v1/calls"

// A Caller is who sends a request, as its token says.
type Caller struct {
	Tenant call.GUID // whose calls they are
	Client string    // id of the application
}

// An Admission lets a caller in.
type Admission struct {
	Caller
	// Still returns a [*refuse.Error] once the caller may deliver nothing more,
	// which is counted as Authorize's. It is asked before each batch, for a body may
	// come for minutes; nil is never.
	Still func(ctx context.Context) error
}

// A State keeps what belongs to the Idempotency-Keys. It is a part of
// [call.Store].
type State interface {
	call.StateReader
	Write(ctx context.Context, b call.Batch) (call.Result, error)
}

// A Sample is a record that was not taken.
type Sample struct {
	Cause  Cause
	Line   int64  // of the body, from 1
	Reason string // names no person
	Raw    []byte // the record, if it is known; it may be cut
}

// A Config is what a [Handler] needs. Decode, Sink, Authorize, Fail and State
// must be set; the zero value of everything else is a good one.
type Config struct {
	// Decode reads rows in Graph's form from JSON. It reads no more of its
	// input than the record it yields needs, or the line numbers are wrong.
	Decode call.Decoder
	// Sink returns where the calls of a client go. It is asked once a request.
	Sink func(Caller) call.Sink
	// Authorize says who sends a request with records of that kind, which is 0 if
	// the request does not say a kind that there is, and is refused in any case. Its
	// error goes to Fail, and is counted as [Unauthorized], or as [Failed] if it is
	// a [*refuse.Error] with a status of 500 or more.
	Authorize func(r *http.Request, kind call.Kind) (Admission, error)
	// Fail answers a request with an error in which there is a [*refuse.Error], or
	// with Authorize's. The caller is zero if nobody knows who it is.
	Fail  func(w http.ResponseWriter, r *http.Request, c Caller, err error)
	State State
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets a line for each request that was taken; nil is no log.
	Log *slog.Logger
	// Reject is shown one record a second for each cause; nil shows none.
	Reject func(Sample)

	// MaxBody is how many bytes a body may have, both as it is sent and after
	// unpacking; 0 is 64 MiB.
	MaxBody int64
	// MaxRejected is how many records of a body may be bad before the rest is
	// not read any more; 0 is 10,000.
	MaxRejected int64
	// PutTimeout is how long the sink may take for a batch before the sender
	// is told to come back; 0 is 10 s.
	PutTimeout time.Duration
	// IdleTimeout is how long a sender may send nothing; 0 is 30 s.
	IdleTimeout time.Duration
	// BodyTimeout is how long a body may take in all; 0 is 5 minutes.
	BodyTimeout time.Duration
	// LeastRate is how many bytes a second of a body must arrive, after the first
	// slowStart and not counting the time in which the store makes the sender
	// wait; 0 is 1,024.
	LeastRate int64
	// Concurrent is how many calls are put at once, of which one tenant may have
	// half; 0 is 20,000, which are four batches of many or hundreds of few. A batch
	// beyond waits for PutTimeout.
	Concurrent int
	// Turns are what tenants share while bodies are read that have come: processors,
	// more or less. Nil is no limit.
	Turns *share.Turns[call.GUID]
	// Bodies is how many bodies are read at once, besides those few that each tenant
	// may have whatever others do; 0 is 512. One tenant may have as many as a
	// quarter of them, and an eighth of that whatever others do.
	Bodies int
}

// Packed bodies may be a thousand times as long when they are unpacked, which
// takes memory and a processor: they may have no more than the ratio times what
// was sent, and what any body may have, and only some are unpacked at once.
const (
	mostRatio  = 200
	freeBytes  = 1 << 20
	packedPart = 8 // of all bodies
)

// slowStart is for how long a body may come at any rate.
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

// A Handler answers the requests. It is a source that is asked on the server's own
// ports. Use [Handler.Run] beside it, and [Handler.Close] when no more requests come.
type Handler struct {
	c      Config
	slots  *slots // of bodies
	packed *slots // of those that are packed
	puts   *share.Turns[call.GUID]
	keys   keys
	zips   sync.Pool // of *gzip.Reader
	count  counters
	shown  [NumCauses]shownAt
}

// New returns a handler. It panics if c lacks what it must have.
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

// An exchange is one request and what becomes of it.
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
	working bool // has it
}

// serve answers the request, or returns the error to answer with.
func (x *exchange) serve() (err error) {
	h, r := x.h, x.r
	if r.Method != http.MethodPost {
		return methodNotAllowed()
	}
	kind, _ := parseQuery(r.URL.RawQuery) // parseHead says what is wrong with it, once the caller is known
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
		// A bomb costs its sender nothing: it waits for the answer, and keeps its slot.
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
	// The answer may come long after the deadlines that were set for reading.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(answerTime))
	x.h.c.Fail(x.w, x.r, x.caller, err)
}

// log writes the one line about a request. Nothing in it is the sender's text.
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
