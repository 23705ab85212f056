package format

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/archive"
	own "github.com/trunklog/trunklog/format/csv"
	"github.com/trunklog/trunklog/format/xlsx"
)

// A Kind is the kind of a file, found from its contents.
type Kind struct {
	Name string // of the format
	Map  string // for csv: the name of the built-in map
}

// A Told is the result of [Tell] for one file, or one in an archive.
type Told struct {
	Name  string // its path in the archives that it was in; empty if it was in none
	Kind  Kind   // zero if unknown
	Sheet bool   // it is a sheet of a workbook
	Empty bool   // it holds nothing
	Why   error  // why its kind is unknown; wraps [call.ErrInvalid]
}

// Tell finds the kind of r from its first bytes, never from its name: one kind for r, or one for
// each file in it if r is an archive, or for each visible sheet of a workbook. It reads no further,
// so the rest may still be anything.
//
// A table whose header is of no known format is csv if it fits the given map, or, without one, if
// it fits exactly one of the built-in maps and that one knows the zone of its times. For a file of
// no format in the table, Tell asks more about its first bytes.
//
// The error says why an archive could not be read on. The kinds found before stand.
func Tell(r io.Reader, yaml []byte, more func(head []byte) (name string, ok bool)) (all []Told, err error) {
	t := teller{yaml: yaml, more: more}
	err = archive.Walk(r, func(f archive.File) error {
		if f.Document != nil {
			return t.document(f)
		}
		is := Told{Name: f.Name, Why: f.Refused}
		if f.Refused == nil {
			buf := bufio.NewReaderSize(f.Reader, headSize)
			head, err := buf.Peek(headSize)
			if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
				return err
			}
			t.tell(&is, head, err != nil)
		}
		t.all = append(t.all, is)
		return nil
	})
	return t.all, err
}

// A teller is the state of Tell.
type teller struct {
	yaml []byte
	more func(head []byte) (string, bool)
	all  []Told
}

// tell finds the kind of the file that begins with head, which may be the whole of it.
func (t *teller) tell(is *Told, head []byte, whole bool) {
	if name, ok := t.more(head); ok {
		is.Kind.Name = name
		return
	}
	text := textOf(head)
	if len(bytes.TrimSpace(text)) == 0 {
		is.Empty = true
		return
	}
	for _, f := range formats {
		if f.looks != nil && f.looks(text) {
			is.Kind.Name = f.name
			return
		}
	}
	is.Kind, is.Why = t.mapped(text, whole)
}

var errUnknown = fmt.Errorf("%w: it is of no format that is known here", call.ErrInvalid)

// mapped finds the map by which a table can be read.
func (t *teller) mapped(head []byte, whole bool) (Kind, error) {
	switch {
	case bytes.IndexByte(head, 0) >= 0:
		return Kind{}, errUnknown
	case isJSON(head):
		return Kind{}, fmt.Errorf("%w: it is JSON, with no property of Graph's at its beginning", call.ErrInvalid)
	case len(t.yaml) > 0 && own.Fits(t.yaml, head, whole):
		return Kind{Name: "csv"}, nil
	case len(t.yaml) > 0:
		return Kind{}, fmt.Errorf("%w: it is of no format that is known here, and no table of which the map speaks", call.ErrInvalid)
	}
	var fit []string
	for _, name := range own.ReadyMaps() {
		if yaml, _ := own.ReadyMap(name); own.Fits(yaml, head, whole) {
			fit = append(fit, name)
		}
	}
	switch {
	case len(fit) == 1 && !own.KnowsZone(fit[0]):
		return Kind{}, fmt.Errorf("%w: the map %s fits it, but nothing says in which zone its times are: 'trunklog import csv --map %s --preview 5 FILE' takes them for UTC, and 'trunklog import csv --maps %s' prints the map, in which another zone can be written", call.ErrInvalid, fit[0], fit[0], fit[0])
	case len(fit) == 1:
		return Kind{Name: "csv", Map: fit[0]}, nil
	case len(fit) > 1:
		return Kind{}, fmt.Errorf("%w: it is a table that the maps %s all fit: say which one is right by 'trunklog import csv --map %s FILE'; --preview 5 shows what it makes of it", call.ErrInvalid, strings.Join(fit, ", "), fit[0])
	case own.LooksLikeTable(head):
		return Kind{}, fmt.Errorf("%w: its columns are of no format that is known here; if it is a table of calls, try 'trunklog import csv --map MAP --preview 5 FILE' with a map of your own (docs/import-csv.md), or with one of %s", call.ErrInvalid, strings.Join(own.ReadyMaps(), ", "))
	}
	return Kind{}, errUnknown
}

// document finds the kinds of the sheets of a workbook from their first rows.
func (t *teller) document(f archive.File) (err error) {
	book, err := xlsx.Open(f.Document.Open)
	var broken *archive.BrokenError
	if errors.As(err, &broken) {
		return err
	}
	if err != nil {
		t.all = append(t.all, Told{Name: f.Name, Why: err})
		return nil
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	for _, s := range book.Sheets {
		if s.Hidden {
			continue
		}
		is := Told{Name: sheetName(f.Name, s.Name), Sheet: true}
		head, whole, err := firstRows(book, s)
		if err != nil {
			return err
		}
		t.tell(&is, head, whole)
		t.all = append(t.all, is)
	}
	return nil
}

// sheetName returns the name of a sheet among files. It is not cut, because only the full name
// tells sheets apart.
func sheetName(file, sheet string) string {
	return fmt.Sprintf("sheet %q", path.Join(file, sheet))
}

// firstRows returns the first rows of a sheet as CSV, and whether they are all.
func firstRows(book *xlsx.Book, s xlsx.Sheet) (head []byte, whole bool, err error) {
	const most = 100
	rows, err := book.Rows(s)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for range most {
		_, fields, err := rows.Row()
		if errors.Is(err, io.EOF) {
			whole = true
			break
		}
		if err != nil {
			return nil, false, err
		}
		if err := w.Write(fields); err != nil {
			return nil, false, err
		}
		if w.Flush(); b.Len() >= headSize {
			break
		}
	}
	w.Flush()
	return b.Bytes(), whole, nil
}
