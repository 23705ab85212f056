// Package csv reads calls from tables: text with a record a line, its fields
// between commas or other delimiters. What the columns mean is told by a map,
// a small YAML file that docs/import-csv.md explains.
//
// It knows RFC 4180, how broken files depart from it, and the fields of a
// [call.Row]. It knows no product: their columns differ from site to site, so
// that whoever has the file writes the map.
package csv

import (
	"math"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Open returns the decoder of the tables that the given map describes. Its
// errors name the line of the map and wrap [call.ErrInvalid].
//
// Each record yields a [call.RecordEvent]. Its row is settled by the witness
// that the map names, in the fields that the map speaks of and in those that
// follow from them.
//
// The function note is told what is left out of an input, or read in another way
// than it stands there. It may be nil.
func Open(yaml []byte, note func(text string)) (call.Decoder, error) {
	m, err := parseMap(yaml)
	if err != nil {
		return nil, err
	}
	m.dialect.Note = note
	return Table(m.dialect, m.bind), nil
}

// bind returns the function that makes an event of a record, given the names
// in the table's header.
func (m *tableMap) bind(header []string) (func([]string) (call.Event, error), error) {
	names := m.columns
	if !m.dialect.Headerless {
		names = header
	}
	b := binding{tableMap: m}
	for _, f := range m.fields {
		at, err := f.columns.find(names, m.dialect.Headerless)
		if err != nil {
			return nil, err
		}
		b.twins = append(b.twins, f.columns.twins(names, at)...)
		b.fields = append(b.fields, boundField{f, at})
	}
	var err error
	if b.key, err = m.key.find(names, m.dialect.Headerless); err != nil {
		return nil, err
	}
	b.twins = append(b.twins, m.key.twins(names, b.key)...)
	return b.event, nil
}

// A binding is a map whose columns have been found in a table.
type binding struct {
	*tableMap
	fields []boundField
	key    []int
	twins  []twin
}

type boundField struct {
	fieldMap
	at []int // the columns
}

// A fieldSet is a set of fields.
type fieldSet uint32

func (s fieldSet) has(f call.Field) bool { return s>>f&1 != 0 }

// event makes an event of the fields of a record.
func (b *binding) event(record []string) (e call.Event, err error) {
	if err := checkTwins(b.twins, record); err != nil {
		return e, err
	}
	var d draft
	for i := range b.fields {
		f := &b.fields[i]
		s, err := f.text(record)
		if err != nil {
			return e, err
		}
		if err := b.set(&d, f, s); err != nil {
			return e, err
		}
	}
	if err := d.settleTimes(); err != nil {
		return e, err
	}
	e = d.Event
	r := &e.Row
	r.Normalize(b.numbers.clean)
	said := d.said | b.derive(r, d.said)
	r.Settle(b.witness, false)
	for f := range call.NumFields {
		// A zero that is said, such as a duration of no second, counts.
		if said.has(f) && f.Type() != call.ID && f.Type() != call.Text {
			r.By[f] = b.witness
		}
	}
	if err := checkTimes(r); err != nil {
		return e, err
	}
	e.Call = b.name(record, e.Call)
	e.Kind = call.RecordEvent
	return e, nil
}

// name names the call within its source: by the key of the map, or else by the
// record's id, or else by all that the record says.
func (b *binding) name(record []string, id string) string {
	var key []string
	for _, i := range b.key {
		if s := strings.TrimSpace(record[i]); s != "" {
			key = append(key, s)
		}
	}
	switch {
	case len(key) > 0 && len(key) == len(b.key):
		// A hash, because the name of a call may be logged and numbers may
		// not.
		return call.NameGUID(append([]string{"csv key"}, key...)...).String()
	case id != "":
		return id
	}
	return call.NameGUID(append([]string{"csv record"}, record...)...).String()
}

// derive fills in what follows from the fields that the record speaks of, and
// returns the fields that it has settled. A call is successful if it was
// answered, and its duration is what passed from then to its end.
func (b *binding) derive(r *call.Row, said fieldSet) (settled fieldSet) {
	const ends = 1<<call.FieldEnd | 1<<call.FieldFailure
	if !said.has(call.FieldSuccessful) {
		answered := !r.Start.IsZero() || !b.mapped[call.FieldStart] && r.Duration > 0
		r.Successful = answered && r.Failure.IsZero()
		settled |= 1 << call.FieldSuccessful
	}
	if !r.Successful {
		fail(r)
		return settled | ends | 1<<call.FieldDuration
	}
	seconds := time.Duration(r.Duration) * time.Second
	if r.Start.IsZero() && !r.End.IsZero() && r.Duration > 0 {
		r.Start = r.End.Add(-seconds)
	}
	if r.End.IsZero() && !r.Start.IsZero() && r.Duration > 0 {
		r.End = r.Start.Add(seconds)
	}
	if r.End.IsZero() {
		return settled
	}
	if !said.has(call.FieldDuration) && !r.Start.IsZero() && r.End.After(r.Start) {
		r.Duration = int32(min(r.End.Sub(r.Start)/time.Second, math.MaxInt32))
	}
	return settled | ends | 1<<call.FieldDuration
}

// fail gives a call that failed its times. Records have one column for the end
// of whatever happened; in Graph only a call that was established has an end. A
// start that the record does not tell is not made up here: a later record of the
// same call may tell it.
func fail(r *call.Row) {
	if r.Failure.IsZero() {
		r.Failure = r.End
	}
	r.End = time.Time{}
}
