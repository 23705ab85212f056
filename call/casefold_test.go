package call

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestFoldEveryRune checks the law of Fold for each rune and its other cases, and that Fold joins
// no two others.
func TestFoldEveryRune(t *testing.T) {
	of := map[string]rune{}
	for c := range rune(unicode.MaxRune + 1) {
		if testing.Short() && c > 0x20000 {
			break // no letter beyond has another case
		}
		if !utf8.ValidRune(c) {
			continue
		}
		s := string(c)
		f := Fold(s)
		if !strings.EqualFold(s, f) {
			t.Fatalf("Fold(%q) is %q, which is another text", s, f)
		}
		for r := unicode.SimpleFold(c); r != c; r = unicode.SimpleFold(r) {
			if g := Fold(string(r)); g != f {
				t.Fatalf("Fold(%q) is %q, and Fold(%q) is %q", s, f, string(r), g)
			}
		}
		if first, there := of[f]; !there {
			of[f] = c
		} else if !strings.EqualFold(string(first), s) {
			t.Fatalf("%q and %q are both folded to %q", string(first), s, f)
		}
		if Fold(f) != f {
			t.Fatalf("Fold(%q) is folded again to %q", s, Fold(f))
		}
	}
}

// TestFoldIsEqualFold compares Fold with strings.EqualFold on texts that are
// alike, some of which are not UTF-8.
func TestFoldIsEqualFold(t *testing.T) {
	rnd := newRand(t)
	text := func() string {
		var b strings.Builder
		for range rnd.IntN(4) {
			b.WriteString(pick(rnd, "k", "K", "\u212a", "s", "S", "ſ", "ß", "ẞ", "ǅ", "ǆ", "Ǆ", "σ", "ς", "Σ", "i", "I", "İ", "ı", "@", "\xff", "\xfe", "\ufffd", "\xc3", "\xa9"))
		}
		return b.String()
	}
	same := 0
	for range scale(t, 200_000) {
		a, b := text(), text()
		if got, want := Fold(a) == Fold(b), strings.EqualFold(a, b); got != want {
			t.Fatalf("%q and %q: Fold says %t, EqualFold %t", a, b, got, want)
		} else if want {
			same++
		}
	}
	if same == 0 {
		t.Error("none was the same")
	}
	if n := testing.AllocsPerRun(100, func() { Fold("anna.schmidt@contoso.com") }); n != 0 {
		t.Errorf("a folded text is folded with %v allocations", n)
	}
}
