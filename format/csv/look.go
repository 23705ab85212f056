package csv

import (
	"bytes"
	"errors"

	"github.com/trunklog/trunklog/call"
)

// HasHeader reports whether a table that begins with head has a known header, with whatever
// delimiter and behind whatever titles: see [Table].
func HasHeader(head []byte, known func(header []string) bool) bool {
	found := false
	columns := func(header []string) (func([]string) (call.Event, error), error) {
		if found = found || known(header); !found {
			return nil, call.ErrInvalid
		}
		return func([]string) (call.Event, error) { return call.Event{}, errLeftOut }, nil
	}
	// The header comes before the first record, at which the loop ends.
	Table(Dialect{}, columns)(bytes.NewReader(head))(func(call.Event, error) bool { return false })
	return found
}

// Fits reports whether the map describes a table that begins with head: whether its header has the
// columns, or, if the table has none, whether the map can read its first record and at least half
// of all. Whole says that head is the full table; if not, Fits skips its last line.
func Fits(yaml, head []byte, whole bool) bool {
	m, err := parseMap(yaml)
	if err != nil {
		return false
	}
	if !m.dialect.Headerless {
		return HasHeader(head, func(header []string) bool {
			_, err := (&input{tableMap: m}).bind(header)
			return err == nil
		})
	}
	if !whole {
		head = head[:bytes.LastIndexByte(head, '\n')+1]
	}
	good, bad := 0, 0
	for _, err := range m.decode(bytes.NewReader(head)) {
		var syntax *call.SyntaxError
		switch {
		case err == nil:
			good++
		case good == 0 || !errors.As(err, &syntax):
			return false
		default:
			bad++
		}
	}
	return good > 0 && good >= bad
}

// LooksLikeTable reports whether a text that begins with head looks like a table: its first line
// that is not empty has at least three fields.
func LooksLikeTable(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, " \r\n"), []byte{'\n'})
	for i := range len(delimiters) {
		if bytes.Count(line, []byte{delimiters[i]}) >= 2 {
			return true
		}
	}
	return false
}
