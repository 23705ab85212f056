package csv

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A Sheet is an input that is a table already, such as a sheet of a workbook. The decoder reads its
// rows and not its bytes.
type Sheet interface {
	// Row returns the next row and its number, counted from 1, or io.EOF. The
	// fields are valid until the next call.
	Row() (number int64, fields []string, err error)
}

// rows reads the records of a sheet. A sheet's rows end with their last filled cell.
type rows struct {
	Sheet
	want int
	held *record // the first row of a table without a header
}

func (r *rows) row() (record, error) {
	if rec := r.held; rec != nil {
		r.held = nil
		return *rec, nil
	}
	for {
		n, fields, err := r.Row()
		switch {
		case errors.Is(err, io.EOF):
			return record{}, errEnd
		case err != nil:
			return record{}, err
		case !blank(fields):
			return record{line: n, fields: fields}, nil
		}
	}
}

func (r *rows) next() (record, error) {
	rec, err := r.row()
	if err != nil {
		return record{}, err
	}
	if r.want == 0 {
		return rec, nil
	}
	for len(rec.fields) < r.want {
		rec.fields = append(rec.fields, "")
	}
	if !blank(rec.fields[r.want:]) {
		return rec, &call.SyntaxError{Line: rec.line, Raw: rowText(rec.fields), Err: fmt.Errorf("%w: the row has %d cells, not %d", call.ErrInvalid, len(rec.fields), r.want)}
	}
	rec.fields = rec.fields[:r.want]
	return rec, nil
}

func (r *rows) candidate() (candidate, error) {
	rec, err := r.row()
	if err != nil {
		return candidate{}, err
	}
	fields := slices.Clone(rec.fields)
	for len(fields) > 0 && strings.TrimSpace(fields[len(fields)-1]) == "" {
		fields = fields[:len(fields)-1]
	}
	return candidate{line: rec.line, raw: rowText(fields), forms: []form{{fields: fields}}}, nil
}

func (r *rows) begin(f form) { r.want = len(f.fields) }
func (r *rows) first() error { return nil }

// rowText returns a row as a line of text, for the rejects file.
func rowText(fields []string) []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // memory does not fail
	w.Flush()
	return head([]byte(strings.TrimSuffix(b.String(), "\n")))
}
