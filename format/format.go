// Package format is the table of record formats: the files and streams in
// which calls come, and what reads them.
//
// A format is a folder of its own that knows [call] and its own library, and
// one line in the table below; docs/adding-a-format.md tells how to add one.
// The table also does what all text needs before it is read.
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

// Options say what a format must know besides its input. The zero value works
// for all but csv.
type Options struct {
	// Map says what the columns of a table mean: YAML, of format csv only. See
	// docs/import-csv.md.
	Map []byte
	// Note is told what an input holds that is left out on purpose, in words
	// for whoever imports it. It may be nil.
	Note func(text string)
	// Preview says that a map is tried: Note is also told for which values its
	// defaults stand. Of format csv only.
	Preview bool
	// Only reports which of the files in an archive, by their paths as of [Told], are
	// read. It may be nil: then all of them are.
	Only func(name string) bool
}

// formats is the table. Whoever adds a line adds a folder with testdata.
//
// A format is asked whether a file looks like one of its own by the first bytes of
// the file, text in UTF-8. Of csv each map is asked: see [Kinds].
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

// beginsTable reports whether what r gives is a table in the columns of Graph. Of
// JSON it waits for no more than its first character.
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

// tables returns the decoder of files that hold tables, given that of a table.
func tables(d call.Decoder, o Options) call.Decoder {
	return reading{decode: text(d), sheets: d, begins: func(head []byte) bool { return !isJSON(head) }, note: o.Note, only: o.Only}.decoder()
}

// isJSON reports whether text that begins with head, which is not empty, is to be
// taken for JSON.
func isJSON(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// Open returns the decoder of the format with the given name. Its errors wrap
// [call.ErrInvalid]: the format is not known, or the options do not fit it.
// The decoder may be used for many inputs, also at once.
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
