package push

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/refuse"
)

// TestAskedFor: the handler asks Authorize about the kind in the query, and about kind 0 if the
// query is wrong. Only a known caller learns what is wrong with it.
func TestAskedFor(t *testing.T) {
	b := newBench(t, nil)
	for _, c := range []struct {
		query  string
		kind   call.Kind
		status int
	}{
		{"", call.CDR, 200},
		{"?kind=cdr", call.CDR, 200},
		{"?kind=graph", call.Graph, 200},
		{"?kind=gr%61ph", call.Graph, 200},
		{"?kind=Graph", 0, 400},
		{"?kind=", 0, 400},
		{"?kind=graph&kind=cdr", 0, 400},
		{"?kind=cdr&x=1", 0, 400},
		{"?Kind=graph", 0, 400},
		{"?kind=graph;", 0, 400},
		{"?%", 0, 400},
	} {
		for _, token := range []string{"yes", "no"} {
			b.kinds = nil
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+c.query, strings.NewReader(row(0)))
			r.Header.Set("Authorization", token)
			want := map[string]int{"yes": c.status, "no": 401}[token]
			if o := b.send(t, r); o.status != want || token == "yes" && fmt.Sprint(b.kinds) != fmt.Sprint([]call.Kind{c.kind}) {
				t.Errorf("%s, %s: status %d, want %d; asked for %v, want %v", c.query, token, o.status, want, b.kinds, c.kind)
			}
		}
	}
}

// TestEndedMeanwhile: a caller may lose its right while its body arrives. The handler keeps and
// reports what it had acknowledged before, and takes nothing more.
func TestEndedMeanwhile(t *testing.T) {
	for _, after := range []int64{0, 1, 2} { // batches of 5,000
		b := newBench(t, nil)
		var asked atomic.Int64
		b.still = func(context.Context) error {
			if asked.Add(1) > after {
				return &refuse.Error{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: "Revoked."}
			}
			return nil
		}
		o := b.post(t, rows(0, 12_345), "Idempotency-Key", "k")
		said := fmt.Sprintf(" %d records of this body were accepted before", 5000*after)
		if o.status != http.StatusUnauthorized || b.mem.len() != int(5000*after) || strings.Contains(o.text, said) != (after > 0) {
			t.Errorf("after %d batches: status %d, %d rows: %s", after, o.status, b.mem.len(), o.text)
		}
		if got := b.count.refused[Unauthorized].Load(); got != 1 {
			t.Errorf("it is counted %d times", got)
		}
		b.still = nil
		if o := b.post(t, rows(0, 12_345), "Idempotency-Key", "k"); o.status != http.StatusOK || o.Same != 5000*after || o.Accepted != 12_345 {
			t.Errorf("sent again: %s", o.text)
		}
	}
}
