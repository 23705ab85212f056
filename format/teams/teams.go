// Package teams reads what the Teams admin centre exports under "PSTN and SMS usage", Direct
// Routing: the archive Calls.Export.*.zip, or the CSV in it.
//
// The archive holds DirectRouting.calls.*.csv, which the package reads, perhaps PSTN.calls.*.csv,
// which is about Microsoft's Calling Plans, and parameters.json.
//
// The package knows the columns of the export, old and new. The caller of [New] opens archives and
// parses tables.
//
// Source: learn.microsoft.com, "Microsoft Teams PSTN usage report", section "Exported CSV".
package teams

import (
	"github.com/trunklog/trunklog/call"
)

// New returns the decoder of the export. The parameter table makes a decoder of CSV text: it calls
// columns with a row that may be the header, and the function that columns returns once for each
// record.
//
// Each record yields a [call.RecordEvent], settled by [call.AdminExport] as a complete witness of
// the columns that the export has. The export has no row ids: Event.Call is a hash of the record's
// values, so that the same record always has the same name.
func New(table func(columns func(header []string) (event func(fields []string) (call.Event, error), err error)) call.Decoder) call.Decoder {
	return table(Bind)
}
