package xlsx

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// maxToken is the most bytes of an element's text or attributes: Excel has no more
// than 32,767 characters in a cell.
const maxToken = 1 << 20

// A scan reads the elements of a part, one after another.
type scan struct {
	part string
	xml  *xml.Decoder
	in   *bounded
	file io.Closer
}

func newScan(part string, r io.ReadCloser) *scan {
	in := &bounded{Reader: r}
	return &scan{part: part, xml: xml.NewDecoder(in), in: in, file: r}
}

// next returns the next token, valid until the one after; io.EOF at the end.
func (s *scan) next() (xml.Token, error) {
	s.in.left = maxToken
	t, err := s.xml.RawToken()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, damaged(s.part, err)
	}
	return t, err
}

// text returns the text within the element that has just begun, without pronunciations (phonetic
// runs).
func (s *scan) text() (string, error) {
	var b strings.Builder
	var text string
	for depth, aside := 1, 0; depth > 0; {
		t, err := s.next()
		if err != nil {
			return "", s.cut(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			if aside > 0 || t.Name.Local == "rPh" {
				aside++
			}
		case xml.EndElement:
			depth--
			aside = max(0, aside-1)
		case xml.CharData:
			switch {
			case aside > 0:
			case text == "" && b.Len() == 0:
				text = string(t)
			case b.Len()+len(text)+len(t) > maxToken:
				return "", errLong(s.part)
			default:
				b.WriteString(text)
				text = ""
				b.Write(t)
			}
		}
	}
	return unescape(b.String() + text), nil
}

// cut returns the error of a part that ends too early.
func (s *scan) cut(err error) error {
	if errors.Is(err, io.EOF) {
		return damaged(s.part, io.ErrUnexpectedEOF)
	}
	return err
}

func errLong(part string) error {
	return fmt.Errorf("%w: a cell in %s of the workbook has more than %d bytes", call.ErrInvalid, part, maxToken)
}

// unescape decodes _xHHHH_, by which a text holds characters that XML forbids (ISO/IEC 29500-1,
// 22.9.2.19).
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "_x")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		const digits = 4
		if len(after) > digits && after[digits] == '_' {
			if n, err := strconv.ParseUint(after[:digits], 16, 16); err == nil {
				b.WriteRune(rune(n))
				s = after[digits+1:]
				continue
			}
		}
		b.WriteString("_x")
		s = after
	}
}

// attr returns an attribute of an element; "" if it has none.
func attr(e *xml.StartElement, name string) string {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == name {
			return e.Attr[i].Value
		}
	}
	return ""
}

// A bounded reader returns an error after a number of bytes.
type bounded struct {
	io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: a cell of the workbook has more than %d bytes", call.ErrInvalid, maxToken)
	}
	n, err := b.Reader.Read(p)
	b.left -= n
	return n, err
}
