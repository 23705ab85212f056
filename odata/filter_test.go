package odata

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
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

// checkFilter holds for every text: what is read can be written and is read
// again as the same, and what cannot be read has an error for the client.
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

// TestRandomFilters holds the reader against the naive evaluator, and against
// what is written from it.
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
	// Depth is what is open at one place, not how many there are.
	if _, err := ParseFilter(repeat(40, "(duration eq 1)", " or ")); err != nil {
		t.Error(err)
	}
	// What cannot come out of a query, but can be passed on by others.
	for _, s := range []string{"", " ", "\t\n", "callerNumber eq '\xff'", "callerNumber eq '\x00'", "callerNumber eq 'x' \xff"} {
		if x, err := ParseFilter(s); err == nil {
			t.Errorf("%q was read as %v", s, x)
		}
	}
}

// TestHostileFilters takes apart what nobody would write. The time that it
// takes is the best of some, because the machine may be busy.
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

// TestFormatFilter writes conditions that ParseFilter does not make.
func TestFormatFilter(t *testing.T) {
	one := call.Compare{Field: call.FieldDuration, Op: call.EQ, Value: int32(1)}
	two := call.Compare{Field: call.FieldFinalSIPCode, Op: call.EQ, Value: int32(2)}
	zone := time.FixedZone("", 2*3600)
	var deep call.Expr = one
	for range 10_000 {
		deep = call.Not{X: deep}
	}
	for _, c := range []struct {
		x    call.Expr
		want string // or the error, if it begins with "!"
	}{
		{nil, "true"},
		{call.And{}, "true"},
		{call.Or{}, "false"},
		{call.And{one}, "duration eq 1"},
		{call.Or{call.And{one, two}}, "duration eq 1 and finalSipCode eq 2"},
		{call.And{call.Or{call.And{one, two}}, one}, "(duration eq 1 and finalSipCode eq 2) and duration eq 1"},
		{call.Not{X: call.Not{X: one}}, "not not (duration eq 1)"},
		{call.Not{X: call.Or{one}}, "not (duration eq 1)"},
		{call.Not{X: call.Or{call.TextMatch{Field: call.FieldCaller, Op: call.EqualFold, Part: "x"}}}, "not (tolower(callerNumber) eq 'x')"},
		{call.Compare{Field: call.FieldStart, Op: call.GE, Value: time.Date(2024, 1, 1, 2, 0, 0, 150, zone)}, "startDateTime ge 2024-01-01T00:00:00.0000001Z"},
		{call.Compare{Field: call.FieldStart, Op: call.LT, Value: time.Time{}}, "startDateTime lt 0001-01-01T00:00:00Z"},
		{call.Compare{Field: call.FieldCaller, Op: call.GT, Value: ""}, "callerNumber gt ''"},
		{call.Compare{Field: call.FieldCallType, Op: call.EQ, Value: "dr_in"}, "callType eq 'dr_in'"},
		{call.TextMatch{Field: call.FieldCallType, Op: call.HasPrefix, Part: "Byot"}, "startswith(callType,'Byot')"},
		{call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "DR_IN"}, "callType eq 'DR_IN'"},
		{
			call.Or{
				call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "ByotIn"},
				call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "dr_in"},
				call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "x"},
			},
			"callType eq 'ByotIn' or callType eq 'dr_in' or tolower(callType) eq 'x'",
		},
		{call.Or{call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "dr_in"}, call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: "x"}}, "callType eq 'dr_in' or tolower(callType) eq 'x'"},

		{call.Digits("+4930"), "!a search for a number in any notation has no form in OData"},
		{call.Compare{Field: call.FieldSharedID, Op: call.EQ, Value: call.GUID{}}, "!field sharedCorrelationId has no place in a filter"},
		{call.Compare{Field: call.FieldAdministrativeUnits, Op: call.EQ, Value: call.GUID{}}, "!field administrativeUnitInfos has no place in a filter"},
		{call.Compare{Field: call.NumFields, Op: call.EQ, Value: call.GUID{}}, "!there is no field with number 26"},
		{call.TextMatch{Field: call.NumFields}, "!there is no field with number 26"},
		{call.Compare{Field: call.FieldDuration, Op: call.EQ, Value: 1}, "!field duration cannot be compared with this value of type int"},
		{call.Compare{Field: call.FieldDuration, Op: call.EQ, Value: "1"}, "!field duration cannot be compared with this value of type string"},
		{call.Compare{Field: call.FieldCaller, Op: call.EQ, Value: call.GUID{1}}, "!field callerNumber cannot be compared with this value of type call.GUID"},
		{call.Compare{Field: call.FieldCaller, Op: call.EQ, Value: nil}, "!field callerNumber cannot be compared with this value of type <nil>"},
		{call.Compare{Field: call.FieldID, Op: call.GT, Value: call.GUID{}}, "!field id cannot stand in relation 4"},
		{call.Compare{Field: call.FieldSuccessful, Op: call.LT, Value: true}, "!field successfulCall cannot stand in relation 2"},
		{call.Compare{Field: call.FieldDuration, Op: 77, Value: int32(1)}, "!field duration cannot stand in relation 77"},
		{call.Compare{Field: call.FieldStart, Op: call.EQ, Value: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "!field startDateTime cannot be compared with this value of type time.Time"},
		{call.TextMatch{Field: call.FieldDuration, Op: call.HasPrefix}, "!field duration is not a text"},
		{call.TextMatch{Field: call.FieldCaller, Op: 77}, "!field callerNumber cannot stand in relation 77"},
		{call.TextMatch{Field: call.FieldCaller, Op: call.Contains, Part: "\xff"}, "!a text in it is not UTF-8 or has a NUL character"},
		{call.Compare{Field: call.FieldCaller, Op: call.EQ, Value: "a\x00b"}, "!a text in it is not UTF-8 or has a NUL character"},
		{call.Or(slices.Repeat([]call.Expr{one}, 101)), "!more than the 100 values"},
		{call.And(slices.Repeat([]call.Expr{one}, 80)), "!more than the 256 words"},
		{call.TextMatch{Field: call.FieldCaller, Op: call.Contains, Part: strings.Repeat("x", 5000)}, "!bytes"},
		{deep, "!it has more than 4096 bytes"},
	} {
		got, err := FormatFilter(c.x)
		if want, fails := strings.CutPrefix(c.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) || got != "" {
				t.Errorf("%T: got %.80q, %v, want error %q", c.x, got, err, want)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", showOrNil(c.x), got, err, c.want)
		}
	}
}

// TestFormatKeepsMeaning writes random conditions of any shape and compares
// what is read with what was written.
func TestFormatKeepsMeaning(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	p := writerPool
	p.texts = slices.DeleteFunc(slices.Clone(p.texts), func(s string) bool { return strings.Contains(s, "yot") || strings.Contains(s, "dr_") })
	var random func(depth int) call.Expr
	random = func(depth int) call.Expr {
		kind := rnd.IntN(5)
		if depth == 0 {
			kind = 3 + rnd.IntN(2)
		}
		switch kind {
		case 0, 1:
			parts := make([]call.Expr, rnd.IntN(4))
			for i := range parts {
				parts[i] = random(depth - 1)
			}
			if kind == 0 {
				return call.And(parts)
			}
			return call.Or(parts)
		case 2:
			return call.Not{X: random(depth - 1)}
		case 3:
			texts := []call.Field{call.FieldCaller, call.FieldTrunk, call.FieldUserDisplayName}
			return call.TextMatch{Field: pick(rnd, texts), Op: call.TextOp(rnd.IntN(4)), Part: pick(rnd, p.texts)}
		}
		f := call.Field(rnd.IntN(int(call.FieldAdministrativeUnits)))
		op := call.Op(rnd.IntN(6))
		if f.Type() == call.ID || f.Type() == call.Bool {
			op = call.Op(rnd.IntN(2))
		}
		r := p.row(rnd)
		value := map[call.Type]any{call.ID: pick(rnd, p.ids), call.Text: pick(rnd, p.texts), call.Time: r.Start, call.Number: r.Duration, call.Bool: r.Successful}
		return call.Compare{Field: f, Op: op, Value: value[f.Type()]}
	}
	written := 0
	n := scale(t, 5000)
	for range n {
		x := random(3)
		s, err := FormatFilter(x)
		if err != nil {
			continue
		}
		written++
		y, err := ParseFilter(s)
		if err != nil {
			t.Fatalf("%s was written as %q: %v", show(x), s, err)
		}
		checkFilter(t, s)
		match := naiveMatch(s)
		for range 10 {
			r := p.row(rnd)
			if x.Match(r) != y.Match(r) || x.Match(r) != match(r) {
				t.Fatalf("%s was written as %q, which means something else for\n%+v", show(x), s, r)
			}
		}
	}
	if written < n*9/10 {
		t.Errorf("only %d of %d conditions could be written", written, n)
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
