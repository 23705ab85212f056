package odata

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// scale multiplies the length of the random tests.
func scale(t testing.TB, n int) int {
	if s := os.Getenv("TRUNKLOG_SCALE"); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("TRUNKLOG_SCALE: %v", err)
		}
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

// TestGolden runs every case in testdata. The name of a file tells the kind of its cases:
// filter_….txt a $filter, query_….txt a query, strict_….txt a query read in Microsoft's way.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		kind, _, _ := strings.Cut(filepath.Base(file), "_")
		run, ok := map[string]func(string) string{
			"filter": showFilter,
			"query":  func(s string) string { return showQuery(Parse(s)) },
			"strict": func(s string) string { return showQuery(ParseStrict(s)) },
		}[kind]
		if !ok {
			t.Errorf("%s: the name does not begin with filter_, query_ or strict_", file)
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) { runGolden(t, file, run) })
	}
}

// runGolden checks the cases of one file: input, "----", output, empty line.
func runGolden(t *testing.T, file string, run func(string) string) {
	var out strings.Builder
	for _, c := range readGolden(t, file) {
		got := run(c.in)
		if got != c.want && !*update {
			t.Errorf("%s:%d: %s\n got: %s\nwant: %s", file, c.line, c.in, got, c.want)
		}
		fmt.Fprintf(&out, "%s%s\n----\n%s\n\n", c.comment, c.in, got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimSuffix(out.String(), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type golden struct {
	line              int
	comment, in, want string
}

// readGolden reads cases that empty lines separate. Lines that begin with "# "
// before the input are comments.
func readGolden(t testing.TB, file string) []golden {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	line := 1
	for block := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n\n") {
		c := golden{line: line}
		rest := block
		for strings.HasPrefix(rest, "# ") {
			l, after, _ := strings.Cut(rest, "\n")
			c.comment += l + "\n"
			rest = after
		}
		var ok bool
		if c.in, c.want, ok = strings.Cut(rest, "\n----\n"); !ok {
			c.in = strings.TrimSuffix(rest, "\n----")
		}
		cases = append(cases, c)
		line += strings.Count(block, "\n") + 2
	}
	return cases
}

func showFilter(s string) string {
	x, err := ParseFilter(s)
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := FormatFilter(x)
	if err != nil {
		return show(x) + "\nerror: " + err.Error()
	}
	return show(x) + "\n" + text
}

// show writes an expression in Go's order of things: operators first.
func show(x call.Expr) string {
	list := func(name string, parts []call.Expr) string {
		for _, p := range parts {
			name += " " + show(p)
		}
		return "(" + name + ")"
	}
	switch x := x.(type) {
	case call.And:
		return list("and", x)
	case call.Or:
		return list("or", x)
	case call.Not:
		return list("not", []call.Expr{x.X})
	case call.Compare:
		op := [...]string{call.EQ: "=", call.NE: "≠", call.LT: "<", call.LE: "≤", call.GT: ">", call.GE: "≥"}[x.Op]
		switch v := x.Value.(type) {
		case string:
			return fmt.Sprintf("(%s %s %q)", x.Field, op, v)
		case time.Time:
			return fmt.Sprintf("(%s %s time %s)", x.Field, op, v.Format(time.RFC3339Nano))
		case call.GUID:
			return fmt.Sprintf("(%s %s guid %s)", x.Field, op, v)
		}
		return fmt.Sprintf("(%s %s %T %v)", x.Field, op, x.Value, x.Value)
	case call.TextMatch:
		op := [...]string{call.HasPrefix: "begins", call.HasSuffix: "ends", call.Contains: "contains", call.EqualFold: "~"}[x.Op]
		return fmt.Sprintf("(%s %s %q)", x.Field, op, x.Part)
	}
	return fmt.Sprintf("%#v", x)
}

func showQuery(o Options, err error) string {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return fmt.Sprintf("error of type %T: %v", err, err)
		}
		return fmt.Sprintf("error in %q: %s", e.Option, e.Text)
	}
	var parts []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(o.HasTop, "top %d", o.Top)
	add(o.HasSkip, "skip %d", o.Skip)
	add(o.SkipToken != "", "skiptoken %q", o.SkipToken)
	if o.Count != nil {
		add(true, "count %t", *o.Count)
	}
	if o.Filter != nil {
		add(true, "filter %q: %s", o.FilterText, show(o.Filter))
	}
	add(o.Reverse, "newest first")
	add(o.Select != nil, "select %v", o.Select)
	add(o.Format != "", "format %q", o.Format)
	names := make([]string, 0, len(o.Aliases))
	for name := range o.Aliases {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		add(true, "alias %s = %q", name, o.Aliases[name])
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, "\n")
}
