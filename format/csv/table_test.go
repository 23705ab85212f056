package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// named decodes a table whose header has a and b, and gives the fields as the name
// of a call; a record whose a is "wrong", or a name, is none.
func named(d Dialect) call.Decoder {
	return Table(d, func(header []string) (func([]string) (call.Event, error), error) {
		a, b := indexFold(header, "a"), indexFold(header, "b")
		if a < 0 || b < 0 {
			return nil, fmt.Errorf("%w: no a and b in %q", call.ErrInvalid, header)
		}
		return func(fields []string) (call.Event, error) {
			if strings.Contains("wrong a b c", fields[a]) {
				return call.Event{}, fmt.Errorf("%w: wrong", call.ErrInvalid)
			}
			return call.Event{Call: fmt.Sprintf("%q %q", fields[a], fields[b])}, nil
		}, nil
	})
}

// tally counts the results of a decoder, rejects by their lines.
func tally(t *testing.T, d call.Decoder, r io.Reader) (events int, rejects map[int64]string) {
	t.Helper()
	rejects = make(map[int64]string)
	for _, err := range d(r) {
		var syntax *call.SyntaxError
		switch {
		case err == nil:
			events++
		case !errors.As(err, &syntax):
			t.Fatal(err)
		case rejects[syntax.Line] != "":
			t.Errorf("line %d is rejected twice", syntax.Line)
		default:
			rejects[syntax.Line] = string(syntax.Raw)
		}
	}
	return events, rejects
}

// In a file cut at any byte, each line is a record or a reject with its own text and number,
// whatever is wrong with the others; empty lines and headers are neither.
func TestEachLineCounts(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 3))
	kinds := []string{
		"1;2;3", `"1";"2";"3"`, `1;"say ""2""";3`, `1;"2" x;3`, `""1" 2";2;3`, `1;"2;3`, `"1;2;3`, `1;2;3"`, `1;2"x;3`,
		"1;2", "1;2;3;4", "wrong;2;3", "1;\x002;3", "\x00\x00\x00\x00", "1;M\xfcller;3", "1;\x81\xfc;3", "1;Müller;3",
		"a;b;c", "b;c;a", ";;", `"";"";`, "  ", "\xef\xbb\xbfa;b;c",
	}
	// A header cut in the middle is one, if it has the required columns.
	neither := map[string]bool{"a;b": true, "a;b;": true, "\xef\xbb\xbfa;b": true, "\xef\xbb\xbfa;b;": true, "a;b;c": true, "b;c;a": true, ";;": true, `"";"";`: true, "  ": true, "\xef\xbb\xbfa;b;c": true, "": true}
	for range scale(300) {
		var in bytes.Buffer
		in.WriteString("a;b;c\n")
		for range rnd.IntN(30) {
			in.WriteString(kinds[rnd.IntN(len(kinds))] + []string{"\n", "\n", "\r\n"}[rnd.IntN(3)])
		}
		whole := in.Bytes()
		cut := whole[:6+rnd.IntN(len(whole)-5)]
		lines := strings.Split(string(cut), "\n")[1:]
		want := 0
		for i, line := range lines {
			line = strings.TrimSuffix(line, "\r")
			last := i == len(lines)-1 && strings.Trim(strings.TrimPrefix(line, "\ufeff"), " ;\"") == "" && strings.Count(line, `"`)%2 == 0
			want += btoi(!neither[line] && !last)
		}
		events, rejects := tally(t, named(Dialect{}), bytes.NewReader(cut))
		if events+len(rejects) != want {
			t.Fatalf("seed %d: %d events and %d rejects, want %d of\n%q", seed, events, len(rejects), want, cut)
		}
		for n, raw := range rejects {
			if got := strings.TrimPrefix(strings.TrimSuffix(lines[n-2], "\r"), "\ufeff"); got != raw {
				t.Fatalf("seed %d: the reject of line %d is %q, not %q", seed, n, raw, got)
			}
		}
	}
}
