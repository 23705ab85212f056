// Package graphjson reads calls in Microsoft Graph's own JSON, in whatever wrapping a script or a
// flow has saved them:
//
//   - Graph's answer, {"@odata.context":…,"value":[…],"@odata.nextLink":…},
//     once or several times one after another
//   - what Power Automate, Logic Apps or PowerShell saved of the request: the
//     answer is in body, outputs or Content, as JSON, as a text or in base64
//   - Graph's answer to $batch: {"responses":[{"status":200,"body":{…}}]}
//   - a list of rows, or of such answers
//   - JSON lines, each of them a row or an answer
//   - a single row
//
// compact or indented. It holds one row at a time, however large the input is. It reports a broken
// row and reads on at the next place where a row can begin. It reports a record of another function
// of Graph as such.
//
// It knows the properties of Graph's callRecords.directRoutingLogRow, v1.0 and beta, and how
// PowerShell and other clients spell their values. It does not know where the bytes come from, and
// expects them without a byte order mark.
package graphjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/trunklog/trunklog/call"
)

const (
	// maxRecord is the most bytes of a row. Graph's have less than 2 KiB.
	maxRecord = 1 << 20
	// maxRaw is how much of an unreadable row an error shows.
	maxRaw = 4 << 10
	// maxOpen is how many lists and answers may begin within each other. A flow that saves an
	// answer to $batch has eight.
	maxOpen = 16
)

// Decode reads calls in Graph's JSON. It is a [call.Decoder]: each row yields a [call.RecordEvent],
// settled by [call.Graph] in the properties that it names. An input that ends in the middle yields
// a [*CutError].
//
// If a row's id is a GUID, it is the id of the event's row; any other text becomes Event.Call
// alone; and the name of a row without an id is a hash of its values, so that reading it again
// gives the same name.
//
// Rows may have been written by any program, with any extra properties: Decode assigns a record to
// another function of Graph only on strong evidence.
func Decode(r io.Reader) iter.Seq2[call.Event, error] { return decode(r, direct, nil) }

// New returns a decoder like [Decode], for input fetched from Graph. At the end of an input it
// calls note, which may be nil, with a sentence on each thing that the input lacks or the decoder
// left out.
func New(note func(text string)) call.Decoder {
	return func(r io.Reader) iter.Seq2[call.Event, error] { return decode(r, unsaid, note) }
}

func decode(r io.Reader, around family, note func(text string)) iter.Seq2[call.Event, error] {
	return func(yield func(call.Event, error) bool) {
		var t tally
		d := decoder{scanner: newScanner(r), yield: yield, tally: &t, around: around}
		if d.run(); d.atEnd() && note != nil {
			t.say(note)
		}
	}
}

// A decoder follows the wrapping around the rows.
type decoder struct {
	*scanner
	grammar
	yield func(call.Event, error) bool
	tally *tally
	open  []wrapping // the wrappings around the current place, outermost first
	row   record

	// lost is set when the wrapping is uncertain because something in it was broken. Closing
	// brackets without opening ones are then expected.
	lost bool
	// oneLiners is set when a record has stood on a line of its own: the input
	// is JSON lines, in which a line that begins with a brace is another record,
	// whatever JSON says.
	oneLiners bool

	texts  int    // how many texts within texts the input is
	around family // the records' family by the wrapping around the input
}

func (d *decoder) run() {
	for d.next() {
	}
}

// next reads up to the end of one thing, and reports whether to go on.
func (d *decoder) next() bool {
	d.release()
	n := len(d.open)
	if n > 0 && d.open[n-1].ended {
		return d.rest()
	}
	switch c := d.peek(); {
	case d.atEnd():
		return d.finish()
	case c == '{':
		return d.object()
	case c == '[':
		line := d.hold()
		if !d.push(wrapping{bracket: '[', line: line}, "list") {
			return false
		}
		if len(d.open) > n {
			d.i++
		}
		return true
	case c == ']' || c == '}':
		return d.close(c)
	case c == ',':
		d.i++ // one comma too many or too few does not matter
		return true
	case c == '"' && n > 0 && d.open[n-1].in == propertyBody:
		return d.text()
	case c == bom[0] && d.skip(bom):
		return true
	}
	return d.other()
}

// A byte order mark occurs where files were concatenated.
const bom = "\xef\xbb\xbf"

// object reads a row, or the beginning of an answer up to its rows.
func (d *decoder) object() bool {
	line := d.hold()
	switch d.members(false) {
	case complete:
		d.noteLine(line)
		d.hasRow()
		b := d.held()
		e, err := d.row.event(b, d.page())
		d.tally.add(&d.row, err)
		switch {
		case len(b) > maxRecord:
			return d.report(line, d.head(), errTooLarge)
		case err != nil:
			return d.report(line, d.head(), err)
		}
		return d.yield(e, nil)
	case within:
		return d.enter(line)
	case tooLarge:
		return d.large(line)
	}
	return d.broken(line, "record")
}

var errTooLarge = fmt.Errorf("%w: the record has more than %d bytes", call.ErrInvalid, maxRecord)

// hasRow notes that a record was in the list, or is the value of an answer.
func (d *decoder) hasRow() {
	if n := len(d.open); n > 0 {
		d.open[n-1].rows = true
	}
	d.ended()
}

// close leaves a list.
func (d *decoder) close(c byte) bool {
	d.i++
	n := len(d.open) - 1
	if n >= 0 && c == ']' && d.open[n].bracket == '[' {
		d.open = d.open[:n]
		d.ended()
		return true
	}
	if d.lost {
		return true
	}
	d.lost = true
	return d.report(d.lineHere(), []byte{c}, fmt.Errorf("%w: %q closes nothing", call.ErrInvalid, c))
}

// other reports something that is neither a row nor a list.
func (d *decoder) other() bool {
	line := d.hold()
	kind, got := d.value()
	switch {
	case got == tooLarge:
		return d.large(line)
	case got != complete:
		return d.broken(line, "record")
	}
	if len(d.open) == 0 && d.more() && bytes.IndexByte([]byte(",;\t"), d.buf[d.i]) >= 0 {
		d.fault = fmt.Errorf("%w: no JSON: values with separators between them, as in CSV; import that by import teams or import csv", call.ErrInvalid)
		raw := d.head()
		d.release()
		return d.goOn(line, raw)
	}
	d.hasRow()
	if b := d.held(); kind == '"' && isCut(b[1:len(b)-1]) {
		return d.report(line, d.head(), fmt.Errorf("%w: a text where a record must be: %s", call.ErrInvalid, wasCut))
	}
	return d.report(line, d.head(), fmt.Errorf("%w: %s where a record must be", call.ErrInvalid, kind))
}

// large reports the value that begins in the given line as too large, and skips it.
func (d *decoder) large(line int64) bool {
	raw := d.head()
	if d.skipLarge(d.oneLiners) {
		d.hasRow()
		return d.report(line, raw, errTooLarge)
	}
	d.fault = errTooLarge
	return d.goOn(line, raw)
}

// broken reports the value that begins in the given line as unreadable, and goes to the next place
// where a row can begin.
func (d *decoder) broken(line int64, what string) bool {
	if errors.Is(d.fault, io.ErrUnexpectedEOF) {
		if !errors.Is(d.err, errEnd) {
			return d.finish()
		}
		d.yield(call.Event{}, d.cutRecord(line, what))
		return false
	}
	raw := d.head()
	d.release()
	return d.goOn(line, raw)
}

// goOn goes to the next place where a row can begin, and reports the broken one whose beginning is
// raw.
func (d *decoder) goOn(line int64, raw []byte) bool {
	for n := len(d.open); n > 0 && d.open[n-1].bracket == '{'; n-- {
		d.open, d.lost = d.open[:n-1], true // the end of its value is unknown
	}
	raw = d.resync(raw, len(d.open) > 0)
	if d.oneLiners && d.startsLine {
		d.open, d.lost = nil, true
	}
	return d.report(line, bytes.TrimRight(raw, ", \t\r\n"), d.fault)
}

// report yields an error about one record.
func (d *decoder) report(line int64, raw []byte, err error) bool {
	return d.yield(call.Event{}, &call.SyntaxError{Line: line, Raw: raw, Err: err})
}

// finish ends the input: it reports an open wrapping or a read error. It returns false.
func (d *decoder) finish() bool {
	switch {
	case !errors.Is(d.err, errEnd):
		d.yield(call.Event{}, fmt.Errorf("read line %d: %w", d.lineHere(), d.err))
	case len(d.open) > 0:
		d.yield(call.Event{}, cutList(d.open[len(d.open)-1].line))
	}
	return false
}

// noteLine notes a record or answer that began in the given line and has ended.
func (d *decoder) noteLine(line int64) {
	if len(d.open) == 0 {
		d.oneLiners = d.oneLiners || line == d.lineHere()
	}
}
