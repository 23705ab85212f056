package format

import (
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/trunklog/trunklog/call"
)

// beginnings are how files begin that are not UTF-8 text, and what to do about
// them. The longer ones come first.
var beginnings = []struct{ bytes, what, remedy string }{
	{"\xff\xfe\x00\x00", "UTF-32 text", convert},
	{"\x00\x00\xfe\xff", "UTF-32 text", convert},
	{"\xff\xfe", "UTF-16 text", convert},
	{"\xfe\xff", "UTF-16 text", convert},
	{"\x1f\x8b", "compressed with gzip", "unpack it first, such as by gunzip"},
	{"PK\x03\x04", "a zip archive", "unpack it first"},
}

const convert = "convert it to UTF-8, in PowerShell by Get-Content FILE | Set-Content -Encoding utf8 NEW, elsewhere by iconv"

// text makes a decoder of text accept a byte order mark of UTF-8, and say what
// is wrong with a file that is not UTF-8 at all.
func text(d call.Decoder) call.Decoder {
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			head := make([]byte, 4)
			n, err := io.ReadFull(r, head)
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				yield(call.Event{}, fmt.Errorf("read: %w", err))
				return
			}
			head = head[:n]
			for _, b := range beginnings {
				if bytes.HasPrefix(head, []byte(b.bytes)) {
					yield(call.Event{}, fmt.Errorf("%w: the file is %s: %s", call.ErrInvalid, b.what, b.remedy))
					return
				}
			}
			head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
			d(io.MultiReader(bytes.NewReader(head), r))(yield)
		}
	}
}
