package csv

import (
	"bytes"
	"errors"

	"github.com/trunklog/trunklog/call"
)

// HasHeader reports whether a table that begins with head has a header that is known,
// with whatever delimiter and behind whatever titles: see [Table].
func HasHeader(head []byte, known func(header []string) bool) bool {
	found := false
	columns := func(header []string) (func([]string) (call.Event, error), error) {
		if found = found || known(header); !found {
			return nil, call.ErrInvalid
		}
		return func([]string) (call.Event, error) { return call.Event{}, errLeftOut }, nil
	}
	// The header comes before the first record, which nobody wants.
	Table(Dialect{}, columns)(bytes.NewReader(head))(func(call.Event, error) bool { return false })
	return found
}

// Fits reports whether a table that begins with head is one that the map describes:
// whether its header has the columns, or, if it has none, whether its first record can
// be read, and half of all at least. Whole says that head is all of it; else its
// last line is not looked at.
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

// LooksLikeTable reports whether a text that begins with head looks like a table: its
// first line that is not empty has three fields at least.
func LooksLikeTable(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, " \r\n"), []byte{'\n'})
	for i := range len(delimiters) {
		if bytes.Count(line, []byte{delimiters[i]}) >= 2 {
			return true
		}
	}
	return false
}
