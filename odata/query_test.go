package odata

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

func TestNoQuery(t *testing.T) {
	for _, parse := range []func(string) (Options, error){Parse, ParseStrict} {
		if o, err := parse(""); err != nil || !reflect.DeepEqual(o, Options{}) {
			t.Errorf("got %+v, %v", o, err)
		}
	}
}

// TestQueryLimits measures the cost of queries that are too long in various ways.
func TestQueryLimits(t *testing.T) {
	for _, c := range []struct {
		name, query, want string
	}{
		{"options", strings.Repeat("x=1&", 99) + "$top=5", ""},
		{"too many options", strings.Repeat("x=1&", 100) + "$top=5", "The query of the URI has 101 options, more than the 100 that are possible."},
		{"empty options", strings.Repeat("&", 99), ""},
		{"too many empty options", strings.Repeat("&", 100), "The query of the URI has 101 options, more than the 100 that are possible."},
		{"bytes", "$top=5&x=" + strings.Repeat("x", 32<<10-9), ""},
		{"too many bytes", "$top=5&x=" + strings.Repeat("x", 32<<10-8), "The query of the URI has 32769 bytes, more than the 32768 that are possible."},
		{"100,000 options", strings.Repeat("$top=1&", 100_000), "The query of the URI has 700000 bytes, more than the 32768 that are possible."},
		{"skiptoken", "$skiptoken=" + strings.Repeat("x", 30<<10), ""},
		{"filter", "$filter=callerNumber%20eq%20'" + strings.Repeat("x", 8<<10) + "'", "Invalid filter clause: it has 8210 bytes, more than the 4096 that are possible."},
		{"encoded filter", "$filter=callerNumber%20eq%20'" + strings.Repeat("%2B", 4078) + "'", ""},
		{"select", "$select=" + strings.Repeat("id,", 99) + "id", ""},
		{"too many in select", "$select=" + strings.Repeat("id,", 100) + "id", "Invalid select clause: it has 101 names, more than the 100 that are possible."},
		{"orderby", "$orderby=" + strings.Repeat("startDateTime,", 2000), "Invalid orderby clause: possible are "},
		{"top", "$top=" + strings.Repeat("0", 30<<10) + "5", ""},
	} {
		best := time.Hour
		var o Options
		var err error
		for range 5 {
			start := time.Now()
			o, err = Parse(c.query)
			best = min(best, time.Since(start))
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%s: got %+v, %v, want %q", c.name, o, err, c.want)
		case err != nil && !errors.Is(err, call.ErrInvalid):
			t.Errorf("%s: %v is not ErrInvalid", c.name, err)
		}
		if best > 5*time.Millisecond {
			t.Errorf("%s: took %v", c.name, best)
		}
	}
}

// checkQuery checks what holds for every query: it gives options or an error for the client, the
// strict reading accepts whatever the other one does, and both decode values as the standard
// library does.
func checkQuery(t *testing.T, raw string) {
	t.Helper()
	o, err := Parse(raw)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || !reflect.DeepEqual(o, Options{}) {
			t.Fatalf("%q: got %+v and an error of type %T: %v", raw, o, err, err)
		}
		if e.Text == "" || !utf8.ValidString(e.Text) || len(e.Text) > 1000 || len(e.Option) > 70 {
			t.Fatalf("%q: not an error for clients: %q", raw, e.Text)
		}
		return
	}
	strict, err := ParseStrict(raw)
	if err != nil || strict.HasTop || strict.Filter != nil || strict.Reverse || strict.Select != nil || strict.Count != nil {
		t.Fatalf("%q: strict: %+v, %v", raw, strict, err)
	}
	if strict.Skip != o.Skip || strict.SkipToken != o.SkipToken || !reflect.DeepEqual(strict.Aliases, o.Aliases) {
		t.Fatalf("%q: strict is %+v, else %+v", raw, strict, o)
	}
	if o.Top < 0 || o.Skip < 0 || (o.Filter != nil) != (o.FilterText != "") {
		t.Fatalf("%q: %+v", raw, o)
	}
	if strings.Contains(raw, ";") {
		return // which url.ParseQuery does not take
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return // an option that is not ours
	}
	for name, value := range values {
		var got string
		switch {
		case strings.HasPrefix(name, "@"):
			if got = o.Aliases[name]; got != value[0] {
				t.Fatalf("%q: %s is %q, want %q", raw, name, got, value[0])
			}
			continue
		case strings.EqualFold(name, "$skiptoken"):
			got = o.SkipToken
		case strings.EqualFold(name, "$filter"):
			got = o.FilterText
		case strings.EqualFold(name, "$format"):
			got = o.Format
		default:
			continue
		}
		if got != strings.TrimSpace(value[0]) {
			t.Fatalf("%q: %s is %q, want %q", raw, name, got, value[0])
		}
	}
}

func goldenQueries(t testing.TB) []string {
	var queries []string
	for _, file := range []string{"testdata/query_options.txt", "testdata/strict_options.txt"} {
		for _, c := range readGolden(t, file) {
			queries = append(queries, c.in)
		}
	}
	for _, f := range goldenFilters(t) {
		queries = append(queries, "$filter="+url.QueryEscape(f))
	}
	return queries
}

func TestQueryLaws(t *testing.T) {
	for _, q := range goldenQueries(t) {
		checkQuery(t, q)
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range goldenQueries(f) {
		f.Add(q)
	}
	f.Fuzz(checkQuery)
}

func FuzzFilter(f *testing.F) {
	for _, s := range goldenFilters(f) {
		f.Add(s)
	}
	f.Fuzz(checkFilter)
}
