package node

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestRefusalsAreToldSeldom: the log names a sender and a trunk once an hour, however many messages
// the server refuses, and a sender cannot fill it.
func TestRefusalsAreToldSeldom(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	r := newRefusals(&Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }})
	lines := func() int {
		defer log.Reset()
		return strings.Count(log.String(), "\n")
	}
	for range 100 {
		r.tell("hep", []string{"sbc1.alfa.example", "sbc2.alfa.example"}, "sbc.beta.example")
		r.tell("hep", nil, "sbc.beta.example")
	}
	for _, want := range []string{"sbc1.alfa.example,sbc2.alfa.example", "without host names", "trunk=sbc.beta.example", "--sender-name"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is missing in\n%s", want, log.String())
		}
	}
	if got := lines(); got != 2 {
		t.Errorf("%d lines, want 2", got)
	}
	if r.of("hep") != 200 || r.of("other") != 0 {
		t.Errorf("%d and %d refused, want 200 and 0", r.of("hep"), r.of("other"))
	}
	now = now.Add(tellRefusal)
	r.tell("hep", nil, "sbc.beta.example")
	if got := lines(); got != 1 {
		t.Errorf("%d lines an hour later, want 1", got)
	}
	for i := range 5 * mostRefusals {
		r.tell("hep", []string{strings.Repeat("x", 2000) + fmt.Sprint(i)}, "sbc.beta.example")
	}
	if size := log.Len(); size > mostRefusals*500 || len(r.last) > mostRefusals {
		t.Errorf("%d bytes of log, %d pairs in memory", size, len(r.last))
	}
	if got := lines(); got >= mostRefusals+1 {
		t.Errorf("%d lines of many senders", got)
	}
	now = now.Add(tellRefusal)
	if r.tell("hep", nil, "sbc.beta.example"); lines() != 1 {
		t.Error("nothing more is told after many")
	}
}
