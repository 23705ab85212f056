package odata

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A naive evaluates a filter from its text, on the values that a client sees, without making an
// expression of it. It knows valid filters only.
type naive struct {
	tokens []string
	row    *call.Row
}

var naiveToken = regexp.MustCompile(`'(?:[^']|'')*'|[(),]|[^\s(),']+`)

// naiveMatch returns what evaluates the filter.
func naiveMatch(filter string) func(*call.Row) bool {
	var tokens []string
	for _, t := range naiveToken.FindAllString(filter, -1) {
		if last := len(tokens) - 1; len(t) == 5 && t[2] == ':' {
			tokens[last] += "+" + t
			continue
		}
		tokens = append(tokens, t)
	}
	return func(r *call.Row) bool {
		n := naive{tokens, r}
		v := n.or()
		if len(n.tokens) > 0 {
			panic(fmt.Sprintf("naive evaluator: %q is left of %q", n.tokens, filter))
		}
		return n.truth(v)
	}
}

func (n *naive) peek() string {
	if len(n.tokens) == 0 {
		return ""
	}
	return strings.ToLower(n.tokens[0])
}

func (n *naive) take() string {
	t := n.tokens[0]
	n.tokens = n.tokens[1:]
	return t
}

// Values are bool for conditions, string for literals as written, and
// call.Field or foldedField for properties.
type foldedField call.Field

func (n *naive) truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case call.Field:
		return n.row.Bool(v)
	}
	return strings.EqualFold(v.(string), "true")
}

func (n *naive) or() any {
	v := n.and()
	for n.peek() == "or" {
		n.take()
		w := n.truth(n.and())
		v = n.truth(v) || w
	}
	return v
}

func (n *naive) and() any {
	v := n.not()
	for n.peek() == "and" {
		n.take()
		w := n.truth(n.not())
		v = n.truth(v) && w
	}
	return v
}

func (n *naive) not() any {
	if n.peek() == "not" {
		n.take()
		return !n.truth(n.not())
	}
	left := n.primary()
	switch op := n.peek(); op {
	case "eq", "ne", "lt", "le", "gt", "ge":
		n.take()
		return n.compare(left, op, n.primary())
	case "in":
		n.take()
		found := false
		for n.take(); ; {
			if n.compare(left, "eq", n.take()) {
				found = true
			}
			if n.take() == ")" {
				return found
			}
		}
	}
	return left
}

func (n *naive) primary() any {
	t := n.take()
	switch word := strings.ToLower(t); {
	case t == "(":
		v := n.or()
		n.take()
		return v
	case n.peek() == "(":
		n.take()
		f := n.primary().(call.Field)
		if word == "tolower" {
			n.take()
			return foldedField(f)
		}
		n.take()
		part := unquote(n.take())
		n.take()
		return slices.ContainsFunc(n.texts(f), func(s string) bool {
			switch word {
			case "startswith":
				return strings.HasPrefix(s, part)
			case "endswith":
				return strings.HasSuffix(s, part)
			}
			return strings.Contains(s, part)
		})
	default:
		if f, ok := call.FieldNamed(t); ok {
			return f
		}
		return t
	}
}

// synonyms are the names that a client may see or know for one callType.
var synonyms = [][]string{
	{"ByotIn", "dr_in"},
	{"ByotOut", "dr_out"},
	{"ByotInUcap", "dr_in_bot", "dr_in_ucap"},
	{"ByotOutUcap", "dr_out_bot", "dr_out_ucap"},
	{"ByotOutUserForwarding", "dr_out_user_forwarding"},
	{"ByotOutUserTransfer", "dr_out_user_transfer", "user_out_transfer"},
	{"ByotOutUserConf", "dr_out_user_conf"},
}

// texts returns what stands in a field, under all its names.
func (n *naive) texts(f call.Field) []string {
	s := n.row.Text(f)
	if f == call.FieldCallType {
		for _, names := range synonyms {
			if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, s) }) {
				return append(slices.Clone(names), s)
			}
		}
	}
	return []string{s}
}

func (n *naive) compare(left any, op string, right any) bool {
	if s, ok := left.(string); ok {
		left, right = right, s
		op = map[string]string{"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}[op]
	}
	lit := right.(string)
	null := strings.EqualFold(lit, "null")
	switch l := left.(type) {
	case bool:
		return (l == strings.EqualFold(lit, "true")) == (op == "eq")
	case foldedField:
		return slices.ContainsFunc(n.texts(call.Field(l)), func(s string) bool { return strings.EqualFold(s, unquote(lit)) }) == (op == "eq")
	case call.Field:
		if l == call.FieldCallType && (op == "eq" || op == "ne") {
			texts := n.texts(l)
			same := slices.Contains(texts, unquote(lit)) || len(texts) > 1 && slices.ContainsFunc(texts, func(s string) bool { return strings.EqualFold(s, unquote(lit)) })
			return same == (op == "eq")
		}
		return relation(op, n.order(l, lit, null))
	}
	panic("naive evaluator: cannot compare")
}

// order compares the value of a field with a literal.
func (n *naive) order(f call.Field, lit string, null bool) int {
	switch f.Type() {
	case call.Text:
		return strings.Compare(n.row.Text(f), unquote(lit))
	case call.Number:
		v, _ := strconv.ParseFloat(lit, 64)
		return int(float64(n.row.Number(f)) - v)
	case call.Bool:
		return strings.Compare(strconv.FormatBool(n.row.Bool(f)), strings.Replace(strings.ToLower(lit), "null", "false", 1))
	case call.ID:
		hex := strings.NewReplacer("-", "", "{", "", "}", "").Replace(strings.ToLower(unquote(lit)))
		if null {
			hex = strings.Repeat("0", 32)
		}
		return strings.Compare(fmt.Sprintf("%x", [16]byte(n.row.GUID(f))), hex)
	}
	var v time.Time
	if !null {
		v = naiveTime(unquote(lit))
	}
	return n.row.Time(f).Compare(v)
}

func naiveTime(s string) time.Time {
	s = strings.ToUpper(s)
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Truncate(100)
		}
	}
	panic("naive evaluator: " + s + " is no time")
}

func relation(op string, c int) bool {
	return strings.Contains(map[string]string{"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[op], string("<=>"[min(max(c, -1), 1)+1]))
}

func unquote(s string) string {
	if strings.EqualFold(s, "null") {
		return ""
	}
	if len(s) >= 2 && s[0] == '\'' {
		s = s[1 : len(s)-1]
	}
	return strings.ReplaceAll(s, "''", "'")
}

// A pool holds values near those that a filter names, so that rows made of
// them lie on both sides of its conditions.
type pool struct {
	texts   []string
	numbers []int32
	times   []time.Time
	ids     []call.GUID
}

func poolOf(filter string) pool {
	p := pool{
		texts:   []string{"", "x", "ByotIn", "dr_in", "Dr_In", "dr_out_bot", "dr_emergency_out"},
		numbers: []int32{0, 1},
		times:   []time.Time{{}, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		ids:     []call.GUID{{}, {1}},
	}
	for _, t := range naiveToken.FindAllString(filter, -1) {
		s := unquote(t)
		if g, err := call.ParseGUID(s); err == nil {
			p.ids = append(p.ids, g)
		}
		if v, _, ok := parseTime(s); ok {
			p.times = append(p.times, v, v.Add(100), v.Add(-100), v.Add(2*time.Hour), v.Add(-2*time.Hour))
		}
		if v, err := strconv.ParseInt(s, 10, 32); err == nil {
			p.numbers = append(p.numbers, int32(v), int32(max(v-1, -1<<31)), int32(min(v+1, 1<<31-1)))
		}
		if t[0] == '\'' {
			p.texts = append(p.texts, s, s+"1", "1"+s, "0"+s+"0", strings.ToUpper(s), strings.ToLower(s), s[:len(s)/2])
			for _, names := range synonyms {
				if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(strings.ToLower(name), strings.ToLower(s)) }) {
					p.texts = append(p.texts, names...)
				}
			}
		}
	}
	return p
}

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }

func (p pool) row(rnd *rand.Rand) *call.Row {
	r := new(call.Row)
	for f := range call.NumFields {
		switch f.Type() {
		case call.ID:
			r.SetGUID(f, pick(rnd, p.ids))
		case call.Text:
			r.SetText(f, strings.ToValidUTF8(pick(rnd, p.texts), ""))
		case call.Time:
			r.SetTime(f, pick(rnd, p.times))
		case call.Number:
			r.SetNumber(f, pick(rnd, p.numbers))
		case call.Bool:
			r.SetBool(f, rnd.IntN(2) == 0)
		}
	}
	return r
}

// TestGoldenMatch evaluates every valid filter in testdata in two ways. A
// filter that is not constant must hold for some rows and not for others,
// because otherwise the rows prove nothing.
func TestGoldenMatch(t *testing.T) {
	constant := []string{
		"true", "false", "not true", "startswith(callerNumber,'')", "startswith(callType,'')",
		"successfulCall in (true,false)", "duration le 2147483647", "callerNumber eq '%'",
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	tested := 0
	for _, c := range goldenFilters(t) {
		x, err := ParseFilter(c)
		if err != nil {
			continue
		}
		tested++
		p := poolOf(c)
		match := naiveMatch(c)
		yes, no := 0, 0
		for range scale(t, 400) {
			r := p.row(rnd)
			got, want := x.Match(r), match(r)
			if got != want {
				t.Fatalf("%s: Match says %t, the naive evaluator %t for\n%+v", c, got, want, r)
			}
			if got {
				yes++
			} else {
				no++
			}
		}
		if (yes == 0 || no == 0) && !slices.Contains(constant, c) && !testing.Short() {
			t.Errorf("%s: holds for %d rows and not for %d", c, yes, no)
		}
	}
	if tested < 150 {
		t.Errorf("only %d filters were tested", tested)
	}
}
