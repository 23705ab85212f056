// Package teams reads what the Teams admin centre exports under "PSTN and SMS
// usage", Direct Routing: the archive Calls.Export.*.zip, or the CSV in it.
//
// The archive holds DirectRouting.calls.*.csv, which is read, perhaps
// PSTN.calls.*.csv, which is about Microsoft's Calling Plans, and
// parameters.json.
//
// It knows the columns of the export, old and new, and how to open an archive
// that somebody else made. How a CSV is taken apart it is told by whoever calls
// [New]. It does not know where the bytes come from.
//
// Source: learn.microsoft.com, "Microsoft Teams PSTN usage report", section
// "Exported CSV".
package teams

import (
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/trunklog/trunklog/call"
)

// New returns the decoder of the export. The parameter table makes a decoder
// of CSV text: it calls columns once with the header, and what that returns
// once for each record. The function note, if it is not nil, is told what an
// archive holds that is left out on purpose, such as the calls of Calling
// Plans.
//
// Each record yields a [call.RecordEvent], settled by [call.AdminExport] as a
// complete witness of the columns that the export has. The export has no row
// ids: Event.Call is made from what the record says, and is the same whenever
// it says that.
func New(
	table func(columns func(header []string) (event func(fields []string) (call.Event, error), err error)) call.Decoder,
	note func(text string),
) call.Decoder {
	if note == nil {
		note = func(string) {}
	}
	text := table(bind)
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			r, zipped, err := isZip(r)
			switch {
			case err != nil:
				yield(call.Event{}, err)
			case zipped:
				decodeZip(r, text, note, yield)
			default:
				text(r)(yield)
			}
		}
	}
}

// isZip reports whether r begins as an archive does, and returns a reader of
// all that r would have given.
func isZip(r io.Reader) (io.Reader, bool, error) {
	magic := make([]byte, 4)
	if f, size, ok := sized(r); ok {
		n, err := f.ReadAt(magic, 0)
		if err != nil && err != io.EOF {
			return nil, false, fmt.Errorf("read: %w", err)
		}
		if isMagic(magic[:n]) {
			return io.NewSectionReader(f, 0, size), true, nil
		}
		return r, false, nil
	}
	n, err := io.ReadFull(r, magic)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, false, fmt.Errorf("read: %w", err)
	}
	return io.MultiReader(bytes.NewReader(magic[:n]), r), isMagic(magic[:n]), nil
}

// isMagic reports whether b begins an archive: with its first file, or with
// its directory if it has none.
func isMagic(b []byte) bool {
	return bytes.HasPrefix(b, []byte("PK\x03\x04")) || bytes.HasPrefix(b, []byte("PK\x05\x06"))
}

// sized returns what is still to be read from r if r can be read at any place,
// and how much that is.
func sized(r io.Reader) (io.ReaderAt, int64, bool) {
	f, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, false
	}
	here, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0, false // such as a pipe
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, false
	}
	if _, err := f.Seek(here, io.SeekStart); err != nil || end < here {
		return nil, 0, false
	}
	return io.NewSectionReader(f, here, end-here), end - here, true
}
