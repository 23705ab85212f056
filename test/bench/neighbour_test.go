package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestNeighbours does every abuse for a short while to the real server: the good
// tenant is never refused anything and never waits for long, and the server never
// stops. How long all takes is printed, and judged by limits that are generous:
// the machine may have other things to do. 'make bench' measures it.
func TestNeighbours(t *testing.T) {
	notInAHurry(t, "17 abuses take a minute")
	b := &bench{config: config{program: kit.Program(t)}, report: &report{}, log: io.Discard, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	lines, err := b.neighbours(ctx, neighbourly{rows: 100_000, tenants: 100, slice: time.Second})
	for _, l := range lines {
		t.Log(strings.Join(l, " | "))
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != len(abuses) {
		t.Errorf("%d of %d abuses were measured", len(lines), len(abuses))
	}
}

// TestWrong: who judges the neighbours knows what a good tenant must not suffer.
func TestWrong(t *testing.T) {
	fine := good{page: []float64{1, 9_999}, post: []float64{10_000}, token: []float64{2}, heard: []float64{30_000, 1}}
	if err := fine.wrong(); err != nil {
		t.Error(err)
	}
	for want, g := range map[string]good{
		"2 good requests were refused: a page: 503":      {refused: []string{"a page: 503", "x"}},
		"a page took 10001 ms, more than 10s":            {page: []float64{1, 10_001, 1}},
		"a POST took 10001 ms, more than 10s":            {post: []float64{10_001}},
		"a token took 10001 ms, more than 10s":           {token: []float64{10_001}},
		"the row of a call took 30001 ms, more than 30s": {heard: []float64{1, 30_001}},
	} {
		if err := g.wrong(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
