package format

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trunklog/trunklog/call"
)

// fuzzOptions are the decoders under test: a format, with a further word where one has several.
var fuzzOptions = map[string]Options{
	"graph": {},
	"teams": {},
	"csv": {Map: []byte(`
key: [uuid]
times: {layouts: [rfc3339, unix, "%Y-%m-%d %H:%M:%S"], zone: "+01:00"}
numbers: {country: "49", national: "0", international: "00"}
fields:
  id: uuid
  callerNumber: src
  calleeNumber: dst
  inviteDateTime: start
  startDateTime: answer
  endDateTime: end
  duration: billsec
  callType: {constant: ByotIn}
  successfulCall: {column: disposition, values: {ANSWERED: true}, default: false}
`)},
	"csv latin1": {Map: []byte(`
header: false
delimiter: ";"
encoding: latin1
fields: {callerNumber: 1, calleeNumber: 2, startDateTime: [3, 4], duration: 5, successfulCall: 6, correlationId: 7}
`)},
	"csv clock": {Preview: true, Note: func(string) {}, Map: []byte(`
header: false
columns: [a, b, c, d, e, f, "g?", "h?"]
times: {layouts: ["%s", "*%H:%M:%S.%f %Z %a %b %d %Y", "%F %T%z", "%D %r", "%e %B %y %k:%M"], zone: Europe/Berlin}
numbers: {country: "49", national: "0", international: "00"}
skip: {a: "x*", "h?": [1, ""]}
where: {a: ["*"]}
key: [a, "g?"]
fields:
  inviteDateTime: b
  startDateTime: c
  endDateTime: d
  duration: {column: e, unit: ms}
  callerNumber: f
  callType: {column: a, values: {i: ByotIn}, default: ByotOut}
`)},
}

func formatOf(name string) string {
	name, _, _ = strings.Cut(name, " ")
	return name
}

// FuzzDecode gives any bytes to every decoder. None may panic or go on for ever, a store must be
// able to keep each row, and the size of the pieces in which the bytes arrive must not matter.
func FuzzDecode(f *testing.F) {
	for _, folder := range folders {
		inputs, err := filepath.Glob(filepath.Join(folder, "testdata", "*.in"))
		if err != nil {
			f.Fatal(err)
		}
		for _, input := range inputs {
			b, err := os.ReadFile(input)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add(gzipOf(f, []byte(exportHeader+exportRow)))
	f.Add(zstdOf(f, []byte(exportHeader+exportRow)))
	f.Fuzz(func(t *testing.T, in []byte) {
		for name, o := range fuzzOptions {
			d, err := Open(formatOf(name), o)
			if err != nil {
				t.Fatal(err)
			}
			for e, err := range d(bytes.NewReader(in)) {
				checkYield(t, name, &e, err, len(in))
			}
			whole := show(d(bytes.NewReader(in)))
			if pieces := show(d(iotest.HalfReader(iotest.OneByteReader(bytes.NewReader(in))))); pieces != whole {
				t.Errorf("%s: in pieces it gives\n%s\nand as a whole\n%s", name, pieces, whole)
			}
			for range d(bytes.NewReader(in)) {
				break // a decoder must bear that, too
			}
		}
		whole := toldText(Tell(bytes.NewReader(in), nil, noMore))
		if pieces := toldText(Tell(iotest.OneByteReader(bytes.NewReader(in)), nil, noMore)); pieces != whole {
			t.Errorf("in pieces it is told to be %s, and as a whole %s", pieces, whole)
		}
	})
}

func checkYield(t *testing.T, name string, e *call.Event, err error, size int) {
	t.Helper()
	var syntax *call.SyntaxError
	if errors.As(err, &syntax) {
		if syntax.Line < 1 || len(syntax.Raw) > 4<<10 {
			t.Errorf("%s: line %d, %d raw bytes", name, syntax.Line, len(syntax.Raw))
		}
		return
	}
	if err != nil {
		return
	}
	r := e.Row
	if r.ID.IsZero() && e.Call == "" {
		t.Errorf("%s: a call has neither an id nor a name", name)
	}
	if r.ID.IsZero() {
		r.ID = call.NameGUID("test", e.Call)
	}
	if err := r.Check(); err != nil || e.Kind != call.RecordEvent || r.Seen == 0 {
		t.Errorf("%s: row from %d bytes: %v, kind %v, seen %v", name, size, err, e.Kind, r.Seen)
	}
}
