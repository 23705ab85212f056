// Package format is the table of record formats: the files and streams in
// which calls come, and what reads them.
//
// A format is a folder of its own that knows [call] and its own library, and
// one line in the table below; docs/adding-a-format.md tells how to add one.
// The table also does what all text needs before it is read.
package format

import (
	"fmt"
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
}

// formats is the table. Whoever adds a line adds a folder with testdata.
var formats = []struct {
	name string
	open func(o Options) (call.Decoder, error)
}{
	{"graph", openGraph},
	{"teams", openTeams},
	{"csv", openCSV},
}

func openGraph(o Options) (call.Decoder, error) {
	return reading{decode: text(graphjson.New(o.Note)), begins: isJSON, note: o.Note}.decoder(), nil
}

func openTeams(o Options) (call.Decoder, error) {
	return tables(teams.New(func(columns func([]string) (func([]string) (call.Event, error), error)) call.Decoder {
		return csv.Table(csv.Dialect{Note: o.Note}, columns)
	}), o.Note), nil
}

func openCSV(o Options) (call.Decoder, error) {
	open := csv.Open
	if o.Preview {
		open = csv.Preview
	}
	d, err := open(o.Map, o.Note)
	if err != nil {
		return nil, err
	}
	return tables(d, o.Note), nil
}

// tables returns the decoder of files that hold tables, given that of a table.
func tables(d call.Decoder, note func(text string)) call.Decoder {
	return reading{decode: text(d), sheets: d, begins: func(b byte) bool { return !isJSON(b) }, note: note}.decoder()
}

func isJSON(b byte) bool { return b == '{' || b == '[' }

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
