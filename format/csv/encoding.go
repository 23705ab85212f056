package csv

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/trunklog/trunklog/call"
)

// An Encoding maps characters to bytes.
type Encoding uint8

// The encodings. Another layer decodes UTF-16 before this one.
const (
	// Guess is UTF-8, or Windows-1252 if the text is not UTF-8 and no earlier record was certainly
	// UTF-8.
	Guess Encoding = iota
	UTF8
	Latin1      // ISO 8859-1
	Windows1252 // "ANSI" in spreadsheets of Western Europe and the Americas
)

// encodings are their names in a map. UTF-16 shows in the bytes themselves.
var encodings = []struct {
	name string
	is   Encoding
}{
	{"utf-8", UTF8},
	{"windows-1252", Windows1252},
	{"latin1", Latin1},
	{"utf-16", Guess},
	{"utf8", UTF8},
	{"cp1252", Windows1252},
	{"ansi", Windows1252},
	{"latin-1", Latin1},
	{"iso-8859-1", Latin1},
	{"utf16", Guess},
	{"utf-16le", Guess},
	{"utf-16be", Guess},
}

// encodingNamed returns the encoding with the given name, in any case.
func encodingNamed(name string) (Encoding, error) {
	for _, e := range encodings {
		if strings.EqualFold(e.name, name) {
			return e.is, nil
		}
	}
	return 0, fmt.Errorf("%w: encoding %q: utf-8, utf-16, windows-1252 and latin1 are possible", call.ErrInvalid, name)
}

// A decoding converts the records of a table to UTF-8.
type decoding struct {
	encoding Encoding
	seen     bool // some text can only be UTF-8
	guessed  bool // some text was taken for Windows-1252
	buf      []byte
}

var (
	errUTF8  = fmt.Errorf("%w: the text is not UTF-8", call.ErrInvalid)
	errMixed = fmt.Errorf("%w: the text is neither UTF-8 nor Windows-1252, or other records are UTF-8 and this is not", call.ErrInvalid)
)

// utf8 returns b in UTF-8, valid until the next call.
func (d *decoding) utf8(b []byte) ([]byte, error) {
	if d.encoding <= UTF8 {
		if utf8.Valid(b) {
			d.seen = d.seen || d.encoding == Guess && utf8.RuneCount(b) < len(b)
			return b, nil
		}
		switch {
		case d.encoding == UTF8:
			return nil, errUTF8
		case d.seen:
			return nil, errMixed
		}
	}
	table := charmap.Windows1252
	if d.encoding == Latin1 {
		table = charmap.ISO8859_1
	}
	d.buf = d.buf[:0]
	for _, c := range b {
		u := table.DecodeByte(c)
		if d.encoding == Guess && 0x80 <= u && u < 0xa0 {
			return nil, errMixed // bytes that Windows-1252 does not have
		}
		d.buf = utf8.AppendRune(d.buf, u)
	}
	d.guessed = d.guessed || d.encoding == Guess
	return d.buf, nil
}
