package call

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "trunk", 5},
		{"trunk", "trunk", 0},
		{"tunk", "trunk", 1},
		{"turnk", "trunk", 2},
		{"kitten", "sitting", 3},
		{strings.Repeat("a", 64) + "b", strings.Repeat("a", 64) + "cde", 0},
	} {
		if got := Distance(c.a, c.b); got != c.want || Distance(c.b, c.a) != got {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
