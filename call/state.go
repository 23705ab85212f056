package call

import (
	"context"
	"iter"
)

// A StateReader reads the small named values of a [Store].
type StateReader interface {
	// State yields the values whose name has the given prefix, in the order of the names' bytes,
	// from one snapshot of the store. The value belongs to the receiver. It yields nothing after a
	// non-nil error.
	State(ctx context.Context, prefix string) iter.Seq2[Named, error]
}

// A StateStore keeps small named values: it is for those who need no rows.
type StateStore interface {
	StateReader
	Writer
}

// A Named is a value of the state and its name.
type Named struct {
	Name  string
	Value []byte // not nil
}

// Value returns the value with the given name, or nil if there is none.
func Value(ctx context.Context, s StateReader, name string) ([]byte, error) {
	for v, err := range s.State(ctx, name) {
		if err != nil {
			return nil, err
		}
		if v.Name == name {
			return v.Value, nil
		}
		break // the name itself comes before longer ones
	}
	return nil, nil
}

// Values returns the values whose name has the given prefix, by name. It holds all of them in
// memory.
func Values(ctx context.Context, s StateReader, prefix string) (map[string][]byte, error) {
	values := make(map[string][]byte)
	for v, err := range s.State(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		values[v.Name] = v.Value
	}
	return values, nil
}
