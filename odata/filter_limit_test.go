package odata

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestFilterLimits(t *testing.T) {
	repeat := func(n int, s, sep string) string { return strings.Repeat(s+sep, n-1) + s }
	list := func(n int) string { return "finalSipCode in (" + repeat(n, "486", ",") + ")" }
	text := func(n int) string { return "callerNumber eq '" + strings.Repeat("x", n-18) + "'" }
	deep := func(n int) string {
		return strings.Repeat("(", n) + "duration eq 1" + strings.Repeat(")", n)
	}
	for _, c := range []struct {
		name    string
		within  string
		beyond  string
		message string
	}{
		{"bytes", text(4096), text(4097), "Invalid filter clause: it has 4097 bytes, more than the 4096 that are possible."},
		{"tokens", "not " + repeat(128, "successfulCall", " and "), "not not " + repeat(128, "successfulCall", " and "), "has more than the 256 words, values and signs"},
		{"depth", deep(16), deep(17), "At position 16 it is nested deeper than 16 levels."},
		{"in", list(100), list(101), "The list before position 417 has more than the 100 values"},
	} {
		if _, err := ParseFilter(c.within); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := ParseFilter(c.beyond); err == nil || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: got error %v, want one with %q", c.name, err, c.message)
		}
	}
	// Depth counts open parentheses at one place, not all of them.
	if _, err := ParseFilter(repeat(40, "(duration eq 1)", " or ")); err != nil {
		t.Error(err)
	}
	// Texts that no query holds, but other callers may pass on.
	for _, s := range []string{"", " ", "\t\n", "callerNumber eq '\xff'", "callerNumber eq '\x00'", "callerNumber eq 'x' \xff"} {
		if x, err := ParseFilter(s); err == nil {
			t.Errorf("%q was read as %v", s, x)
		}
	}
}

// TestHostileFilters parses hostile filters. It takes the best time of several runs, because the
// machine may be busy.
func TestHostileFilters(t *testing.T) {
	var hostile []string
	for _, unit := range []string{
		"(", ")", "((", "()", ")(", ",", "'", "''", "' '", "$", "@", "\\", "\"", "%", "-", "+", ".", ":", "é", "\xff", "\x00", "𝟘",
		"not ", "not(", "and ", "or ", "eq ", "in ", "in (", "null ", "true ", "true and ", "true eq ", "5 ", "5 eq ", "'x' ", "a", "a ", "a(", "a/", "a.",
		"startswith(", "tolower(", "contains(callType,", "callType ", "callType eq ", "callType eq 'ByotIn' or ", "callType in (", "startswith(callType,'B') or ",
		"not (duration eq 1) and ", "(successfulCall) eq ", "2024-01-01T00:00:00 ", "2024-01-01T00:00:00 02:00 ", "9e8bba57-dc14-533a-a7dd-f0da6575eed1", "9e8bba57-dc14-533a-a7dd-f0da6575eed1 ",
		"0", "0x", "1e9", "9999999999", "NaN ", "INF ", "\t", "\n", "/*", "--", "${", "{{", "%s%n", "\u202e", "\ufeff",
	} {
		for _, n := range []int{1, 2, 15, 17, 255, 257, 1000} {
			hostile = append(hostile, strings.Repeat(unit, n))
		}
		hostile = append(hostile,
			strings.Repeat(unit, maxFilter/len(unit)),
			strings.Repeat(unit, 1<<20/len(unit)),
			"duration eq 1 or "+strings.Repeat(unit, 200),
			"callerNumber in ('a',"+strings.Repeat(unit, 200),
			strings.Repeat("(", 16)+strings.Repeat(unit, 100))
	}
	if len(hostile) < 500 {
		t.Fatalf("only %d filters", len(hostile))
	}
	var worst time.Duration
	for _, s := range hostile {
		best := time.Duration(math.MaxInt64)
		for range 5 {
			start := time.Now()
			x, err := ParseFilter(s)
			if err == nil {
				_, err = FormatFilter(x)
			}
			best = min(best, time.Since(start))
			if err != nil && len(err.Error()) > 1000 {
				t.Fatalf("%.40q…: the error has %d bytes", s, len(err.Error()))
			}
			if best < time.Millisecond {
				break
			}
		}
		if best > 5*time.Millisecond {
			t.Errorf("%.40q… of %d bytes took %v", s, len(s), best)
		}
		worst = max(worst, best)
		if len(s) <= maxFilter {
			checkFilter(t, s)
		}
	}
	t.Logf("%d filters, the slowest took %v", len(hostile), worst)
}

// TestErrorsKeepSecrets damages valid filters in all places, and looks for the
// texts of their strings in the errors.
func TestErrorsKeepSecrets(t *testing.T) {
	const secret = "+4930SECRET"
	for _, f := range []string{
		"callerNumber eq '" + secret + "'",
		"startswith(callerNumber,'" + secret + "') and duration gt 5",
		"callerNumber in ('a','" + secret + "') or not tolower(userPrincipalName) eq '" + secret + "'",
		"duration eq '" + secret + "'", "id eq '" + secret + "'", "startDateTime gt '" + secret + "'", "'" + secret + "' eq '" + secret + "'",
		"tolower('" + secret + "') eq 'x'", "'" + secret + "'", "not '" + secret + "'", "x eq '" + secret + "'", "'" + secret + "' in ('" + secret + "')",
	} {
		at, end := strings.Index(f, secret), strings.LastIndex(f, secret)+len(secret)
		for i := range len(f) {
			for _, damage := range []string{"", "(", ")", ",", "$", " ", "'"} {
				if damage == "'" && i <= end && i >= at-1 {
					continue // it ends the string, and the rest is no string any more
				}
				for _, s := range []string{f[:i] + damage + f[i:], f[:i] + damage + f[min(i+1, len(f)):]} {
					if strings.Count(s, "'") != strings.Count(f, "'") || strings.Index(s, "'") > strings.Index(s, secret[:3]) {
						continue
					}
					if _, err := ParseFilter(s); err != nil && strings.Contains(err.Error(), "SECRET") {
						t.Fatalf("%s: %v", s, err)
					}
				}
			}
		}
	}
}
