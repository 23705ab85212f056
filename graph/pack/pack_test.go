package pack

import (
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// seed returns the seed of a test and prints it; TRUNKLOG_SEED sets it.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("TRUNKLOG_SEED"), 10, 64); err == nil {
		n = s
	}
	t.Logf("TRUNKLOG_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// A record is the texts of its properties, and its kind.
type record struct {
	kind  int
	parts []string
}

// A page is the text of a page to pack.
type page struct {
	head, tail string
	room       int // bytes announced for the head that it does not take
	records    []record
}

const testKinds, testMarks = 3, 4

// pack returns the packed page and the text that went in. With wild, the marks are random.
func (g page) pack(p *Packer, wild *rand.Rand) (packed, text string) {
	z := p.Page(len(g.head) + g.room)
	defer z.Close()
	text = g.head
	var b []byte
	for _, r := range g.records {
		var marks []int
		for _, s := range r.parts {
			marks = append(marks, len(b))
			b = append(b, s...)
			text += s
		}
		for len(marks) < testMarks {
			marks = append(marks, len(b))
		}
		if wild != nil {
			for i := range marks {
				marks[i] = wild.IntN(len(b)+10) - 9
			}
		}
		b = z.Add(b, r.kind, marks)
	}
	return string(z.Finish([]byte(g.head), append(b, g.tail...))), text + g.tail
}

// check packs a page, unpacks it, and compares that with what went in.
func (g page) check(t *testing.T, p *Packer, wild *rand.Rand) (packed string) {
	t.Helper()
	packed, text := g.pack(p, wild)
	if got := unpack(t, []byte(packed)); got != text {
		t.Fatalf("%d records: %d bytes become %d\n%.300s\n%.300s", len(g.records), len(text), len(got), text, got)
	}
	return packed
}

func unpack(tb testing.TB, packed []byte) string {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// TestPack: a client unpacks what went in, whatever the records and the marks are. A packer that
// has packed before makes the same page, byte for byte.
func TestPack(t *testing.T) {
	rnd, p := seed(t), New(testKinds, testMarks)
	texts := []string{"", "x", `{"id":null`, `,"duration":5`, `,"duration":512`, "}", "\x00\xff", strings.Repeat("7", 300), strings.Repeat("Zoë ", 900), strings.Repeat("\\u0001", 4000)}
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	for n := range rounds {
		g := page{head: texts[rnd.IntN(len(texts))], tail: texts[rnd.IntN(3)], room: rnd.IntN(9), records: make([]record, rnd.IntN(60))}
		for i := range g.records {
			g.records[i].kind = rnd.IntN(testKinds)
			for range rnd.IntN(testMarks) {
				g.records[i].parts = append(g.records[i].parts, texts[rnd.IntN(len(texts))])
			}
		}
		if n%3 == 0 {
			g.check(t, p, rnd)
		} else if packed, _ := g.pack(New(testKinds, testMarks), nil); packed != g.check(t, p, nil) {
			t.Fatal("a packer that is used again makes something else")
		}
	}
	page{head: strings.Repeat("h", MaxHead)}.check(t, p, nil)
}

// TestLongRecords: records may be alike for any number of bytes, and so long that the one before is
// out of reach.
func TestLongRecords(t *testing.T) {
	p := New(testKinds, testMarks)
	for n := range 600 {
		r := record{0, []string{"{", strings.Repeat("7", n), "}"}}
		page{records: []record{r, r, r}}.check(t, p, nil)
	}
	short := record{0, []string{"{", "7", "}"}}
	for n := keepText - 600; n < 3*maxBack; n += 601 {
		long := record{0, []string{"{", strings.Repeat("71", n/2), "}"}}
		page{records: []record{short, long, long, {1, short.parts}, long, short}}.check(t, p, nil)
	}
}

// TestMatches: the bytes that a record shares with the last one of its kind take next to no space,
// also if records of other kinds come in between. The packer compares the first record of a kind
// with the one before.
func TestMatches(t *testing.T) {
	a, b := record{0, []string{strings.Repeat("Zoë", 1000)}}, record{1, []string{strings.Repeat("1 ä", 1000)}}
	size := func(records ...record) int {
		return len(page{records: records}.check(t, New(testKinds, testMarks), nil))
	}
	one, two := size(a), size(a, b)
	for name, c := range map[string]struct {
		records []record
		most    int
	}{
		"again":         {[]record{a, a}, one + 100},
		"in between":    {[]record{a, b, a, b}, two + 200},
		"first of kind": {[]record{a, {2, a.parts}}, one + 100},
	} {
		if n := size(c.records...); n > c.most {
			t.Errorf("%s: %d bytes, want %d at most", name, n, c.most)
		}
	}
}

// TestAddKeeps: Add returns all of a short text, and the end of a long one.
func TestAddKeeps(t *testing.T) {
	z := New(1, 1).Page(0)
	defer z.Close()
	var b []byte
	for i := range 200 {
		b = append(b, strconv.Itoa(1000+i)+strings.Repeat(".", 996)...)
		all := len(b)
		got := z.Add(b, 0, []int{all - 1000})
		if want := b[max(0, all-keepText):]; all < 2*keepText {
			if len(got) != all {
				t.Fatalf("of %d bytes, %d are kept", all, len(got))
			}
		} else if !bytes.HasPrefix(got[len(got)-1000:], []byte(strconv.Itoa(1000+i))) || len(got) != len(want) {
			t.Fatalf("of %d bytes, %d are kept, the last of record %.4s", all, len(got), got[len(got)-1000:])
		}
		b = got
	}
}

// TestLargePagesAreLeft: the buffer of an unusually large page does not stay in memory.
func TestLargePagesAreLeft(t *testing.T) {
	p, text := New(1, 1), bytes.Repeat([]byte{1}, 2*maxKept)
	z := p.Page(0)
	z.Add(text, 0, []int{0})
	z.Close()
	if n := len(p.Page(0).out); n > maxKept {
		t.Errorf("a buffer of %d bytes is used again", n)
	}
}

// FuzzPack packs texts that are no records, with arbitrary marks.
func FuzzPack(f *testing.F) {
	const kinds, marks = 8, 22
	f.Add([]byte("{a,b,c}"), []byte{0, 1, 3}, 3)
	f.Add(bytes.Repeat([]byte("0123456789"), 60), []byte{0, 255}, 80)
	f.Fuzz(func(t *testing.T, row, places []byte, times int) {
		if len(row) == 0 || len(row) > 4096 || len(places) > marks || times < 0 || times > 100 {
			return
		}
		z := New(kinds, marks).Page(1)
		var text, want []byte
		for i := range times {
			begin := len(text)
			text = append(text, row[i%len(row):]...)
			want = append(want, text[begin:]...)
			m := make([]int, marks)
			for j := range m {
				if m[j] = len(text); j < len(places) {
					m[j] = min(len(text), begin+int(places[j])*(1+i%3))
				}
			}
			text = z.Add(text, i%kinds, m)
		}
		if got := unpack(t, z.Finish(nil, text)); got != string(want) {
			t.Fatalf("%q\n%q", got, want)
		}
	})
}

func TestCRCJoin(t *testing.T) {
	text := bytes.Repeat([]byte("calls and calls "), 50)
	for _, n := range []int{0, 1, 7, 8, 100, len(text)} {
		if got := crcJoin(crc32.ChecksumIEEE(text[:n]), crc32.ChecksumIEEE(text[n:]), len(text)-n); got != crc32.ChecksumIEEE(text) {
			t.Errorf("cut at %d: %08x", n, got)
		}
	}
}
