package csv

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// The built-in maps are valid, and their names are those in the docs.
func TestReadyMaps(t *testing.T) {
	if got, want := strings.Join(ReadyMaps(), " "), "3cx asterisk cucm freeswitch"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
	for _, name := range ReadyMaps() {
		yaml, ok := ReadyMap(name)
		if _, err := Open(yaml, nil); err != nil || !ok {
			t.Errorf("map %s: %v", name, err)
		}
	}
	for _, name := range []string{"", "../csv", "graph", "asterisk.yaml", "maps/asterisk"} {
		if _, ok := ReadyMap(name); ok {
			t.Errorf("there is a map %q", name)
		}
	}
}

// Keys that come with other records are found, as many as are remembered.
func TestRepeats(t *testing.T) {
	var r repeats
	for i := range 3 * mostKeys {
		if r.meet(fmt.Sprint(i), []string{"a"}) {
			t.Fatalf("key %d is new", i)
		}
	}
	if len(r.seen) != mostKeys {
		t.Errorf("%d keys are remembered", len(r.seen))
	}
	found := 0
	for i := range 1000 {
		key := fmt.Sprint(3*mostKeys - 1 - i)
		if r.meet(key, []string{"a"}) {
			t.Fatalf("%s came with the same record", key)
		}
		if r.meet(key, []string{"", "a"}) {
			found++
		}
	}
	if found != 1000 || r.n != 1000 {
		t.Errorf("%d of 1000 are found, %d counted", found, r.n)
	}
}

// The error of a map names the line, and suggests a name.
func TestMapErrors(t *testing.T) {
	const ok = "fields: {startDateTime: start}\n"
	for _, c := range []struct{ in, want string }{
		{"", "docs/import-csv.md"},
		{"# nothing\n", "docs/import-csv.md"},
		{"fields: [", "line 1"},
		{"- a\n", "map line 1: here must be keys and values"},
		{"fields: {}\n", "fields is missing"},
		{"fields: a\n", "map line 1: fields must be names and columns"},
		{ok + "\nfeilds: {}\n", `map line 3: unknown key "feilds" (did you mean "fields"?)`},
		{ok + "colour: red\n", `map line 2: unknown key "colour"`},
		{ok + ok, "fields"},
		{"fields:\n  startDateTime: start\n  callerNumbr: src\n", `map line 3: unknown field "callerNumbr" (did you mean "callerNumber"?)`},
		{"fields:\n  startDateTime: start\n  administrativeUnitInfos: a\n", "map line 3: unknown field"},
		{"fields:\n  startDateTime: start\n  STARTDATETIME: start\n", "map line 3: field startDateTime is there twice"},
		{"fields:\n  startDateTime:\n    colum: start\n", `map line 3: unknown key "colum" (did you mean "column"?)`},
		{"fields:\n  startDateTime: {constant: x, column: y}\n", "map line 2: startDateTime: a constant has no column"},
		{"fields:\n  startDateTime: {values: {a: b}}\n", "map line 2: startDateTime: either column or constant"},
		{"fields:\n  startDateTime: 0\n", "map line 2: column 0: columns are counted from 1"},
		{"fields:\n  startDateTime:\n", "map line 2: the name of a column is missing"},
		{"fields:\n  startDateTime: a\n  successfulCall: {column: b, values: {x: maybe}}\n", `map line 3: successfulCall: "maybe" is neither true nor false`},
		{"fields:\n  startDateTime: a\n  duration: {constant: long}\n", `map line 3: duration: "long" is no duration`},
		{"fields:\n  startDateTime: a\n  duration: {column: b, default: long}\n", `map line 3: duration: "long" is no duration`},
		{"fields:\n  startDateTime: a\n  duration: {column: b, unit: sec}\n", `map line 3: unknown unit "sec" (did you mean "s"?): us, ms, s, min, h, m:s, h:m are possible`},
		{"fields:\n  startDateTime: a\n  finalSipCode: {column: b, unit: ms}\n", "map line 3: finalSipCode has no unit"},
		{"fields:\n  startDateTime: a\n  duration: {column: b, values: [x]}\n", "map line 3: values must be pairs"},
		{"fields:\n  startDateTime: a\n  duration: {column: b, values: {x: 1, x: 2}}\n", `value "x" is there twice`},
		{"fields: {callerNumber: src}\n", "a call without a time has no place in the log"},
		{ok + "delimiter: ab\n", `map line 2: delimiter "ab" is not one character`},
		{ok + "delimiter: '\"'\n", "is not one character"},
		{ok + "header: perhaps\n", "map line 2: header is true or false"},
		{ok + "columns: [a, b]\n", "add 'header: false'"},
		{ok + "encoding: ebcdic\n", `map line 2: encoding "ebcdic": utf-8, utf-16, windows-1252 and latin1 are possible`},
		{ok + "times: {layout: x}\n", `unknown key "layout" (did you mean "layouts"?)`},
		{ok + "times:\n  layouts: [2006-01-02]\n", "map line 3: layout"},
		{ok + "times:\n  layouts: ['%Q']\n", "map line 3: layout \"%Q\": directive %Q is not known"},
		{ok + "times:\n  zone: Europe/Berln\n", `map line 3: zone "Europe/Berln"`},
		{ok + "times:\n  zone: local\n", `map line 3: zone "local"`},
		{ok + "numbers: {country: +49}\n", `"+49" is not made of digits only`},
		{ok + "numbers: {national: '0'}\n", "national needs the country code"},
		{ok + "witness: crd\n", `map line 2: unknown witness "crd" (did you mean "cdr"?): inferred, radius, cdr, sip, admin-export, graph are possible`},
		{ok + "skip: a\n", "map line 2: here must be columns and values"},
		{ok + "skip: {a: {b: c}}\n", "map line 2: here must be a single value"},
		{ok + "where: {0: a}\n", "map line 2: column 0: columns are counted from 1"},
		{ok + "times:\n", "map line 2: here must be keys and values; the keys are layouts, zone"},
		{ok + "numbers: 49\n", "map line 2: here must be keys and values; the keys are country, international, national"},
		{ok + "header:\n", "map line 2: header is true or false"},
		{ok + "key: {a: b}\n", "map line 2: here must be a single value"},
		{ok + "key: [a, [b]]\n", "map line 2: here must be a single value"},
	} {
		_, err := Open([]byte(c.in), nil)
		if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("map %q: %v\nwant %s", c.in, err, c.want)
		}
	}
}

// A table without the columns of the map is not read at all.
func TestMissingColumns(t *testing.T) {
	for _, c := range []struct{ yaml, in, want string }{
		{"fields: {startDateTime: start, callerNumber: src}", "start,scr\n2026-01-01T00:00:00Z,1\n", `map line 1: the header does not have "src" (did you mean "scr"?)`},
		{"fields: {startDateTime: start}\nkey: [uuid]", "start,id\n2026-01-01T00:00:00Z,1\n", `map line 2: the header does not have "uuid"`},
		{"fields: {startDateTime: start}\nskip: {kind: x}", "start,id\n2026-01-01T00:00:00Z,1\n", `map line 2: the header does not have "kind"`},
		{"fields: {startDateTime: 3}", "start,id\n", "map line 1: there is no column 3, only 2"},
		{"header: false\ncolumns: [a]\nfields: {startDateTime: b}", "x\n", `map line 3: columns does not have "b"`},
		{"fields: {startDateTime: start}", "", "the file is empty"},
		{"fields: {startDateTime: start}", "\"start\n2026-01-01T00:00:00Z\n", "the header row, line 1, cannot be read"},
		{"fields: {startDateTime: start}\nencoding: utf-8", "st\xfcrt\n", "the header row, line 1, cannot be read: the text is not UTF-8"},
		{"fields: {startDateTime: start}", "st\xfcrt\n", `the header does not have "start" (did you mean "stürt"?)`},
	} {
		d, err := Open([]byte(c.yaml), nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range d(strings.NewReader(c.in)) {
			n++
			var syntax *call.SyntaxError
			if !errors.Is(err, call.ErrInvalid) || errors.As(err, &syntax) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v, want %s", c.in, err, c.want)
			}
		}
		if n != 1 {
			t.Errorf("%q gives %d yields", c.in, n)
		}
	}
}

func TestHeaderlessPositions(t *testing.T) {
	d, err := Open([]byte("header: false\nfields: {startDateTime: 1, callerNumber: 3}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range d(strings.NewReader("2026-01-01T00:00:00Z,x\n2026-01-01T00:00:00Z,x,+49\n2026-01-01T00:00:00Z,x,+49,y\n")) {
		if err != nil {
			got = append(got, err.Error())
		} else {
			got = append(got, e.Row.Caller)
		}
	}
	if want := "line 1: invalid: callerNumber: the record has no column 3|+49|+49"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Columns that need not be there are those at the end.
func TestOptionalColumns(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{`columns: ["a?", t]`, "invalid: the record has 1 fields, not 2; ; invalid: the record has 3 fields, not 2"},
		{`columns: [t, "a?"]`, "; ; invalid: the record has 3 fields, not 1 to 2"},
	} {
		d, err := Open([]byte("header: false\nfields: {startDateTime: t, callerNumber: 'a?', calleeNumber: 'b?'}\n"+c.yaml), nil)
		if err != nil {
			t.Fatal(err)
		}
		const at = "2026-01-01T00:00:00Z"
		var got []string
		for _, err := range d(strings.NewReader(at + "\n" + at + "," + at + "\n" + at + "," + at + "," + at + "\n")) {
			var syntax *call.SyntaxError
			if errors.As(err, &syntax) {
				got = append(got, syntax.Err.Error())
			} else {
				got = append(got, "")
			}
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s: %s, want %s", c.yaml, s, c.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"callerNumber", "calleeNumber", "duration"}
	for in, want := range map[string]string{"CallerNumber": "callerNumber", "duratoin": "duration", "caleeNumber": "calleeNumber", "x": "", "trunk": "", strings.Repeat("x", 1000): ""} {
		got := suggest(in, names)
		if want != "" {
			want = ` (did you mean "` + want + `"?)`
		}
		if got != want {
			t.Errorf("suggest(%.20q) = %q, want %q", in, got, want)
		}
	}
}
