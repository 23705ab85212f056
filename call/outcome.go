package call

import "fmt"

// An Outcome says what became of each event of one [Sink.Put]. Those that were not rejected are
// durable.
type Outcome struct {
	// Fates says for each event, in their order, what it did to its row: Same, New, Changed or
	// Moved; or that it has no row yet: Open, Taken or Rejected.
	Fates []Fate
	// Rejected are the events that the store cannot keep, in their order.
	Rejected []Rejection
	Linked   int // events whose row belongs to another source, under another id
	Unowned  int // events whose row belongs to no tenant's trunk
}

// A Rejection says why the store cannot keep an event. The text is safe to show to the sender.
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

// Err returns nil if all events were kept, or else an error that wraps those of the rejected ones.
// It is for a caller that does not tell events apart.
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
