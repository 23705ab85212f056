package graph

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/graph/pack"
	"github.com/trunklog/trunklog/store/storetest"
)

// packed returns the page that p makes of rows, and the text that went in.
func packed(p *pack.Packer, o RowOptions, rows []call.Row) (out, text []byte) {
	head, tail := `{"@odata.count":1000,"value":[`, `]}`
	w := newRowWriter(o)
	z := p.Page(len(head) + 3)
	defer z.Close()
	text = append(text, head...)
	var b []byte
	for i := range rows {
		if i > 0 {
			b = append(b, ',')
			text = append(text, ',')
		}
		b = w.append(b, &rows[i])
		b = z.Add(b, kindOf(&rows[i]), w.marks[:])
		text = AppendRow(text, &rows[i], o)
	}
	return bytes.Clone(z.Finish([]byte(head), append(b, tail...))), append(text, tail...)
}

func unpack(tb testing.TB, packed []byte) []byte {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// generated returns rows like those of a real page.
func generated(tb testing.TB, n int) []call.Row {
	tb.Helper()
	from := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	rows := make([]call.Row, 0, n)
	for r := range gen.Rows(gen.Config{Rows: n, Seed: 7, From: from, To: from.Add(time.Duration(n) * time.Second), Tenant: testTenant, Users: 10_000}) {
		rows = append(rows, r.Clone())
	}
	slices.SortFunc(rows, func(a, b call.Row) int { return a.Start.Compare(b.Start) })
	return rows
}

// A client unpacks the text that went in, whatever the rows are like, also if the packer has packed
// another page before.
func TestPack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seed(t), 0))
	texts := []string{"", "a", "Zoë", "\"\\\u2028", strings.Repeat("\x01", call.MaxText), strings.Repeat("long ", 100), "BYE", "0001-01-01T00:00:00Z"}
	p := pack.New(rowKinds, marks)
	usual := generated(t, 300)
	for range scale(t, 60) {
		var rows []call.Row
		for range rnd.IntN(120) {
			r := usual[rnd.IntN(len(usual))].Clone()
			for f := range call.NumFields {
				switch f.Type() {
				case call.Text:
					if rnd.IntN(20) == 0 {
						r.SetText(f, texts[rnd.IntN(len(texts))])
					}
				case call.Number:
					if rnd.IntN(20) == 0 {
						r.SetNumber(f, int32(rnd.Uint32()))
					}
				}
			}
			for range rnd.IntN(3) {
				r.AdministrativeUnits = append(r.AdministrativeUnits, call.NewGUID())
			}
			rows = append(rows, r)
		}
		o := RowOptions{Beta: rnd.IntN(2) == 0, Types: rnd.IntN(2) == 0}
		if rnd.IntN(3) == 0 {
			o.Select = Fields(rnd.Uint32())
		}
		out, text := packed(p, o, rows)
		if got := unpack(t, out); !bytes.Equal(got, text) {
			t.Fatalf("%d rows with %+v: %d bytes become %d\n%.500s\n%.500s", len(rows), o, len(text), len(got), text, got)
		}
	}
}

// Rows may be alike for any number of bytes, and so long that the row before is out of reach.
func TestPackLongRows(t *testing.T) {
	p := pack.New(rowKinds, marks)
	check := func(rows ...call.Row) {
		t.Helper()
		out, text := packed(p, RowOptions{}, rows)
		if got := unpack(t, out); !bytes.Equal(got, text) {
			t.Fatalf("%d bytes become %d", len(text), len(got))
		}
	}
	r := sampleRow(t)
	for n := range 600 {
		r.Callee = strings.Repeat("7", n)
		check(r, r, r)
	}
	short := r
	for n := 1; n <= call.MaxText; n += 93 {
		for f := range call.NumFields {
			if f.Type() == call.Text {
				r.SetText(f, strings.Repeat("\x01", n))
			}
		}
		check(short, r, r, short, r)
	}
}

// A client gets the same page with gzip as without, and HEAD has the headers of GET.
func TestPackedPage(t *testing.T) {
	store := storetest.NewModel()
	put(t, store, generated(t, 1500)...)
	h := New(testConfig(store))
	for _, options := range []string{"", "?$top=1", "?$top=2", "?$top=3", "?$top=999", "?$top=1000", "?$select=duration&$top=90", "?$format=application/json;odata.metadata=full", "?$filter=duration%20eq%20-1", "?$skip=1000"} {
		path := strings.Replace(function, "v1.0", "beta", 1) + "(fromDateTime=2026-01-01,toDateTime=2026-12-31)" + options
		plain, zipped := get(t, h, path), get(t, h, path, "Accept-Encoding", "gzip")
		body := zipped.Body.Bytes()
		if zipped.Header().Get("Content-Encoding") == "gzip" {
			if body = unpack(t, body); len(body) < minZip {
				t.Errorf("%s: %d bytes are packed", options, len(body))
			}
		} else if len(body) >= minZip {
			t.Errorf("%s: %d bytes are not packed", options, len(body))
		}
		if plain.Code != http.StatusOK || !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("%s: status %d, packed\n%.300s\nplain\n%.300s", options, plain.Code, body, plain.Body)
		}
	}
}

// A page with $select goes through a general compressor, which finds equal rows.
func TestPackedSelection(t *testing.T) {
	store := storetest.NewModel()
	put(t, store, generated(t, 1000)...)
	path := function + "(fromDateTime=2026-01-01,toDateTime=2026-12-31)?$select=trunkFullyQualifiedDomainName,finalSipCode,finalSipCodePhrase"
	w := get(t, New(testConfig(store)), path, "Accept-Encoding", "gzip")
	if n, text := w.Body.Len(), len(unpack(t, w.Body.Bytes())); text < 90_000 || n*20 > text {
		t.Errorf("%d bytes become %d", text, n)
	}
}

// BenchmarkPack writes and packs a page of rows.
func BenchmarkPack(b *testing.B) {
	rows := generated(b, 1000)
	p, w := pack.New(rowKinds, marks), newRowWriter(RowOptions{})
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		z := p.Page(100)
		text = text[:0]
		for i := range rows {
			text = w.append(text, &rows[i])
			text = z.Add(text, kindOf(&rows[i]), w.marks[:])
		}
		z.Finish(nil, text)
		z.Close()
	}
}
