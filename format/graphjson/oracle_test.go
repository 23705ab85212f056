package graphjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// oracle reads one object with the standard library and none of this package.
// The error is nil if the object is a row.
func oracle(b []byte) (call.Row, string, error) {
	var row call.Row
	var id string
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return row, "", err
	}
	last := map[call.Field]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return row, "", err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return row, "", err
		}
		if f, ok := call.FieldNamed(name.(string)); ok {
			last[f] = v
		}
	}
	for f, v := range last {
		if string(v) == "null" {
			continue
		}
		if err := oracleField(&row, &id, f, v); err != nil {
			return row, "", err
		}
	}
	row.Settle(call.Graph.Witness(), false)
	for f := range last {
		switch f.Type() {
		case call.Time, call.Number, call.Bool:
			if f != call.FieldStart {
				row.By[f] = call.Graph.Witness()
			}
		}
	}
	if row.Start.IsZero() {
		return row, "", errors.New("no time")
	}
	return row, id, nil
}

func oracleField(row *call.Row, id *string, f call.Field, v json.RawMessage) error {
	var s string
	isText := json.Unmarshal(v, &s) == nil
	if isText && !utf8.Valid(v) {
		return errors.New("not UTF-8")
	}
	switch f.Type() {
	case call.ID, call.Text:
		if !isText || len(s) > call.MaxText {
			return fmt.Errorf("%s", f)
		}
		switch {
		case f == call.FieldID:
			*id = s
			row.ID, _ = call.ParseGUID(s)
		case f.Type() == call.Text:
			row.SetText(f, s)
		case s != "":
			g, err := call.ParseGUID(s)
			if err != nil {
				g = call.NameGUID("text", s)
			}
			row.SetGUID(f, g)
		}
	case call.Time:
		t, err := call.ParseTime(s)
		if !isText || err != nil {
			return fmt.Errorf("%s", f)
		}
		row.SetTime(f, t)
	case call.Number:
		n := json.Number(v)
		if isText {
			if n = json.Number(s); s == "" {
				return nil
			}
			if !json.Valid([]byte(s)) || strings.TrimSpace(s) != s {
				return fmt.Errorf("%s", f)
			}
		}
		x, err := strconv.ParseFloat(string(n), 64)
		if err != nil || x != math.Trunc(x) || x < math.MinInt32 || x > math.MaxInt32 {
			return fmt.Errorf("%s", f)
		}
		row.SetNumber(f, int32(x))
	case call.Bool:
		switch word := strings.ToLower(strings.Trim(string(v), `"`)); {
		case isText && s == "":
		case isText && strings.EqualFold(s, "true"), word == "true" && !isText:
			row.SetBool(f, true)
		case isText && strings.EqualFold(s, "false"), word == "false" && !isText:
		default:
			return fmt.Errorf("%s", f)
		}
	case call.List:
		var units []*struct{ ID *string }
		if v[0] != '[' || json.Unmarshal(v, &units) != nil || len(units) > 256 {
			return fmt.Errorf("%s", f)
		}
		for _, u := range units {
			if u != nil && u.ID != nil && *u.ID != "" {
				g, err := call.ParseGUID(*u.ID)
				if err != nil {
					g = call.NameGUID("text", *u.ID)
				}
				row.AdministrativeUnits = append(row.AdministrativeUnits, g)
			}
		}
	}
	return nil
}

// compare compares Decode's result for one object with the oracle's.
func compare(t *testing.T, b []byte) {
	t.Helper()
	var events []call.Event
	var failed []error
	for e, err := range Decode(bytes.NewReader(b)) {
		if err != nil {
			failed = append(failed, err)
		} else {
			events = append(events, e)
		}
	}
	object := bytes.Trim(b, ", \t\r\n")
	if !json.Valid(object) {
		if len(events) == 1 && len(failed) == 0 {
			t.Errorf("%q is no JSON and gives a row", b)
		}
		return
	}
	if object[0] != '{' || deep(object) || special(object) {
		return
	}
	want, id, err := oracle(object)
	switch {
	case err != nil && (len(events) != 0 || len(failed) != 1):
		t.Errorf("%q is no row (%v), but gives %d events and errors %v", b, err, len(events), failed)
	case err != nil:
	case len(events) != 1 || len(failed) != 0:
		t.Errorf("%q is a row, but gives %d events and errors %v", b, len(events), failed)
	case !events[0].Row.Equal(&want):
		t.Errorf("%q gives\n%+v\nwant\n%+v", b, events[0].Row, want)
	case strings.Trim(id, "{}-0") != "" && events[0].Call != id:
		t.Errorf("%q is called %q, want %q", b, events[0].Call, id)
	}
}

// special reports whether a sound object is no row by its properties, or has a value that only this
// package reads differently: those have tests of their own.
func special(b []byte) bool {
	d := json.NewDecoder(bytes.NewReader(b))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		var v json.RawMessage
		_ = d.Decode(&v)
		p := propertyNamed(name.(string))
		if p != propertyUnknown && p >= property(call.NumFields) || len(name.(string)) > 60 {
			return true
		}
		if bytes.HasPrefix(v, []byte("{")) || len(v) > 1 && isCut(v[1:len(v)-1]) || pstnTypes.Match(bytes.Trim(v, `"`)) {
			return true
		}
	}
	return false
}

func deep(b []byte) bool {
	return bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) >= 9000
}

func FuzzOracle(f *testing.F) {
	for _, line := range bytes.Split(sampleLines(2), []byte{'\n'}) {
		f.Add(line)
	}
	for _, s := range []string{
		`{"startDateTime":"2026-11-01T00:00:00Z","finalSipCode":"5.e0"}`, `{"startDateTime":"2026-11-01T00:00:00Z","duration":".5e1"}`,
		`{"startDateTime":"2026-11-01T00:00:00Z","duration":-0.5e1,"finalSipCode":"1E2","successfulCall":"TRUE","userDisplayName":"\ud83d\ude00\ud83d\u0041\udc00\udc01\ud83d\n"}`,
		`{"inviteDateTime":"/Date(1)/","administrativeUnitInfos":[null,{"ID":"a"},{"id":"639b616c-0000-4000-8000-000000000000","x":[]}]}`,
		`{"a":[{}],"b":{"c":null},"endDateTime":"2026-11-01 00:00:00"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { compare(t, b) })
}

// Rows with values of all kinds in all spellings, sound and broken, come out as
// the standard library reads them.
func TestOracle(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range scale(5000) {
		b := randomRow(rnd)
		if rnd.IntN(4) == 0 { // break it
			i := rnd.IntN(len(b))
			switch rnd.IntN(3) {
			case 0:
				b = append(b[:i:i], b[i+1:]...)
			case 1:
				b[i] = `{}[]",:\x0`[rnd.IntN(10)]
			case 2:
				b = b[:i]
			}
		}
		compare(t, b)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// randomRow returns an object with some properties of a row, in any order.
func randomRow(rnd *rand.Rand) []byte {
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	space := func() string { return pick("", "", "", " ", "\n", "\r\n\t") }
	var b bytes.Buffer
	b.WriteString("{")
	for n := range rnd.IntN(12) + 1 {
		if n > 0 {
			b.WriteString(",")
		}
		name := pick("id", "correlationId", "userId", "userPrincipalName", "userDisplayName", "startDateTime", "startDateTime", "inviteDateTime", "endDateTime",
			"duration", "finalSipCode", "callEndSubReason", "successfulCall", "mediaBypassEnabled", "callerNumber", "callType", "administrativeUnitInfos", "@odata.type", "anything")
		if rnd.IntN(5) == 0 {
			name = strings.ToUpper(name)
		}
		fmt.Fprintf(&b, "%s%q%s:%s", space(), name, space(), space())
		f, _ := call.FieldNamed(name)
		switch {
		case rnd.IntN(8) == 0:
			b.WriteString(pick("null", "true", "false", `""`, "0", "-1", "[]", "{}", `[{"id":"a"},null]`, "1e3", `"\u00e9"`, "12345678901"))
		case f.Type() == call.Time:
			at := time.Unix(rnd.Int64N(4e9), rnd.Int64N(1e9)).UTC()
			fmt.Fprintf(&b, "%q", at.Format(pick(time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05.000Z07:00")))
		case f.Type() == call.Number:
			b.WriteString(pick("5", "5.0", `"5"`, "5.5", "540000", "-2147483648", "2147483647", "2147483648", "-2147483649", "-3e9", `"5.0e0"`, `"x"`, "0"))
		case f.Type() == call.Bool:
			b.WriteString(pick("true", "false", `"True"`, `"false"`, `"FALSE"`, `"yes"`))
		case f.Type() == call.List:
			b.WriteString(pick(`[{"id":"639b616c-0000-4000-8000-000000000000"}]`, `[{"id":null},{}]`, `[1]`, `[]`))
		case f.Type() == call.ID && rnd.IntN(2) == 0:
			fmt.Fprintf(&b, "%q", call.NameGUID(strconv.Itoa(rnd.IntN(9))).String())
		default:
			s, _ := json.Marshal(pick("+4930123", "Ünï \"quoted\" \\ \n", "Internal Revenue Service", "😀", "a<b>&c", "\x7f", strings.Repeat("x", 1+rnd.IntN(1200))))
			b.Write(s)
		}
		b.WriteString(space())
	}
	b.WriteString("}")
	return b.Bytes()
}

// The rows do not depend on the pieces in which the bytes arrive.
func TestPieces(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 2))
	in := sampleLines(300)
	in = append(in, `{"broken":`...)
	in = append(in, bytes.ReplaceAll(sampleLines(300), []byte(`{"id"`), []byte(" {\n\"id\""))...)
	want := collect(bytes.NewReader(in))
	if len(want) != 600 { // the broken record has the row behind it within it
		t.Fatalf("%d yields", len(want))
	}
	for range scale(5) {
		got := collect(&pieces{in, rnd})
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("seed %d: pieces give something else", seed)
		}
	}
	if got := collect(iotest.DataErrReader(bytes.NewReader(in))); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("a reader that ends with data gives something else")
	}
}

type pieces struct {
	b   []byte
	rnd *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.b[:min(len(p.b), p.rnd.IntN(700))])
	p.b = p.b[n:]
	if len(p.b) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// TestUnits: both ways of reading a list of units agree with the standard library.
func TestUnits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	const guid = "639b616c-0000-4000-8000-000000000000"
	pieces := []string{`{"id":"` + guid + `"}`, `{"id":"{` + guid[:34] + `}"}`, `{"ID":"` + guid + `"}`, `{"id":"` + guid + `","x":1}`, `{"id":"` + guid[1:] + `g"}`, `{"id":""}`, `{"id":null}`, `{"id": "` + guid + `"}`, "null", `"` + guid + `"`}
	for range 20_000 {
		n := rnd.IntN(4)
		if rnd.IntN(100) == 0 {
			n = mostUnits - 1 + rnd.IntN(3)
		}
		var all []string
		for range n {
			p := pieces[0]
			if rnd.IntN(3) == 0 {
				p = pieces[rnd.IntN(len(pieces))]
			}
			all = append(all, p)
		}
		text := "[" + strings.Join(all, []string{",", ", "}[rnd.IntN(2)]) + "]"
		var got, want call.Row
		var ours error
		if b := []byte(text); json.Valid(b) {
			ours = setUnits(&got, value{0, int32(len(b)), '['}, b)
		}
		theirs := oracleField(&want, nil, call.FieldAdministrativeUnits, json.RawMessage(text))
		if (ours == nil) != (theirs == nil) || ours == nil && !got.Equal(&want) {
			t.Fatalf("%s: %v (%v), not %v (%v)", text, got.AdministrativeUnits, ours, want.AdministrativeUnits, theirs)
		}
	}
}
