package graphjson

import (
	"bytes"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

// A wrapping is an open list, '[', or object, '{', that holds records: an answer of Graph, or what
// a script saved of a request.
type wrapping struct {
	bracket byte
	line    int64 // where it begins

	rows bool // of a list: it holds a record that is neither

	// Of an object:
	in    property // the one that holds the records
	ended bool     // its value has ended
	next  bool     // it has a nextLink
	rowOf family   // the family of its rows by its context
	links int      // of $batch: how many answers had a nextLink
}

// enterable reports, in front of the value of a property, whether it may hold records: within if
// so, complete if not. It judges the value by its first byte.
func (d *decoder) enterable(p property) outcome {
	d.row.inner = p
	switch k := d.dec.PeekKind(); {
	case d.row.status(d.buf[d.start:]) >= badStatus:
		return complete
	case k == '{' || k == '[':
		d.i = d.following(d.at())
		return within
	case k != '"' || p != propertyBody || d.texts >= maxTexts:
		return complete
	}
	at := d.following(d.at()) - d.start + 1
	text := func() []byte { return d.buf[d.start+at : min(d.end, d.start+at+beginning)] }
	for len(text()) < beginning && bytes.IndexByte(text(), '"') < 0 && d.fill() {
	}
	if encodingOf(text()) == noJSON {
		return complete
	}
	d.i = d.start + at - 1
	return within
}

// enter enters an object in front of the value that holds its records.
//
// An answer within the rows of another means that the other one was cut off.
func (d *decoder) enter(line int64) bool {
	if n := len(d.open); n > 1 && d.open[n-1].rows && d.open[n-2].in == propertyValue && !d.cutOff() {
		return false
	}
	w := wrapping{bracket: '{', line: line, in: d.row.inner}
	d.learn(&w)
	return d.push(w, "page")
}

// cutOff reports the outermost open answer as cut off, and leaves it.
func (d *decoder) cutOff() bool {
	for i, w := range d.open {
		if w.bracket == '{' {
			d.open, d.lost = d.open[:i], true
			return d.report(w.line, nil, fmt.Errorf("%w: the page that begins in line %d breaks off before its end", call.ErrInvalid, w.line))
		}
	}
	return true
}

// push begins a list or an object. At most maxOpen may begin within each other.
func (d *decoder) push(w wrapping, what string) bool {
	if len(d.open) >= maxOpen {
		d.fault = fmt.Errorf("%w: more than %d lists and answers within each other", call.ErrInvalid, maxOpen)
		d.open, d.lost = nil, true
		d.i++
		return d.broken(w.line, what)
	}
	d.open = append(d.open, w)
	return true
}

// learn reads the other members of an answer, as far as they have come.
func (d *decoder) learn(w *wrapping) {
	b := d.buf[d.start:]
	if v := d.row.values[propertyContext]; v.kind == '"' {
		w.rowOf = contextFamily(appendText(nil, b[v.from:v.to]))
	}
	if v := d.row.values[propertyNext]; v.kind == '"' && int(v.to-v.from) > len(`""`) {
		w.next = true
	}
}

// page returns the family that the wrapping names for the rows here.
func (d *decoder) page() family {
	for i := len(d.open) - 1; i >= 0; i-- {
		if f := d.open[i].rowOf; f != unsaid {
			return f
		}
	}
	return d.around
}

// ended notes that a value has ended.
func (d *decoder) ended() {
	if n := len(d.open); n > 0 && d.open[n-1].bracket == '{' {
		d.open[n-1].ended = true
	}
}

// rest reads the members of an object behind the value with its records.
func (d *decoder) rest() bool {
	line := d.hold()
	w := &d.open[len(d.open)-1]
	switch d.members(true) {
	case complete:
		d.learn(w)
		d.leave()
		return true
	case within: // there is more than one, as in merged answers
		d.learn(w)
		w.in, w.ended = d.row.inner, false
		return true
	case tooLarge:
		return d.large(line)
	}
	d.open = d.open[:len(d.open)-1]
	return d.broken(line, "page")
}

// leave leaves an object behind its end.
func (d *decoder) leave() {
	n := len(d.open) - 1
	w := d.open[n]
	d.open = d.open[:n]
	switch {
	case w.in == propertyResponses:
		d.tally.links += w.links
	case w.in != propertyValue || w.rowOf > direct:
	default:
		links := &d.tally.links
		if d.tally.links > 0 {
			d.tally.links-- // the nextLink of the one before led here
		}
		for i := range d.open {
			if d.open[i].in == propertyResponses {
				links = &d.open[i].links // its pages do not follow each other
			}
		}
		if w.next {
			*links++
		}
	}
	d.noteLine(w.line)
	d.ended()
}
