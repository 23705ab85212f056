package main

import (
	"math/rand/v2"
	"strings"
)

// A lookUpKind is a name and some questions of one kind.
type lookUpKind struct {
	name      string
	questions []question // none if there is nothing to ask for
	shown     bool       // has a line of its own
}

// lookUps returns the questions of each kind: for one value, and for any of ten.
func (b *bench) lookUps(busy, rare []string) (kinds []lookUpKind) {
	for _, v := range b.values(busy, rare) {
		kinds = append(kinds, v.kind(v.name, 1, v.one), v.kind("any of ten: "+v.name, 10, v.ten))
	}
	return kinds
}

// A value is something that people look for.
type value struct {
	name     string
	one, ten bool            // whether the question for it, and for ten, is shown
	add      func(*question) // nil if there is none
}

func (v value) kind(name string, n int, shown bool) lookUpKind {
	const each = 100
	k := lookUpKind{name: name, shown: shown}
	for range each {
		var q question
		for range n {
			if v.add != nil {
				v.add(&q)
			}
		}
		if v.add != nil {
			k.questions = append(k.questions, q)
		}
	}
	return k
}

// values returns what is looked for. A whole number of a masked one is asked for
// by putting digits in the place of its '*'.
func (b *bench) values(busy, rare []string) []value {
	r := rand.New(rand.NewPCG(b.seed, 2)) //nolint:gosec // nothing here is a secret
	same := func(s string) string { return s }
	mask := func(s string) string { return s[:len(s)-3] + "***" }
	unmask := func(s string) string {
		for strings.Contains(s, "*") {
			s = strings.Replace(s, "*", string(rune('0'+r.IntN(10))), 1)
		}
		return s
	}
	absent := func(s string) string { return "+999" + s[1:] }
	nobody := func(s string) string { return "nobody." + s }
	add := func(from []string, change func(string) string, to func(*question) *[]string) func(*question) {
		if len(from) == 0 {
			return nil
		}
		return func(q *question) { *to(q) = append(*to(q), change(choose(from, r))) }
	}
	number := func(from []string, change func(string) string) func(*question) {
		return add(from, change, func(q *question) *[]string { return &q.Numbers })
	}
	name := func(change func(string) string) func(*question) {
		return add(b.filled.Names, change, func(q *question) *[]string { return &q.Names })
	}
	var user func(*question)
	if ids := b.filled.Users; len(ids) > 0 {
		user = func(q *question) { q.Users = append(q.Users, choose(ids, r)) }
	}
	return []value{
		{"a busy number", true, false, number(busy, same)},
		{"a rare number", true, false, number(rare, same)},
		{"a number of any call", false, true, number(b.filled.Numbers, same)},
		{"a number that nobody has", true, false, number(b.filled.Numbers, absent)},
		{"a number of which three digits are asked with '*'", false, false, number(b.filled.Numbers, mask)},
		{"a masked number as Graph writes it", true, false, number(b.filled.Masked, same)},
		{"a whole number that may be a masked one", true, false, number(b.filled.Masked, unmask)},
		{"a user id", true, false, user},
		{"a principal name in capitals", true, true, name(strings.ToUpper)},
		{"a principal name that nobody has", false, false, name(nobody)},
	}
}
