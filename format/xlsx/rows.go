package xlsx

import (
	"encoding/xml"
	"fmt"
	"strconv"

	"github.com/trunklog/trunklog/call"
)

// maxColumns is how many columns a sheet has at most: A to XFD.
const maxColumns = 16384

// Rows are the rows of a sheet.
type Rows struct {
	*Book
	scan   *scan
	number int64
	fields []string
}

// Rows opens the rows of a sheet. The caller must close them.
func (b *Book) Rows(s Sheet) (*Rows, error) {
	r, err := b.open(s.part)
	if err != nil {
		return nil, fmt.Errorf("%w: the workbook is damaged: sheet %q is not in it: %w", call.ErrInvalid, s.Name, err)
	}
	return &Rows{Book: b, scan: newScan(s.part, r)}, nil
}

// Close closes the sheet, but not the book.
func (r *Rows) Close() error { return r.scan.file.Close() }

// Row returns the cells of the next row as text, and its number from 1; io.EOF
// behind the last. The cells are valid until the next call.
func (r *Rows) Row() (number int64, cells []string, err error) {
	for {
		t, err := r.scan.next()
		if err != nil {
			return 0, nil, err
		}
		if e, ok := t.(xml.StartElement); ok && e.Name.Local == "row" {
			r.number++
			if n, err := strconv.ParseInt(attr(&e, "r"), 10, 64); err == nil && n > 0 {
				r.number = n
			}
			r.fields = r.fields[:0]
			return r.number, r.fields, r.cells()
		}
	}
}

// cells reads the cells of a row.
func (r *Rows) cells() error {
	for {
		t, err := r.scan.next()
		if err != nil {
			return r.scan.cut(err)
		}
		switch e := t.(type) {
		case xml.StartElement:
			if e.Name.Local != "c" {
				continue
			}
			at := len(r.fields)
			if ref := attr(&e, "r"); ref != "" {
				at = column(ref)
			}
			if at < 0 || at >= maxColumns {
				return fmt.Errorf("%w: the workbook is damaged: row %d of %s has a cell in no column", call.ErrInvalid, r.number, r.scan.part)
			}
			for len(r.fields) <= at {
				r.fields = append(r.fields, "")
			}
			if r.fields[at], err = r.cell(&e); err != nil {
				return err
			}
		case xml.EndElement:
			if e.Name.Local == "row" {
				return nil
			}
		}
	}
}

// column returns the column of a cell reference such as AB12, from 0; -1 if none.
func column(ref string) int {
	n := 0
	for i := 0; i < len(ref) && n <= maxColumns; i++ {
		c := ref[i] &^ 0x20 // upper case
		if c < 'A' || c > 'Z' {
			break
		}
		n = n*26 + int(c-'A') + 1
	}
	return n - 1
}

// cell returns the contents of a cell; for a formula, its last result.
func (r *Rows) cell(c *xml.StartElement) (string, error) {
	kind, style := attr(c, "t"), attr(c, "s")
	value := ""
	for {
		t, err := r.scan.next()
		if err != nil {
			return "", r.scan.cut(err)
		}
		switch e := t.(type) {
		case xml.StartElement:
			text, err := r.scan.text() // a formula's text is read and ignored
			if err != nil {
				return "", err
			}
			if e.Name.Local == "v" || e.Name.Local == "is" {
				value = text
			}
		case xml.EndElement:
			return r.value(kind, style, value)
		}
	}
}

// value returns a cell's value as text, by its kind.
func (r *Rows) value(kind, style, v string) (string, error) {
	switch kind {
	case "s":
		i, err := strconv.Atoi(v)
		if err != nil {
			i = -1
		}
		return r.texts.text(i)
	case "b":
		if v == "1" {
			return "TRUE", nil
		}
		return "FALSE", nil
	case "", "n":
		if v == "" {
			return "", nil
		}
		return r.styleOf(style).text(v, r.epoch), nil
	}
	return v, nil // a text, an error such as #N/A, or a date in ISO 8601
}
