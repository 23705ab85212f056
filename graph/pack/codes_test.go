package pack_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/graph/pack"
)

// generated returns the text of a page of 1,000 generated calls, and the packed page.
func generated(tb testing.TB) (text, packed []byte) {
	tb.Helper()
	from := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	var rows []call.Row
	for r := range gen.Rows(gen.Config{Rows: 1000, Seed: 7, From: from, To: from.Add(1000 * time.Second), Tenant: call.NameGUID("tenant"), Users: 10_000}) {
		rows = append(rows, r.Clone())
	}
	slices.SortFunc(rows, func(a, b call.Row) int { return a.Start.Compare(b.Start) })

	head := []byte(`{"@odata.count":1000,"value":[`)
	z := pack.New(8, len(places(graph.AppendRow(nil, &rows[0], graph.RowOptions{}), 0))).Page(len(head))
	text = slices.Clone(head)
	var b []byte
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		row := graph.AppendRow(nil, &rows[i], graph.RowOptions{})
		text = append(append(text, row...), ',')
		b = z.Add(append(b, row...), kind(row), places(row, len(b)))
	}
	return append(text[:len(text)-1], "]}"...), z.Finish(head, append(b, "]}"...))
}

// places returns where the properties of the row at the given place begin, and where the last one
// ends.
func places(row []byte, at int) []int {
	list := []int{at}
	for i := range row[1:] {
		if bytes.HasPrefix(row[i:], []byte(`,"`)) {
			list = append(list, at+i)
		}
	}
	return append(list, at+len(row)-1)
}

// kind returns the kind of a row: rows of one kind have the same properties in common.
func kind(row []byte) (k int) {
	for i, s := range []string{`"successfulCall":true`, `"userPrincipalName":null`, `"callType":"ByotIn`} {
		if bytes.Contains(row, []byte(s)) {
			k |= 1 << i
		}
	}
	return k
}

// A code is a Huffman code. The lengths of the codes of its symbols determine it (RFC 1951, section
// 3.2.2).
type code struct {
	lengths string // one hexadecimal digit for each symbol
	count   [16]int
	symbols []int // in the order of their codes
}

func newCode(lengths string) *code {
	c := &code{lengths: lengths}
	for n := 1; n < 16; n++ {
		for s := range lengths {
			if digit(lengths[s]) == n {
				c.count[n]++
				c.symbols = append(c.symbols, s)
			}
		}
	}
	return c
}

const digits = "0123456789abcdef"

func digit(c byte) int { return bytes.IndexByte([]byte(digits), c) }

// size returns how many bits the symbols take at the given frequencies.
func (c *code) size(counts []int) (bits int) {
	for s, n := range counts {
		bits += n * digit(c.lengths[s])
	}
	return bits
}

// complete reports whether every sequence of bits means a symbol.
func (c *code) complete() bool {
	used := 0
	for n := 1; n < 16; n++ {
		used += c.count[n] << (15 - n)
	}
	return used == 1<<15
}

// A reader reads bits, the lowest first.
type reader struct {
	tb testing.TB
	p  []byte
	at int
}

func (r *reader) take(n int) (v int) {
	for i := range n {
		v |= int(r.p[r.at/8]) >> (r.at % 8) & 1 << i
		r.at++
	}
	return v
}

func (r *reader) symbol(c *code) int {
	v, first, before := 0, 0, 0
	for n := 1; n < 16; n++ {
		v |= r.take(1)
		if v-first < c.count[n] {
			return c.symbols[before+v-first]
		}
		before += c.count[n]
		first, v = (first+c.count[n])<<1, v<<1
	}
	r.tb.Fatal("no code")
	return 0
}

// codes reads the header of a block with codes of its own (RFC 1951, section 3.2.7), which lists
// the lengths one by one.
func (r *reader) codes() (literals, distances *code) {
	if last, kind := r.take(1), r.take(2); last != 1 || kind != 2 {
		r.tb.Fatalf("the second block is of kind %d, and the last one: %d", kind, last)
	}
	nl, nd, n := r.take(5)+257, r.take(5)+1, r.take(4)+4
	lengths := bytes.Repeat([]byte("0"), 19)
	for _, s := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:n] {
		lengths[s] = digits[r.take(3)]
	}
	c := newCode(string(lengths))
	list := make([]byte, nl+nd)
	for i := range list {
		s := r.symbol(c)
		if s > 15 {
			r.tb.Fatal("lengths that repeat")
		}
		list[i] = digits[s]
	}
	return newCode(string(list[:nl])), newCode(string(list[nl:]))
}

// symbols returns the codes of a page, and the frequency of each symbol.
func symbols(tb testing.TB, page []byte) (literal, distance *code, literals, distances []int) {
	tb.Helper()
	const stored = 10 + 5 // the header of gzip, and that of a stored block
	r := &reader{tb: tb, p: page[stored+int(binary.LittleEndian.Uint16(page[11:])):]}
	literal, distance = r.codes()
	literals, distances = make([]int, len(literal.lengths)), make([]int, len(distance.lengths))
	for {
		s := r.symbol(literal)
		literals[s]++
		switch {
		case s == 256:
			return literal, distance, literals, distances
		case s < 256:
			continue
		case s >= 265 && s < 285:
			r.take((s - 261) / 4)
		}
		d := r.symbol(distance)
		distances[d]++
		if d > 3 {
			r.take(d/2 - 1)
		}
	}
}

// bestCode returns the code that writes symbols of the given frequencies in the fewest bits, with
// none longer than most: it pairs coins of every power of two and carries them on (Larmore,
// Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", 1990).
func bestCode(counts []int, most int) *code {
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
		lengths[i] = digits[n]
	}
	return newCode(string(lengths))
}

// TestCodeLengths: the codes are the best ones for pages of generated calls, or nearly so.
func TestCodeLengths(t *testing.T) {
	_, page := generated(t)
	literal, distance, literals, distances := symbols(t, page)
	for _, c := range []*code{literal, distance} {
		if !c.complete() {
			t.Errorf("the code %s is not complete", c.lengths)
		}
	}
	bestLiteral, bestDistance := bestCode(literals, 12), bestCode(distances, 8)
	now := literal.size(literals) + distance.size(distances)
	best := bestLiteral.size(literals) + bestDistance.size(distances)
	if t.Logf("%d bytes, %d with the best codes", now/8, best/8); now*50 > best*51 {
		t.Errorf("%d bytes; %d with %s and %s", now/8, best/8, bestLiteral.lengths, bestDistance.lengths)
	}
}

// TestPackedSize: a page is no larger than compress/gzip at its fastest level makes it.
func TestPackedSize(t *testing.T) {
	text, page := generated(t)
	z, err := gzip.NewReader(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%v: %d bytes become %d", err, len(text), len(got))
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = w.Write(text)
	_ = w.Close()
	if t.Logf("%d bytes, %d packed, %d by compress/gzip", len(text), len(page), b.Len()); len(page) > b.Len() {
		t.Errorf("%d bytes, %d by compress/gzip", len(page), b.Len())
	}
}
