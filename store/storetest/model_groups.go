package storetest

import (
	"context"
	"fmt"
	"iter"

	"github.com/trunklog/trunklog/call"
)

// Groups implements [call.Reader] by its definition: it adds up the rows.
func (m *Model) Groups(ctx context.Context, q call.Query, by call.Grouping) iter.Seq2[*call.Group, error] {
	return func(yield func(*call.Group, error) bool) {
		for g, err := range call.AddUp(ctx, m, q, by) {
			if err != nil {
				err = fmt.Errorf("model: groups: %w", err)
			}
			if !yield(g, err) {
				return
			}
		}
	}
}

// groups returns copies of the groups of q.
func groups(ctx context.Context, s call.Reader, q call.Query, by call.Grouping) (all []call.Group, err error) {
	for g, err := range s.Groups(ctx, q, by) {
		if err != nil {
			return all, err
		}
		all = append(all, *g)
	}
	return all, nil
}

// sameGroups checks that both stores answer alike, and returns the groups.
func (f *fixture) sameGroups(q call.Query, by call.Grouping) []call.Group {
	f.Helper()
	got, err := groups(f.Context(), f.store, q, by)
	if err != nil {
		f.Fatalf("groups of %s by %v: %v", show(q), by, err)
	}
	want, err := groups(f.Context(), f.model, q, by)
	if err != nil {
		f.Fatalf("model: %v", err)
	}
	for i := range min(len(got), len(want)) {
		if a, b := got[i], want[i]; !a.At.Equal(b.At) || a.At.String() != b.At.String() || a.Key != b.Key || a.Sums != b.Sums {
			f.Fatalf("groups of %s by %v: group %d of %d is\n\t%+v\nwant\n\t%+v", show(q), by, i, len(got), a, b)
		}
	}
	if len(got) != len(want) {
		f.Fatalf("groups of %s by %v: %d, want %d", show(q), by, len(got), len(want))
	}
	return got
}

// calls returns the sum of the calls of groups.
func calls(groups []call.Group) (n int64) {
	for i := range groups {
		n += groups[i].Calls
	}
	return n
}
