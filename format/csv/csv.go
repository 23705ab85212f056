// Package csv reads calls from tables: text with a record a line, its fields between commas or
// other delimiters. A map says what the columns mean: a small YAML file that docs/import-csv.md
// explains.
//
// The package knows RFC 4180, how broken files depart from it, and the fields of a [call.Row]. Its
// code knows no product: columns differ from site to site, so that the user writes the map. The
// folder maps, which is part of the binary, has a map for each product whose columns are the same
// everywhere.
package csv

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Open returns the decoder of the tables that the given map describes. Its errors name the line of
// the map and wrap [call.ErrInvalid].
//
// Each record yields a [call.RecordEvent]. The witness that the map names settles its row, in the
// fields of the map and in those that follow from them.
//
// The decoder calls note, which may be nil, with a sentence on everything that it left out of an
// input or read differently from its literal text.
func Open(yaml []byte, note func(text string)) (call.Decoder, error) {
	m, err := parseMap(yaml)
	if err != nil {
		return nil, err
	}
	m.dialect.Note = note
	return m.decode, nil
}

// Preview is Open for a user who tries a map: at the end of an input, note also gets the values
// that defaults of the map replaced.
func Preview(yaml []byte, note func(text string)) (call.Decoder, error) {
	m, err := parseMap(yaml)
	if err != nil {
		return nil, err
	}
	m.dialect.Note, m.preview = note, true
	return m.decode, nil
}

// bind returns the function that makes an event of a record, given the names in the table's header.
func (in *input) bind(header []string) (func([]string) (call.Event, error), error) {
	names := in.columns
	if !in.dialect.Headerless {
		names = header
	}
	b := binding{input: in}
	for _, f := range in.fields {
		at, err := f.columns.find(names, in.dialect.Headerless)
		if err != nil {
			return nil, err
		}
		b.twins = append(b.twins, f.columns.twins(names, at)...)
		b.fields = append(b.fields, boundField{f, at})
	}
	var err error
	if b.key, err = in.key.find(names, in.dialect.Headerless); err != nil {
		return nil, err
	}
	b.twins = append(b.twins, in.key.twins(names, b.key)...)
	for i, c := range slices.Concat(in.skip, in.where) {
		at, err := c.column.find(names, in.dialect.Headerless)
		if err != nil {
			return nil, err
		}
		b.twins = append(b.twins, c.column.twins(names, at)...)
		b.conditions = append(b.conditions, boundCondition{c, at[0], i >= len(in.skip)})
	}
	return b.event, nil
}

// A binding is a map together with the places of its columns in a table.
type binding struct {
	*input
	fields     []boundField
	key        []int
	twins      []twin
	conditions []boundCondition
}

type boundField struct {
	fieldMap
	at []int // the columns; -1 for an optional one that the table lacks
}

type boundCondition struct {
	condition
	at     int
	wanted bool // the condition must hold; otherwise it must not
}

// A fieldSet is a set of fields.
type fieldSet uint32

func (s fieldSet) has(f call.Field) bool { return s>>f&1 != 0 }

// event makes an event of the fields of a record.
func (b *binding) event(record []string) (e call.Event, err error) {
	if err := b.checkRecord(record); err != nil {
		return e, err
	}
	var d draft
	for i := range b.fields {
		f := &b.fields[i]
		s, err := b.text(f, record)
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
	r.Normalize(b.number)
	said := d.said | b.derive(r, d.said)
	r.Settle(b.witness, false)
	for f := range call.NumFields {
		// An explicit zero counts, such as a duration of 0 seconds.
		if said.has(f) && f.Type() != call.ID && f.Type() != call.Text {
			r.By[f] = b.witness
		}
	}
	if err := checkTimes(r); err != nil {
		return e, err
	}
	if e.Call, err = b.name(record, e.Call); err != nil {
		return call.Event{}, err
	}
	e.Kind = call.RecordEvent
	return e, nil
}

// checkRecord reports whether a record is a call, and an unambiguous one.
func (b *binding) checkRecord(record []string) error {
	if b.isHeader(record) {
		b.leftOut["it has the names of the columns"]++
		return errLeftOut
	}
	for i := range b.conditions {
		c := &b.conditions[i]
		value := c.match(field(record, c.at))
		switch {
		case c.wanted && value == nil:
			b.leftOut[c.column[0].name+" is not as wanted"]++
			return errLeftOut
		case !c.wanted && value != nil:
			b.leftOut[c.column[0].name+" is "+quote(*value)]++
			return errLeftOut
		}
	}
	return checkTwins(b.twins, record)
}

// isHeader reports whether a record of a table without a header, by its map, is one nevertheless:
// it holds the names of the map's columns.
func (b *binding) isHeader(record []string) bool {
	if len(b.columns) == 0 || !strings.EqualFold(field(record, 0), b.columns[0]) {
		return false
	}
	const least = 3
	same := 0
	for i, name := range b.columns {
		if name != "" && strings.EqualFold(field(record, i), name) {
			same++
		}
	}
	return same >= least && 2*same > len(record)
}

// field returns one field of a record, without white space around it; empty if the record is too
// short.
func field(record []string, at int) string {
	if at < 0 || at >= len(record) {
		return ""
	}
	return strings.TrimSpace(record[at])
}

// number applies the number rules of the map.
func (b *binding) number(s string) string {
	clean, bare := b.numbers.clean(s)
	if bare {
		b.bare++
	}
	return clean
}

// name names the call within its source: by the key of the map, or else by the record's id, or else
// by all values of the record.
func (b *binding) name(record []string, id string) (string, error) {
	key := make([]string, 1, 1+len(b.key))
	key[0] = "csv key"
	for _, i := range b.key {
		if s := field(record, i); s != "" {
			key = append(key, s)
		}
	}
	switch {
	case len(key) > 1 && len(key) == 1+len(b.key):
		if err := checkKey(key[1:]); err != nil {
			return "", err
		}
		// A hash, because logs may hold the name of a call but no numbers.
		id = call.NameGUID(key...).String()
		key = key[1:]
	case id == "":
		return call.NameGUID(append([]string{"csv record"}, record...)...).String(), nil
	default:
		key = []string{id}
	}
	if b.keys.meet(id, record) && b.keys.first == "" {
		b.keys.first = quote(strings.Join(key, " "))
	}
	return id, nil
}

// checkKey refuses a key whose last digits a spreadsheet has lost, which many calls would share.
func checkKey(key []string) error {
	for _, s := range key {
		if !strings.Contains(s, "+") {
			continue
		}
		if _, err := call.TidyNumber(s); err != nil {
			return fmt.Errorf("%w: key: %s", call.ErrInvalid, withoutInvalid(err))
		}
	}
	return nil
}

// derive fills in fields that follow from those in said, and returns all settled fields. A call is
// successful if it was answered, and its duration is the time from then to its end.
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

// fail sets the times of a failed call. Records have one column for the end of any call; in Graph
// only an established call has an end. It does not invent a missing start: a later record of the
// same call may have it.
func fail(r *call.Row) {
	if r.Failure.IsZero() {
		r.Failure = r.End
	}
	r.End = time.Time{}
}
