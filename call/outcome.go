package call

import "fmt"

// An Outcome says what became of each of the events of one [Sink.Put]. Those
// that were not rejected are durable.
type Outcome struct {
	// Fates says for each event, in their order, what it did to its row: Same,
	// New, Changed or Moved; or that it has none yet: Open, Taken or Rejected.
	Fates []Fate
	// Rejected are the events that cannot be kept, in their order.
	Rejected []Rejection
	Linked   int // of those with a row: it is that of another source, known under another id
	Unowned  int // of those with a row: they belong to no tenant's trunk
}

// A Rejection says why an event cannot be kept. The text is safe to show to
// whoever sent it.
type Rejection struct {
	Event int // which of the events of the Put, from 0
	Err   error
}

// Count returns how many events had a fate.
func (o *Outcome) Count(f Fate) (n int) {
	for _, g := range o.Fates {
		if g == f {
			n++
		}
	}
	return n
}

// Counts returns how many events have a row, by what they did to it.
func (o *Outcome) Counts() (n Counts) {
	for _, f := range o.Fates {
		n.Add(f)
	}
	return n
}

// Err returns nil if all events were kept, or else an error that wraps those of
// the events that were not. It is for a caller that does not tell them apart.
func (o *Outcome) Err() error {
	if len(o.Rejected) == 0 {
		return nil
	}
	return &rejectedError{o.Rejected, len(o.Fates)}
}

type rejectedError struct {
	rejected []Rejection
	of       int
}

func (e *rejectedError) Error() string {
	first := e.rejected[0]
	return fmt.Sprintf("%d of %d events cannot be kept; event %d: %v", len(e.rejected), e.of, first.Event, first.Err)
}

func (e *rejectedError) Unwrap() []error {
	errs := make([]error, len(e.rejected))
	for i, r := range e.rejected {
		errs[i] = r.Err
	}
	return errs
}
