package main

import (
	"strings"
	"testing"
)

func TestDiskResult(t *testing.T) {
	b := &bench{perRow: 270, tables: 269, changes: 11.5, postgres: besides{rows: 1, perRow: 540}}
	r := b.diskResult()
	if !strings.HasSuffix(r.measured, "11.5 bytes are changes, and none are moves: 259 without") || r.met != met || r.share != "50.0 %" {
		t.Errorf("%+v", r)
	}
	b.changes = 9.5
	if r := b.diskResult(); r.met != missed {
		t.Errorf("%+v", r)
	}
	b.changes = 0
	if r := b.diskResult(); r.met != missed || !strings.HasSuffix(r.measured, "was not measured") {
		t.Errorf("%+v", r)
	}
}
