// Package graphjson reads calls in Microsoft Graph's own JSON, in whatever
// wrapping a script has saved them:
//
//   - what Graph answered, {"@odata.context":…,"value":[…],"@odata.nextLink":…},
//     once or several times one after another
//   - a list of rows, or of such answers
//   - JSON lines, each of them a row or an answer
//   - a single row
//
// compact or indented. It holds one row at a time, however large the input is
// and whatever stands in it. A broken row is reported, and reading goes on at
// the next place where a row can begin.
//
// It knows the properties of Graph's callRecords.directRoutingLogRow, v1.0 and
// beta, and how PowerShell and other clients spell their values. It does not
// know where the bytes come from, and expects them without a byte order mark.
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
	// maxRaw is how much of a row that cannot be read is shown.
	maxRaw = 4 << 10
	// maxLists is how many lists may begin within each other.
	maxLists = 8
)

// Decode reads calls in Graph's JSON. It is a [call.Decoder]: each row yields
// a [call.RecordEvent], settled by [call.Graph] in the properties that it names. An
// input that ends in the middle yields a [*CutError].
//
// If a row's id is a GUID it is the id of the event's row; if it is any other
// text it becomes Event.Call alone; and a row without an id is named after what
// it says of the call, so that reading it again gives the same name.
func Decode(r io.Reader) iter.Seq2[call.Event, error] {
	return func(yield func(call.Event, error) bool) {
		d := decoder{scanner: newScanner(r), yield: yield}
		for d.next() {
		}
	}
}

// A decoder follows the wrapping around the rows.
type decoder struct {
	*scanner
	yield func(call.Event, error) bool
	open  []wrapping // what we are in, from the outside
	row   record

	// lost is set when the wrapping is not sure any more because something in
	// it was broken. Closing brackets that nothing opened are then expected.
	lost bool
}

// A wrapping is a list, '[', or an answer of Graph, '{', that has begun.
type wrapping struct {
	bracket byte
	line    int64 // where
}

// next reads up to the end of one thing, and reports whether to go on.
func (d *decoder) next() bool {
	d.release()
	switch c := d.peek(); {
	case d.atEnd():
		return d.finish()
	case c == '{':
		return d.object()
	case c == '[':
		return d.openList()
	case c == ']' || c == '}':
		return d.close(c)
	case c == ',':
		d.i++ // one too many or too few does not matter
		return true
	case c == bom[0] && d.skip(bom):
		return true
	}
	return d.other()
}

// A byte order mark stands where files were put one behind the other.
const bom = "\xef\xbb\xbf"

// object reads a row, or the beginning of an answer up to its rows.
func (d *decoder) object() bool {
	line := d.hold()
	d.fenced = d.oneLiners
	d.i++
	d.row.reset()
	got := d.members(&d.row, false, 1)
	d.fenced = false
	switch got {
	case complete:
		d.noteLine(line)
		if d.tooLarge() {
			return d.report(line, d.head(), errTooLarge)
		}
		e, err := d.row.event(d.held())
		if err != nil {
			return d.report(line, d.head(), err)
		}
		return d.yield(e, nil)
	case atList:
		return d.openAnswer(line)
	}
	return d.broken(line, "record")
}

var errTooLarge = fmt.Errorf("%w: the record has more than %d bytes", call.ErrInvalid, maxRecord)

// openAnswer enters an answer, in front of the list of its rows. An answer
// within the rows of another means that the other one was cut off.
func (d *decoder) openAnswer(line int64) bool {
	for i, w := range d.open {
		if w.bracket == '{' {
			d.open, d.lost = d.open[:i], true
			if !d.report(w.line, nil, fmt.Errorf("%w: the page that begins in line %d breaks off before its end", call.ErrInvalid, w.line)) {
				return false
			}
			break
		}
	}
	d.open = append(d.open, wrapping{'{', line})
	return d.openList()
}

func (d *decoder) openList() bool {
	line := d.hold()
	if len(d.open) >= maxLists {
		d.fault = fmt.Errorf("%w: %d lists within each other", call.ErrInvalid, maxLists)
		d.open, d.lost = nil, true
		d.i++
		return d.broken(line, "list")
	}
	d.open = append(d.open, wrapping{'[', line})
	d.i++
	return true
}

// close leaves a list and, if its rows were an answer's, reads what stands
// behind them in the answer.
func (d *decoder) close(c byte) bool {
	d.i++
	if n := len(d.open); n == 0 || c != ']' {
		if d.lost {
			return true
		}
		d.lost = true
		return d.report(d.lineHere(), []byte{c}, fmt.Errorf("%w: %q closes nothing", call.ErrInvalid, c))
	}
	n := len(d.open) - 1
	d.open = d.open[:n]
	if n == 0 || d.open[n-1].bracket != '{' {
		return true
	}
	line := d.hold()
	d.row.reset()
	switch d.members(&d.row, true, 1) {
	case complete:
		d.noteLine(d.open[n-1].line)
		d.open = d.open[:n-1]
		return true
	case atList: // a second list of the same answer
		return d.openList()
	}
	d.open = d.open[:n-1]
	return d.broken(line, "page")
}

// other reports something that is neither a row nor a list.
func (d *decoder) other() bool {
	line := d.hold()
	kind := d.value(1)
	if kind == 0 {
		return d.broken(line, "record")
	}
	return d.report(line, d.head(), fmt.Errorf("%w: %s where a record must be", call.ErrInvalid, kind))
}

// broken reports what begins in the given line and could not be read to its
// end, and goes to the next place where a row can begin.
func (d *decoder) broken(line int64, what string) bool {
	if errors.Is(d.fault, io.ErrUnexpectedEOF) {
		if !errors.Is(d.err, errEnd) {
			return d.finish()
		}
		d.yield(call.Event{}, d.cutRecord(line, what))
		return false
	}
	err := d.fault
	if d.tooLarge() {
		err = errTooLarge
	}
	raw := d.resync(d.head(), len(d.open) > 0)
	if d.oneLiners && d.startsLine {
		d.open, d.lost = nil, true
	}
	return d.report(line, bytes.TrimRight(raw, ", \t\r\n"), err)
}

// report yields an error about one record.
func (d *decoder) report(line int64, raw []byte, err error) bool {
	return d.yield(call.Event{}, &call.SyntaxError{Line: line, Raw: raw, Err: err})
}

// finish is called when there is nothing more to read. It returns false.
func (d *decoder) finish() bool {
	switch {
	case !errors.Is(d.err, errEnd):
		d.yield(call.Event{}, fmt.Errorf("read line %d: %w", d.lineHere(), d.err))
	case len(d.open) > 0:
		d.yield(call.Event{}, cutList(d.open[len(d.open)-1].line))
	}
	return false
}

// noteLine is called behind a record or answer that began in the given line.
func (d *decoder) noteLine(line int64) {
	if len(d.open) == 0 || len(d.open) == 1 && d.open[0].bracket == '{' {
		d.oneLiners = d.oneLiners || line == d.lineHere()
	}
}
