// Package xlsx reads the sheets of a workbook of Office Open XML (.xlsx, .xlsm) as rows of text,
// one after another: memory does not grow with the sheet.
//
// A cell yields its stored value, whatever its column was wide enough to show: a whole number with
// all its digits, a date as ISO 8601, a formula's last result. The package knows nothing of calls,
// nor of where the workbook comes from.
//
// Source: ISO/IEC 29500-1, SpreadsheetML, section 18.
package xlsx

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// maxPart is the most bytes of a part that the reader loads as a whole: all but the sheets and
// their shared texts.
const maxPart = 32 << 20

// A Book is an opened workbook.
type Book struct {
	Sheets []Sheet

	open   func(name string) (io.ReadCloser, error)
	styles []style // by number, as cells refer to them
	epoch  epoch
	texts  *texts // nil if the workbook has no shared texts
}

// A Sheet is a sheet of a workbook that has rows.
type Sheet struct {
	Name   string
	Hidden bool
	part   string
}

// Open reads the parts that the sheets of a workbook share. The parameter open opens a part of the
// file by its name, and returns [fs.ErrNotExist] if there is none. Errors wrap [call.ErrInvalid],
// or are those of open. The caller must close the Book.
func Open(open func(name string) (io.ReadCloser, error)) (*Book, error) {
	b := &Book{open: open}
	main, err := b.mainPart()
	if err != nil {
		return nil, err
	}
	if err := b.readMain(main); err != nil {
		return nil, err
	}
	return b, nil
}

// Close removes the temporary file of shared texts.
func (b *Book) Close() error { return b.texts.close() }

// Relations is a part that refers to others.
type relations struct {
	Relationship []struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
	}
}

// mainPart returns the name of the part that lists the sheets.
func (b *Book) mainPart() (string, error) {
	var rels relations
	switch err := b.read("_rels/.rels", &rels); {
	case errors.Is(err, fs.ErrNotExist):
		return "", errNoBook
	case err != nil:
		return "", err
	}
	for _, r := range rels.Relationship {
		if path.Base(r.Type) != "officeDocument" {
			continue
		}
		switch name := absolute("", r.Target); path.Ext(name) {
		case ".bin":
			return "", fmt.Errorf("%w: the file is a binary workbook (.xlsb): save it as .xlsx or CSV", call.ErrInvalid)
		default:
			return name, nil
		}
	}
	return "", errNoBook
}

var errNoBook = fmt.Errorf("%w: the file is a document, but no workbook of Excel (.xlsx): save the table as .xlsx or CSV", call.ErrInvalid)

// absolute resolves target, a relative name in the part from.
func absolute(from, target string) string {
	if strings.HasPrefix(target, "/") {
		return strings.TrimPrefix(path.Clean(target), "/")
	}
	return path.Join(path.Dir(from), target)
}

// readMain reads the list of sheets, and the parts that they share.
func (b *Book) readMain(main string) error {
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string `xml:"name,attr"`
			State string `xml:"state,attr"`
			ID    string `xml:"id,attr"`
		} `xml:"sheets>sheet"`
	}
	var rels relations
	err := b.read(main, &book)
	if err == nil {
		err = b.read(path.Join(path.Dir(main), "_rels", path.Base(main)+".rels"), &rels)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errNoBook
	}
	if err != nil {
		return err
	}
	b.epoch = epoch(book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true")
	parts := make(map[string]string)
	for _, r := range rels.Relationship {
		name := absolute(main, r.Target)
		switch path.Base(r.Type) {
		case "worksheet":
			parts[r.ID] = name
		case "styles":
			err = b.readStyles(name)
		case "sharedStrings":
			err = b.readTexts(name)
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
	}
	for _, s := range book.Sheets {
		if part := parts[s.ID]; part != "" { // others are charts, which have no rows
			b.Sheets = append(b.Sheets, Sheet{Name: s.Name, Hidden: s.State != "" && s.State != "visible", part: part})
		}
	}
	return nil
}

// read reads a part as a whole.
func (b *Book) read(name string, into any) error {
	r, err := b.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	limited := &io.LimitedReader{R: r, N: maxPart}
	err = xml.NewDecoder(limited).Decode(into)
	if err != nil && limited.N == 0 {
		return fmt.Errorf("%w: %s in the workbook has more than %d bytes", call.ErrInvalid, name, maxPart)
	}
	return damaged(name, err)
}

// damaged names the damaged part, if the error is one of its XML.
func damaged(name string, err error) error {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the workbook is damaged at %s: %w", call.ErrInvalid, name, err)
	}
	return err
}
