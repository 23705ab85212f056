package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

const (
	// mostBatch and leastBatch bound the calls of one Put; mostHeld is about how many calls all
	// requests together hold at the same time.
	mostBatch  = 5_000
	leastBatch = 500
	mostHeld   = 20_000
)

// An intake puts the calls of one body.
type intake struct {
	x      *exchange
	h      *Handler
	ctx    context.Context //nolint:containedctx // it is one request's
	slot   *slot
	tenant call.GUID
	sink   call.Sink
	kind   call.Kind
	lines  *lines
	answer *Answer

	batch []call.Event
	at    []int64 // the line of each in the body
}

// run reads the body to its end and puts its calls.
func (in *intake) run() error {
	for !in.lines.ended() {
		if in.lines.begin() {
			for e, err := range in.h.c.Decode(in.lines) {
				if stop := in.decoded(&e, err); stop != nil {
					return stop
				}
			}
		}
		if err := in.special(); err != nil {
			return err
		}
	}
	if err := in.bodyError(); err != nil {
		return err
	}
	if err := in.put(); err != nil {
		return err
	}
	if in.answer.Accepted+in.answer.Rejected == 0 {
		return noRecords()
	}
	return nil
}

// settleRecord settles a row according to the maker of the records. A row from Graph stays as it
// was decoded; in a row of an SBC's own a missing value means "none".
func settleRecord(r *call.Row, kind call.Kind) {
	if kind == call.Graph {
		return
	}
	if r.By[call.FieldStart] == 0 {
		r.Start = time.Time{} // the decoder assumed it, and Settle assumes it again
	}
	r.Seen = 0
	r.Settle(kind.Witness(), true)
}

// decoded takes an event or an error that a decoder has yielded.
func (in *intake) decoded(e *call.Event, err error) error {
	var syntax *call.SyntaxError
	switch {
	case err == nil:
		settleRecord(&e.Row, in.kind)
		return in.add(e)
	case errors.As(err, &syntax):
		return in.reject(Sample{Record, in.lines.number(syntax.Line), words(syntax.Err), syntax.Raw})
	}
	if err := in.bodyError(); err != nil {
		return err
	}
	return in.reject(Sample{Record, in.lines.number(0), words(err), nil})
}

// special takes a line that is not for the shared decoder.
func (in *intake) special() error {
	runtime.Gosched() // such lines take long: let other goroutines run
	switch what, text := in.lines.special(); what {
	case event:
		return in.event(text)
	case alone:
		return in.alone(text)
	case tooLong:
		return in.reject(Sample{TooLong, in.lines.line, fmt.Sprintf("the line has more than %d bytes", maxLine), text})
	}
	return nil
}

// event decodes a line that is an event.
func (in *intake) event(text []byte) error {
	e, err := decodeEvent(text, in.h.c.Decode, in.kind.Witness())
	if err == nil {
		return in.add(&e)
	}
	var syntax *call.SyntaxError
	if errors.As(err, &syntax) {
		err = syntax.Err
	}
	return in.reject(Sample{Event, in.lines.line, words(err), beginning(text)})
}

// alone decodes a line with a decoder of its own.
func (in *intake) alone(text []byte) error {
	for e, err := range in.h.c.Decode(bytes.NewReader(text)) {
		var syntax *call.SyntaxError
		switch {
		case err == nil:
		case errors.As(err, &syntax):
			err = &call.SyntaxError{Raw: syntax.Raw, Err: syntax.Err} // without the decoder's Line, which is always the first
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = &call.SyntaxError{Raw: beginning(text), Err: fmt.Errorf("%w: the line breaks off in the middle of a record", call.ErrInvalid)}
		}
		if err := in.decoded(&e, err); err != nil {
			return err
		}
	}
	return nil
}

// beginning returns the first bytes of a record, as many as a sample has.
func beginning(text []byte) []byte { return bytes.Clone(text[:min(len(text), maxRaw)]) }

// bodyError returns the refusal that ended the body early, or nil.
func (in *intake) bodyError() error {
	var r *refusal
	if errors.As(in.lines.err, &r) {
		return r.soFar(in.answer)
	}
	return nil
}

// add adds a call to the batch, and puts the batch if it is large enough.
func (in *intake) add(e *call.Event) error {
	in.batch = append(in.batch, *e)
	in.at = append(in.at, in.lines.number(0))
	if len(in.batch) < in.enough() {
		return nil
	}
	return in.put()
}

// enough returns how many calls make a batch: few if other tenants wait for it.
func (in *intake) enough() int {
	if len(in.batch) < leastBatch || in.h.puts.Crowded(in.tenant) {
		return leastBatch
	}
	return max(leastBatch, min(mostBatch, mostHeld/max(1, in.h.slots.active())))
}

// put puts the batch.
func (in *intake) put() error {
	if len(in.batch) == 0 {
		return nil
	}
	if err := in.still(); err != nil {
		return err
	}
	out, err := in.wait()
	if err != nil {
		return in.putError(err)
	}
	if err := in.x.work(); err != nil {
		return err
	}
	a, n := in.answer, out.Counts()
	a.New += int64(n.New)
	a.Changed += int64(n.Changed)
	a.Same += int64(n.Same)
	a.Open += int64(out.Count(call.Open))
	a.Accepted += int64(len(in.batch) - len(out.Rejected))
	for _, r := range out.Rejected {
		if err := in.reject(Sample{Refused, in.at[r.Event], words(r.Err), nil}); err != nil {
			return err
		}
	}
	clear(in.batch) // frees the texts
	in.batch, in.at = in.batch[:0], in.at[:0]
	return nil
}

// still returns an error if the caller may deliver nothing more. What was accepted before stays.
func (in *intake) still() error {
	if in.x.still == nil {
		return nil
	}
	err := in.x.still(in.ctx)
	if e := (*refuse.Error)(nil); errors.As(err, &e) {
		return notLetIn(*e).soFar(in.answer)
	}
	return err
}

// wait puts the batch and waits for it, at most for PutTimeout. A store may hang in a sync, which
// cannot be cancelled. The write then goes on without the request and keeps its slot, and its
// outcome is not reported to the sender.
func (in *intake) wait() (call.Outcome, error) {
	type result struct {
		out call.Outcome
		err error
	}
	ctx, cancel := context.WithTimeout(in.ctx, in.h.c.PutTimeout)
	in.x.pause()
	turn, err := in.h.takePut(ctx, in.tenant, len(in.batch))
	if err != nil {
		cancel()
		return call.Outcome{}, errors.Join(errNoTurn, err)
	}
	done := make(chan result, 1)
	in.slot.hold()
	go func(batch []call.Event) {
		defer in.slot.release()
		defer turn.Give()
		defer cancel()
		busy, err := in.h.compute(ctx, in.tenant)
		if err != nil {
			done <- result{err: errors.Join(errNoTurn, err)}
			return
		}
		began := time.Now()
		out, err := in.sink.Put(ctx, batch...)
		busy()
		done <- result{out, err}
		if len(batch) >= leastBatch/2 && in.h.puts.Crowded(in.tenant) {
			time.Sleep(restAfter(time.Since(began)))
		}
	}(in.batch)
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // the goroutine's own cancel has ended ctx
		return r.out, r.err
	default:
		return call.Outcome{}, ctx.Err()
	}
}

// errNoTurn is the error of a batch that has waited in vain for other batches.
var errNoTurn = errors.New("too many batches are being put")

// putError returns the refusal for an error of the sink.
func (in *intake) putError(err error) error {
	switch {
	case errors.Is(err, call.ErrFull):
		return full(err).soFar(in.answer)
	case in.ctx.Err() != nil:
		return brokenBody("The sender has gone before its end.", err)
	case errors.Is(err, errNoTurn):
		return busy().soFar(in.answer)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return slow(err).soFar(in.answer)
	}
	return storeFailed(err).soFar(in.answer)
}

// reject counts a record that is not taken, and returns an error if there are too many.
func (in *intake) reject(s Sample) error {
	in.h.reject(s)
	in.answer.reject(s)
	if in.answer.Rejected < in.h.c.MaxRejected {
		return nil
	}
	if s.Cause != Refused { // for Refused the caller is put itself
		if err := in.put(); err != nil {
			return err
		}
	}
	return tooManyBad(in.answer, s.Line).soFar(in.answer)
}

// words returns the text of an error without the prefix of [call.ErrInvalid], cut to 300 bytes.
func words(err error) string {
	mark := call.ErrInvalid.Error() + ": "
	s := strings.Replace(err.Error(), mark, "", 1)
	s = strings.TrimSuffix(s, ": "+io.ErrUnexpectedEOF.Error())
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
