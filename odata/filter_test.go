package odata

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// goldenFilters returns the filters in testdata, valid or not.
func goldenFilters(t testing.TB) []string {
	files, err := filepath.Glob("testdata/filter_*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	var filters []string
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			filters = append(filters, c.in)
		}
	}
	return filters
}

// checkFilter checks what holds for every text: a filter that parses can be written and parses
// again as the same, and any other has an error for the client.
func checkFilter(t *testing.T, s string) {
	t.Helper()
	x, err := ParseFilter(s)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, call.ErrInvalid) || x != nil {
			t.Fatalf("%q: got %v and an error of type %T: %v", s, x, err, err)
		}
		if e.Option != "$filter" || !strings.HasPrefix(e.Text, "Invalid filter clause: ") || !utf8.ValidString(e.Text) || len(e.Text) > 600 || strings.Contains(e.Text, "%!") {
			t.Fatalf("%q: not an error for clients: %q of %q", s, e.Text, e.Option)
		}
		return
	}
	text, err := FormatFilter(x)
	if err != nil {
		// Longer than what was read by quotes, blanks or parentheses.
		if len(s) > maxFilter/4 || strings.Count(s, "(") > maxDepth/4 || len(s) > maxTokens {
			return
		}
		t.Fatalf("%q was read as %s, but cannot be written: %v", s, show(x), err)
	}
	again, err := ParseFilter(text)
	if err != nil || !reflect.DeepEqual(x, again) {
		t.Fatalf("%q was read as %s\nand written as %q,\nwhich was read as %s, %v", s, show(x), text, showOrNil(again), err)
	}
	if second, err := FormatFilter(again); second != text || err != nil {
		t.Fatalf("%q is written as %q and then as %q, %v", s, text, second, err)
	}
}

func showOrNil(x call.Expr) string {
	if x == nil {
		return "nothing"
	}
	return show(x)
}

func TestFilterFixpoint(t *testing.T) {
	for _, s := range goldenFilters(t) {
		checkFilter(t, s)
	}
}

// A writer makes random filters that are valid.
type writer struct {
	*rand.Rand
	p pool
}

var writerPool = pool{
	texts:   []string{"", "x", "X", "a'b", "+4930123", "+49", "ByotIn", "dr_in_ucap", "Byot", "_out", "ucap", "Zoë 東京", "\t\n", " and (", "2024-01-01"},
	numbers: []int32{0, 1, -1, 486, math.MaxInt32, math.MinInt32},
	times:   []time.Time{{}, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 1, 0, 0, 0, 100, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC)},
	ids:     []call.GUID{{}, {1, 2, 3}, {0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef}},
}

func (w writer) or(depth int) string {
	return w.join(" or ", depth, w.and)
}

func (w writer) and(depth int) string {
	return w.join(w.word(" and "), depth, w.not)
}

func (w writer) join(word string, depth int, part func(int) string) string {
	parts := make([]string, 1+w.IntN(3)*w.IntN(2))
	for i := range parts {
		parts[i] = part(depth)
	}
	return strings.Join(parts, word)
}

func (w writer) not(depth int) string {
	if w.IntN(4) == 0 {
		return w.word("not ") + w.not(depth)
	}
	if depth > 0 && w.IntN(3) == 0 {
		s := "(" + w.or(depth-1) + ")"
		if w.IntN(4) == 0 {
			s += pick(w.Rand, []string{" eq true", " eq false", " ne true", " ne FALSE"})
		}
		return s
	}
	return w.comparison()
}

// word writes a word in some case.
func (w writer) word(s string) string {
	return pick(w.Rand, []string{s, s, strings.ToUpper(s)})
}

func (w writer) comparison() string {
	f := call.Field(w.IntN(int(call.FieldAdministrativeUnits)))
	name := w.word(f.String())
	if f.Type() == call.Text && w.IntN(3) == 0 {
		fn := w.word(pick(w.Rand, functionWords[:]))
		return fn + "(" + name + "," + quote(pick(w.Rand, w.p.texts)) + ")"
	}
	ops := []string{"eq", "ne"}
	switch f.Type() {
	case call.Bool:
		if w.IntN(3) == 0 {
			return name
		}
	case call.Text:
		if w.IntN(4) == 0 {
			name = "tolower(" + name + ")"
			break
		}
		ops = opWords[:]
	case call.Time, call.Number:
		ops = opWords[:]
	}
	if w.IntN(5) == 0 {
		values := make([]string, 1+w.IntN(4))
		for i := range values {
			values[i] = w.value(f, true)
		}
		return name + w.word(" in ") + "(" + strings.Join(values, pick(w.Rand, []string{",", " , "})) + ")"
	}
	op := pick(w.Rand, ops)
	value := w.value(f, op == "eq" || op == "ne")
	if w.IntN(5) == 0 {
		return value + " " + w.word(op) + " " + name
	}
	return name + " " + w.word(op) + " " + value
}

func (w writer) value(f call.Field, null bool) string {
	if null && w.IntN(8) == 0 && f.Type() != call.Bool {
		return "null"
	}
	switch f.Type() {
	case call.ID:
		g := pick(w.Rand, w.p.ids).String()
		return pick(w.Rand, []string{g, "'" + g + "'", "'{" + strings.ToUpper(g) + "}'"})
	case call.Time:
		v := pick(w.Rand, w.p.times)
		s := v.Format(pick(w.Rand, []string{"2006-01-02T15:04:05.9999999Z", "2006-01-02T15:04:05.999999999", "2006-01-02"}))
		return pick(w.Rand, []string{s, "'" + s + "'"})
	case call.Number:
		return fmt.Sprint(pick(w.Rand, w.p.numbers))
	case call.Bool:
		return w.word(fmt.Sprint(w.IntN(2) == 0))
	}
	return quote(pick(w.Rand, w.p.texts))
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// TestRandomFilters compares the parser with the naive evaluator, and with its own written form.
func TestRandomFilters(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := writer{rnd, writerPool}
	valid := 0
	n := scale(t, 2000)
	for range n {
		s := w.or(3)
		x, err := ParseFilter(s)
		if err != nil {
			if len(s) > maxFilter || len(naiveToken.FindAllString(s, -1)) > maxTokens {
				continue
			}
			t.Fatalf("%s\n%v", s, err)
		}
		valid++
		checkFilter(t, s)
		match := naiveMatch(s)
		for range 20 {
			r := w.p.row(rnd)
			if got, want := x.Match(r), match(r); got != want {
				t.Fatalf("%s\nMatch says %t, the naive evaluator %t for\n%+v", s, got, want, r)
			}
		}
	}
	if valid < n*9/10 {
		t.Errorf("only %d of %d filters were within the limits", valid, n)
	}
}

// TestCallTypeNames makes sure that widening knows every pair of names.
func TestCallTypeNames(t *testing.T) {
	for _, names := range synonyms {
		for _, asked := range names {
			x, err := ParseFilter("callType eq '" + asked + "'")
			if err != nil {
				t.Fatal(err)
			}
			for _, kept := range names {
				for _, kept := range []string{kept, strings.ToLower(kept), strings.ToUpper(kept)} {
					if !x.Match(&call.Row{CallType: kept}) {
						t.Errorf("callType eq '%s' does not find %s", asked, kept)
					}
				}
			}
		}
	}
	if got, want := len(call.CallTypes()), len(synonyms); got != want {
		t.Errorf("there are %d types with several names, this test knows %d", got, want)
	}
}

func BenchmarkParseFilter(b *testing.B) {
	const s = "startDateTime ge 2024-01-01T00:00:00Z and startDateTime lt 2024-02-01T00:00:00Z and " +
		"(callType eq 'ByotIn' or callType eq 'ByotOut') and not successfulCall and finalSipCode in (486,487,503) and startswith(callerNumber,'+4930')"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseFilter(s); err != nil {
			b.Fatal(err)
		}
	}
}
