// Package format is the table of record formats: the files and streams that hold calls, and their
// decoders.
//
// A format is a folder of its own that knows [call] and its own library, and one line in the table
// below; docs/adding-a-format.md explains how to add one. The table also does what all text needs
// before decoding.
package format

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/csv"
	"github.com/trunklog/trunklog/format/graphjson"
	"github.com/trunklog/trunklog/format/teams"
)

// Options are what a format must know besides its input. The zero value works for all but csv.
type Options struct {
	// Map says what the columns of a table mean: YAML, of format csv only. See
	// docs/import-csv.md.
	Map []byte
	// Note receives a sentence for the importing user on everything that a decoder leaves out on
	// purpose. It may be nil.
	Note func(text string)
	// Preview says that the user is trying a map: Note also receives the values that its defaults
	// have replaced. For format csv only.
	Preview bool
	// Only reports whether to read a file in an archive, by its path as in [Told]. Nil means all of
	// them.
	Only func(name string) bool
}

// formats is the table. A new line needs a folder with testdata.
//
// looks reports by the first bytes of a file, as UTF-8 text, whether it is of the format. For csv
// Tell asks each map instead: see [Kind].
var formats = []struct {
	name  string
	open  func(o Options) (call.Decoder, error)
	looks func(head []byte) bool
}{
	{"graph", openGraph, looksGraph},
	{"teams", openTeams, looksTeams},
	{"csv", openCSV, nil},
}

// openGraph opens JSON, or a table whose columns are named as in JSON.
func openGraph(o Options) (call.Decoder, error) {
	table := csv.Table(csv.Dialect{Note: o.Note}, graphjson.Bind)
	rows := graphjson.New(o.Note)
	either := func(r io.Reader) iter.Seq2[call.Event, error] {
		buf := bufio.NewReaderSize(r, headSize)
		if beginsTable(buf) {
			return table(buf)
		}
		return rows(buf)
	}
	return reading{decode: text(either), sheets: table, begins: func(head []byte) bool {
		return isJSON(head) || isGraphTable(head)
	}, note: o.Note, only: o.Only}.decoder(), nil
}

// beginsTable reports whether r holds a table with Graph's columns. For JSON it waits for the first
// character only.
func beginsTable(r *bufio.Reader) bool {
	for n := 1; ; n++ {
		head, err := r.Peek(n)
		if head = bytes.TrimSpace(head); len(head) > 0 && isJSON(head) || err != nil {
			return false
		}
		if len(head) > 0 {
			break
		}
	}
	head, _ := r.Peek(headSize) // an error comes again
	return isGraphTable(head)
}

func isGraphTable(head []byte) bool {
	return !isJSON(head) && csv.HasHeader(head, func(header []string) bool {
		_, err := graphjson.Bind(header)
		return err == nil
	})
}

func looksGraph(head []byte) bool { return graphjson.Looks(head) || isGraphTable(head) }

func openTeams(o Options) (call.Decoder, error) {
	return tables(teams.New(func(columns func([]string) (func([]string) (call.Event, error), error)) call.Decoder {
		return csv.Table(csv.Dialect{Note: o.Note}, columns)
	}), o), nil
}

func looksTeams(head []byte) bool { return !isJSON(head) && csv.HasHeader(head, teams.Looks) }

func openCSV(o Options) (call.Decoder, error) {
	open := csv.Open
	if o.Preview {
		open = csv.Preview
	}
	d, err := open(o.Map, o.Note)
	if err != nil {
		return nil, err
	}
	return tables(d, o), nil
}

// tables makes of the decoder of one table that of files which hold tables.
func tables(d call.Decoder, o Options) call.Decoder {
	return reading{decode: text(d), sheets: d, begins: func(head []byte) bool { return !isJSON(head) }, note: o.Note, only: o.Only}.decoder()
}

// isJSON reports whether to read as JSON the text that begins with head, which is not empty.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// Open returns the decoder of the format with the given name. Its errors wrap [call.ErrInvalid]:
// the format is unknown, or the options do not fit it. Callers may use the decoder for many inputs,
// also at once.
func Open(name string, o Options) (call.Decoder, error) {
	for _, f := range formats {
		if f.name != name {
			continue
		}
		if len(o.Map) > 0 && name != "csv" {
			return nil, fmt.Errorf("%w: format %s needs no map: it is for format csv", call.ErrInvalid, name)
		}
		return f.open(o)
	}
	return nil, fmt.Errorf("%w: unknown format %q: %s are possible", call.ErrInvalid, name, strings.Join(Names(), ", "))
}

// Names returns the names of the formats.
func Names() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}
