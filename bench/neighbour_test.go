package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNeighbours does every abuse for a short while to the real server: the good
// tenant is never refused anything, and the server never stops. How long all
// takes is printed and judged by nobody here: the machine may have other things
// to do. 'make bench' measures it.
func TestNeighbours(t *testing.T) {
	tmp := t.TempDir()
	b := &bench{config: config{tmp: tmp}, report: &report{}, log: io.Discard, dir: tmp}
	b.program = filepath.Join(tmp, "trunklog")
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	if err := build(ctx, b.program); err != nil {
		t.Fatal(err)
	}
	lines, err := b.neighbours(ctx, neighbourly{rows: 100_000, tenants: 100, slice: time.Second}, nil)
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
