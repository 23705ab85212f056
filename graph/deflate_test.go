package graph

import (
	"cmp"
	"slices"
	"testing"
)

// symbols counts the symbols in a block that a packer has written.
func symbols(tb testing.TB, block []byte) (literals [286]int, distances [30]int) {
	tb.Helper()
	at := 0
	bit := func() int {
		v := int(block[at/8]) >> (at % 8) & 1
		at++
		return v
	}
	literalCodes, distanceCodes := canonical(literalLengths), canonical(distanceLengths)
	decode := func(list []code) int {
		var v uint64
		for n := uint(0); n < 15; {
			v |= uint64(bit()) << n
			n++
			if i := slices.Index(list, code(v<<5)|code(n)); i >= 0 {
				return i
			}
		}
		tb.Fatal("no code")
		return 0
	}
	begun := newCodes().begun
	at = begun.at*8 + int(begun.n)
	for {
		s := decode(literalCodes)
		literals[s]++
		if s == endOfBlock {
			return literals, distances
		}
		if s < endOfBlock {
			continue
		}
		for n := 3; n <= maxMatch; n++ {
			if symbol, _, width := lengthSymbol(n); symbol == s {
				at += int(width)
				break
			}
		}
		d := decode(distanceCodes)
		distances[d]++
		for n := 1; n <= maxBack; n++ {
			if symbol, _, width := distanceSymbol(n); symbol == d {
				at += int(width)
				break
			}
		}
	}
}

// bestLengths returns the lengths of the codes that write symbols which come so
// often in the fewest bits, none longer than most: coins of every power of two
// are paired and carried on (Larmore, Hirschberg, "A fast algorithm for optimal
// length-limited Huffman codes", 1990).
func bestLengths(counts []int, most int) string {
	type coin struct {
		value int
		of    []int
	}
	var coins []coin
	for range most {
		var next []coin
		for i, n := range counts {
			next = append(next, coin{max(n, 1), []int{i}})
		}
		for i := 0; i+1 < len(coins); i += 2 {
			next = append(next, coin{coins[i].value + coins[i+1].value, slices.Concat(coins[i].of, coins[i+1].of)})
		}
		slices.SortStableFunc(next, func(a, b coin) int { return cmp.Compare(a.value, b.value) })
		coins = next
	}
	lengths := make([]byte, len(counts))
	for _, c := range coins[:2*len(counts)-2] {
		for _, i := range c.of {
			lengths[i]++
		}
	}
	for i, n := range lengths {
		lengths[i] = "0123456789abcdef"[n]
	}
	return string(lengths)
}

// The codes are the best ones for pages of generated calls, or nearly so.
func TestCodeLengths(t *testing.T) {
	var z packer
	c := newCodes()
	rows := generated(t, 1000)
	packed(&z, c, RowOptions{}, rows)
	literals, distances := symbols(t, z.out[z.gap:])
	bestLiterals, bestDistances := bestLengths(literals[:], maxCode), bestLengths(distances[:], 8)
	size := func(lengths string, counts []int) (bits int) {
		used := 0
		for i, n := range counts {
			bits += n * int(unhex(lengths[i]))
			used += 1 << (15 - unhex(lengths[i]))
		}
		if used != 1<<15 {
			t.Errorf("the code %s is not complete", lengths)
		}
		return bits
	}
	now := size(literalLengths, literals[:]) + size(distanceLengths, distances[:])
	best := size(bestLiterals, literals[:]) + size(bestDistances, distances[:])
	if t.Logf("%d bytes, %d with the best codes", now/8, best/8); now*50 > best*51 {
		t.Errorf("%d bytes; %d with %s and %s", now/8, best/8, bestLiterals, bestDistances)
	}
}
