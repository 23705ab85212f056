package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// measureLookUps measures the first page of all kinds of what people look for,
// in the store itself.
func (b *bench) measureLookUps(ctx context.Context) error {
	kinds := b.lookUps()
	raw := figures{
		title:   "First pages of what people look for, in process (ms)",
		columns: []string{"", "median", "p99", "greatest", "each"},
		note:    "Every other page is that of the newest. The numbers and names are those of random calls, so that busy ones are among them more often.",
	}
	var all []float64
	for _, k := range kinds {
		var a asked
		if _, err := child(ctx, "lookup", asking{Store: "pebble:" + b.storeDir(), Questions: k.questions}, &a); err != nil {
			return err
		}
		if len(a.Page) == 0 {
			continue
		}
		all = append(all, a.Page...)
		raw.lines = append(raw.lines, []string{k.name, number(median(a.Page)), number(percentile(a.Page, 99)), number(percentile(a.Page, 100)), list(a.Page)})
	}
	b.report.add(result{
		work:     "first page of a number (busy, rare, absent, masked), a name, or ten of them among " + commas(int64(b.rows)) + " rows",
		target:   "≤ 50 ms (10 million rows)",
		measured: "p50 " + number(median(all)) + " ms, p99 " + number(percentile(all, 99)) + " ms",
		met:      judge(percentile(all, 99) <= 50),
	})
	b.report.figures(raw)
	return nil
}

// A lookUpKind is a name and some questions of one kind.
type lookUpKind struct {
	name      string
	questions []question
}

// lookUps returns the questions. A whole number of a masked one is asked for by
// putting digits in the place of its '*'.
func (b *bench) lookUps() []lookUpKind {
	const each = 20
	r := rand.New(rand.NewPCG(b.seed, 2)) //nolint:gosec // nothing here is a secret
	some := func(from []string, n int, change func(string) string) (out []string) {
		for range n {
			if len(from) > 0 {
				out = append(out, change(choose(from, r)))
			}
		}
		return out
	}
	same := func(s string) string { return s }
	mask := func(s string) string { return s[:len(s)-3] + "***" }
	unmask := func(s string) string {
		return strings.Replace(s, "***", fmt.Sprintf("%03d", r.IntN(1000)), 1)
	}
	absent := func(s string) string { return "+999" + s[1:] }
	var kinds []lookUpKind
	add := func(name string, n int, ask func(n int) question) {
		k := lookUpKind{name: name}
		for range each {
			k.questions = append(k.questions, ask(n))
		}
		kinds = append(kinds, k)
	}
	numbers := func(from []string, change func(string) string) func(int) question {
		return func(n int) question { return question{Numbers: some(from, n, change)} }
	}
	names := func(change func(string) string) func(int) question {
		return func(n int) question { return question{Names: some(b.filled.Names, n, change)} }
	}
	for _, n := range []int{1, 10} {
		of := map[int]string{10: ", any of ten"}[n]
		add("number"+of, n, numbers(b.filled.Numbers, same))
		add("number that nobody has"+of, n, numbers(b.filled.Numbers, absent))
		add("number of which three digits are asked with '*'"+of, n, numbers(b.filled.Numbers, mask))
		add("masked number"+of, n, numbers(b.filled.Masked, same))
		add("whole number that may be a masked one"+of, n, numbers(b.filled.Masked, unmask))
		add("principal name, in capitals"+of, n, names(strings.ToUpper))
		add("principal name that nobody has"+of, n, names(func(s string) string { return "nobody." + s }))
	}
	return kinds
}
