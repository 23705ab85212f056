package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/trunklog/trunklog/call"
)

// text makes a decoder of UTF-8 text accept a byte order mark, and UTF-16 with or without one. For
// UTF-32 it returns an error that says what to do.
func text(d call.Decoder) call.Decoder {
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			r, err := utf8Text(r)
			if err != nil {
				yield(call.Event{}, err)
				return
			}
			d(r)(yield)
		}
	}
}

// utf8Text returns a reader of the text of r in UTF-8, without a byte order mark.
func utf8Text(r io.Reader) (io.Reader, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = head[:n]
	begins := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	if begins("\xff\xfe\x00\x00") || begins("\x00\x00\xfe\xff") {
		return nil, fmt.Errorf("%w: the file is UTF-32 text: convert it to UTF-8, in PowerShell by Get-Content FILE | Set-Content -Encoding utf8 NEW, elsewhere by iconv", call.ErrInvalid)
	}
	whole := io.MultiReader(bytes.NewReader(head), r)
	switch {
	case begins("\xff\xfe"), isWide(head, 1):
		return transform.NewReader(whole, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), nil
	case begins("\xfe\xff"), isWide(head, 0):
		return transform.NewReader(whole, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), nil
	case begins("\xef\xbb\xbf"):
		return io.MultiReader(bytes.NewReader(head[3:]), r), nil
	}
	return whole, nil
}

// headSize is how much of a file the package reads to find its format, in bytes.
const headSize = 64 << 10

// textOf returns the first bytes of a file as UTF-8 text, or unchanged if utf8Text does not know
// their encoding.
func textOf(head []byte) []byte {
	r, err := utf8Text(bytes.NewReader(head))
	if err != nil {
		return head
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return head
	}
	return text
}

// isWide reports whether b begins with characters of two bytes of which the one at
// zero, 0 or 1, is zero: ASCII in UTF-16, as all formats begin.
func isWide(b []byte, zero int) bool {
	return len(b) == 4 && b[zero] == 0 && b[zero+2] == 0 && b[1-zero] != 0 && b[3-zero] != 0
}
