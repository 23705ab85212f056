package main

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A fewGroups has a row and tells as many groups as it is told to.
type fewGroups struct {
	noStore
	groups int
}

func (fewGroups) Rows(context.Context, call.Query) iter.Seq2[*call.Row, error] {
	return func(yield func(*call.Row, error) bool) {
		yield(&call.Row{Start: time.Date(2026, 1, 5, 1, 2, 3, 0, time.UTC), Trunk: "sbc1.contoso.com"}, nil)
	}
}

func (s fewGroups) Groups(ctx context.Context, q call.Query, by call.Grouping) iter.Seq2[*call.Group, error] {
	return func(yield func(*call.Group, error) bool) {
		for range s.groups {
			for g, err := range call.AddUp(ctx, s, q, by) {
				if !yield(g, err) {
					return
				}
			}
		}
	}
}

// Groups that are wrong are not measured.
func TestAskGroups(t *testing.T) {
	g, err := askGroups(t.Context(), fewGroups{groups: 1}, call.Query{}, 3)
	if err != nil || g.Groups != 1 || g.Calls != 1 || len(g.Took) != 3 {
		t.Errorf("%+v, %v", g, err)
	}
	for _, n := range []int{0, 2} {
		if _, err := askGroups(t.Context(), fewGroups{groups: n}, call.Query{}, 3); err == nil || !strings.Contains(err.Error(), "not what adding up") {
			t.Errorf("%d groups where there is one: %v", n, err)
		}
	}
}

func TestGroupsResults(t *testing.T) {
	a := added{Calls: 2_000_000, Cells: groupsOf{Took: []float64{49, 60, 50}, Rows: 1000}, Scan: groupsOf{Took: []float64{2100, 1000, 2200}, Rows: 4200}}
	if r := a.cellsResult(); r.met != met || r.share != "5.00 %" {
		t.Errorf("%+v", r)
	}
	if r := a.scanResult(); r.met != missed || !strings.HasPrefix(r.measured, "1.05 s per million (0.500–1.10)") || !strings.HasSuffix(r.yardstick, ": 2.10 s per million") || r.share != "50.0 %" {
		t.Errorf("%+v", r)
	}
}
