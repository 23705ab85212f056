package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/archive"
	"github.com/trunklog/trunklog/format/csv"
	"github.com/trunklog/trunklog/format/xlsx"
)

// Unpacked makes a decoder read the files in archives: gzip, Zstandard and zip, one in another. It
// leaves out files of other formats in an archive of several, and reports them to o.Note.
func Unpacked(d call.Decoder, o Options) call.Decoder {
	return reading{decode: d, note: o.Note, only: o.Only}.decoder()
}

// A reading is a decoder of one file, and its options for archives and workbooks.
type reading struct {
	decode call.Decoder
	sheets call.Decoder           // of a csv.Sheet; nil if there is none
	begins func(head []byte) bool // whether a file of the format may begin so; nil: anything
	note   func(text string)
	only   func(name string) bool // whether to read a file in an archive; nil: all
}

// decoder returns the decoder of files that may be packed.
func (rd reading) decoder() call.Decoder {
	if rd.note == nil {
		rd.note = func(string) {}
	}
	return func(r io.Reader) iter.Seq2[call.Event, error] {
		return func(yield func(call.Event, error) bool) {
			d := delivery{reading: rd, yield: yield}
			if err := archive.Walk(r, d.file); err != nil && !errors.Is(err, errStop) {
				yield(call.Event{}, err)
				return
			} else if err != nil {
				return
			}
			if err := d.told(); err != nil {
				yield(call.Event{}, err)
			}
		}
	}
}

// errStop ends a walk when the caller has stopped reading.
var errStop = errors.New("stop")

// A delivery is one input during decoding.
type delivery struct {
	reading
	yield  func(call.Event, error) bool
	mine   int     // files of the format
	others []other // files of other formats
}

type other struct {
	name  string
	why   error
	lines int
}

// file decodes one file.
func (d *delivery) file(f archive.File) error {
	switch {
	case f.Document != nil:
		return d.document(f)
	case d.only != nil && !d.only(f.Name):
		return nil
	case f.Refused != nil && f.Among > 1:
		return d.leave(f.Name, f.Refused, nil)
	case f.Refused != nil:
		return f.Refused
	}
	lines := &lineCounter{Reader: f.Reader}
	r := io.Reader(lines)
	if f.Among == 1 {
		r = f.Reader // unbuffered, so that it keeps its random access
	} else if d.begins != nil {
		buf := bufio.NewReaderSize(r, headSize)
		head, _ := buf.Peek(headSize) // an error comes again
		if head = textOf(head); len(bytes.TrimSpace(head)) > 0 && !d.begins(head) {
			return d.leave(f.Name, fmt.Errorf("%w: it does not begin as such a file does", call.ErrInvalid), lines)
		}
		r = buf
	}
	return d.member(d.decode, f.Name, f.Among, r, lines)
}

// document decodes the sheets of a workbook.
func (d *delivery) document(f archive.File) (err error) {
	if d.sheets == nil {
		return fmt.Errorf("%w: the file is a document of Office, and this format is text", call.ErrInvalid)
	}
	book, err := xlsx.Open(f.Document.Open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	for _, s := range book.Sheets {
		name := sheetName(f.Name, s.Name)
		if d.only != nil && !d.only(name) {
			continue
		}
		if s.Hidden {
			d.note(name + " is hidden and was left out")
			continue
		}
		rows, err := book.Rows(s)
		if err != nil {
			return err
		}
		err = d.member(d.sheets, name, max(f.Among, len(book.Sheets)), sheet{Rows: rows}, nil)
		if err = errors.Join(err, rows.Close()); err != nil {
			return err
		}
	}
	return nil
}

// A sheet is a csv.Sheet. It is also an io.Reader without text, because decoders take one.
type sheet struct{ *xlsx.Rows }

func (sheet) Read([]byte) (int, error) { return 0, io.EOF }

// member decodes one of among files; lines counts its lines as they are read.
func (d *delivery) member(decode call.Decoder, name string, among int, r io.Reader, lines *lineCounter) error {
	said := false
	for e, err := range decode(r) {
		var syntax *call.SyntaxError
		isSyntax := errors.As(err, &syntax)
		var broken *archive.BrokenError
		switch {
		case err == nil, isSyntax && among == 1:
		case isSyntax: // the line number is within that file
			syntax.Err = fmt.Errorf("%s: %w", name, syntax.Err)
		case errors.As(err, &broken):
			return err
		case !said && among > 1 && errors.Is(err, call.ErrInvalid):
			return d.leave(name, err, lines)
		case name != "":
			return fmt.Errorf("%s: %w", name, err)
		default:
			return err
		}
		said = true
		if !d.yield(e, err) {
			return errStop
		}
	}
	d.mine++
	return nil
}

// leave notes that a file was left out.
func (d *delivery) leave(name string, why error, lines *lineCounter) error {
	n := 0
	if lines != nil {
		if _, err := io.Copy(io.Discard, lines); err != nil {
			return err
		}
		n = lines.n
	}
	d.others = append(d.others, other{name, why, n})
	return nil
}

// told reports the files that were left out, as an error if that were all.
func (d *delivery) told() error {
	const most = 10
	var why []string
	for _, o := range d.others {
		reason := strings.TrimPrefix(o.why.Error(), call.ErrInvalid.Error()+": ")
		switch {
		case d.mine > 0 && path.Base(o.name) == "parameters.json": // of the admin centre's export
		case d.mine > 0 && errors.Is(o.why, csv.ErrEmpty): // such as the sheets that a workbook begins with
		case d.mine > 0 && o.lines > 0:
			d.note(fmt.Sprintf("%s was left out, with its %s: %s", o.name, plural(o.lines, "line"), reason))
		case d.mine > 0:
			d.note(fmt.Sprintf("%s was left out: %s", o.name, reason))
		case len(why) < most:
			why = append(why, o.name+": "+reason)
		}
	}
	if d.mine > 0 || len(d.others) == 0 {
		return nil
	}
	if more := len(d.others) - len(why); more > 0 {
		why = append(why, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%w: none of the %d files or sheets in it is of this format: %s", call.ErrInvalid, len(d.others), strings.Join(why, "; "))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A lineCounter counts the ends of lines.
type lineCounter struct {
	io.Reader
	n int
}

func (l *lineCounter) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	l.n += bytes.Count(b[:n], []byte{'\n'})
	return n, err
}
