package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

func TestPartByRows(t *testing.T) {
	numbers := []string{"a", "b", "c", "d", "e", "f"}
	rows := []int{10, 0, 1000, 11, 1, 30}
	busy, rare := partByRows(numbers, rows, 2, 10)
	if want := []string{"c", "f"}; !slices.Equal(busy, want) {
		t.Errorf("busy are %q, want %q", busy, want)
	}
	if want := []string{"a", "e"}; !slices.Equal(rare, want) {
		t.Errorf("rare are %q, want %q", rare, want)
	}
	if busy, rare := partByRows(numbers[:2], rows[:2], 2, 10); len(busy) > 0 || len(rare) != 1 {
		t.Errorf("of little used ones busy are %q and rare %q", busy, rare)
	}
}

// Each question asks for as many values as it says, a whole number has no '*',
// and of what no call has nothing is asked, because that would be found at once.
func TestLookUpKinds(t *testing.T) {
	b := &bench{filled: filled{
		Numbers: []string{"+4930123456", "+4989654321"}, Masked: []string{"+331990****"},
		Names: []string{"adele@contoso.com"}, Users: []call.GUID{{7}},
	}}
	shown := 0
	for _, k := range b.lookUps([]string{"+493011"}, nil) {
		if k.shown {
			shown++
		}
		if none := strings.Contains(k.name, "rare"); none != (len(k.questions) == 0) {
			t.Errorf("%s: %d questions", k.name, len(k.questions))
		}
		n := 1
		if strings.HasPrefix(k.name, "any of ten") {
			n = 10
		}
		for _, q := range k.questions {
			if got := len(q.Numbers) + len(q.Names) + len(q.Users); got != n || len(q.where().(call.Or)) != n {
				t.Fatalf("%s: %d values are asked for, want %d", k.name, got, n)
			}
			if strings.Contains(k.name, "whole") && strings.Contains(q.Numbers[0], "*") {
				t.Fatalf("%s: asks for %s", k.name, q.Numbers[0])
			}
		}
	}
	if shown != 9 {
		t.Errorf("%d kinds have a line of their own, want 9", shown)
	}
	for _, k := range (&bench{}).lookUps(nil, nil) {
		if len(k.questions) > 0 {
			t.Errorf("%s is asked though no call was noted", k.name)
		}
	}
}
