package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/graph"
)

// A rowForm is the form in which a command prints calls.
type rowForm struct {
	form    string
	columns []string
	bom     bool // CSV begins with a byte order mark
	text    bool // CSV marks numbers with a + as text for spreadsheets
	zone    *zoneFlag

	cols   []column
	in     *time.Location // the zone of the printed times
	screen int            // rows after which a table ends with a hint; 0 is no end
}

// screenful is how many calls a table on a terminal has without --limit.
const screenful = 100

func (f *rowForm) flags(cmd *cobra.Command) {
	outputFlag(cmd, &f.form)
	cmd.Flags().StringSliceVar(&f.columns, "columns", nil, "print the columns `NAME,…` of a table or of CSV: "+strings.Join(columnNames(), ", ")+", or a property of Graph's such as userDisplayName")
	cmd.Flags().BoolVar(&f.bom, "bom", false, "begin CSV with a byte order mark, by which Excel and LibreOffice know UTF-8")
	cmd.Flags().BoolVar(&f.text, "text-numbers", false, "put a tab before numbers with a + in CSV, so that a spreadsheet takes them for text and keeps the +")
}

// check checks the flags and finds the columns and the zone. Programs read CSV, so its times are in
// UTC unless the operator sets --zone.
func (f *rowForm) check(p *program) (err error) {
	if err := checkForm(f.form); err != nil {
		return err
	}
	for _, flag := range []struct{ name, of string }{{"columns", "table csv"}, {"bom", "csv"}, {"text-numbers", "csv"}} {
		// A setting applies to the forms that it fits; a flag is meant for this command.
		if p.settings.byHand(flag.name) && !strings.Contains(flag.of, f.form) {
			return usage("--%s is for -o %s, and this is -o %s", flag.name, strings.ReplaceAll(flag.of, " ", " and -o "), f.form)
		}
	}
	if f.in, err = f.zone.location(p.stdout); err != nil {
		return err
	}
	names := f.columns
	switch {
	case f.form == "csv":
		if f.zone.name == "" {
			f.in = time.UTC
		}
		if len(names) == 0 {
			for n := range call.NumFields {
				names = append(names, n.String())
			}
		}
		for i, name := range names { // a start would not tell its zone
			if strings.EqualFold(strings.TrimSpace(name), "start") {
				names[i] = call.FieldStart.String()
			}
		}
	case len(names) == 0:
		names = narrow
	}
	f.cols, err = findColumns(names)
	return err
}

// fieldTable shows each field of r, its value and its witness, and what witnesses claim otherwise.
func fieldTable(r *call.Row, in *time.Location) table {
	t := table{{"FIELD", "VALUE", "SAID BY"}}
	for f := range call.NumFields {
		t = append(t, []string{f.String(), fieldText(r, f, in), witnessName(r.By[f])})
	}
	for c := range r.Claims() { // values that the row does not show
		var w call.Row
		c.Put(&w)
		t = append(t, []string{c.Field.String() + ", as claimed", fieldText(&w, c.Field, in), strings.TrimSpace(witnessName(c.Witness) + " " + c.Source)})
	}
	return append(t, []string{"seen by", r.Seen.String(), ""})
}

func witnessName(w call.Witness) string {
	switch {
	case w == 0:
		return ""
	case !w.Authenticated():
		return w.Kind().String() + " (not authenticated)"
	}
	return w.Kind().String()
}

// fieldText returns a field of r as text: a time in the zone in, and a callType by Graph's name,
// whichever name its witness used.
func fieldText(r *call.Row, f call.Field, in *time.Location) string {
	switch f.Type() {
	case call.ID:
		if id := r.GUID(f); !id.IsZero() {
			return id.String()
		}
	case call.Text:
		if f == call.FieldCallType {
			return string(call.CallType(r.CallType).Graph())
		}
		return r.Text(f)
	case call.Time:
		if t := r.Time(f); !t.IsZero() {
			return stamp(t.In(in))
		}
	case call.Number:
		return strconv.Itoa(int(r.Number(f)))
	case call.Bool:
		return strconv.FormatBool(r.Bool(f))
	case call.List:
		units := make([]string, len(r.AdministrativeUnits))
		for i, u := range r.AdministrativeUnits {
			units[i] = u.String()
		}
		return strings.Join(units, " ")
	}
	return ""
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// printRows prints calls as they come and returns their number. It holds back at most a small
// buffer, or the first page of a table, so it can print any number of them.
func (p *program) printRows(f *rowForm, rows iter.Seq2[*call.Row, error]) (n int, err error) {
	counted := func(yield func(*call.Row, error) bool) {
		for r, err := range rows {
			if err == nil {
				n++
			}
			if !yield(r, err) {
				return
			}
		}
	}
	switch f.form {
	case "json":
		err = p.printRowsJSON(counted)
	case "jsonl":
		err = p.eachRow(counted, func(b []byte, r *call.Row) ([]byte, error) {
			return append(graph.AppendRow(b, r, graph.RowOptions{Beta: true}), '\n'), nil
		})
	case "csv":
		err = p.printRowsCSV(f, counted)
	default:
		err = p.printRowTable(f, counted)
	}
	return n, err
}

func (p *program) printRowsCSV(f *rowForm, rows iter.Seq2[*call.Row, error]) error {
	if f.bom {
		if _, err := io.WriteString(p.stdout, "\ufeff"); err != nil {
			return err
		}
	}
	cells := make([]string, len(f.cols))
	for i, c := range f.cols {
		cells[i] = c.name
	}
	if err := printCSV(p.stdout, table{cells}); err != nil {
		return err
	}
	return p.eachRow(rows, func(b []byte, r *call.Row) ([]byte, error) {
		for i, c := range f.cols {
			if cells[i] = harmless(c.text(r, f.in)); f.text && strings.HasPrefix(cells[i], "+") {
				cells[i] = "\t" + cells[i]
			}
		}
		line := bytes.NewBuffer(b)
		err := writeCSV(line, cells)
		return line.Bytes(), err
	})
}

// eachRow writes what form appends for each row, in pieces of about 64 KiB.
func (p *program) eachRow(rows iter.Seq2[*call.Row, error], form func([]byte, *call.Row) ([]byte, error)) error {
	var b []byte
	for r, err := range rows {
		if err != nil {
			_, writeErr := p.stdout.Write(b)
			return errors.Join(err, writeErr)
		}
		if b, err = form(b, r); err != nil {
			return err
		}
		if len(b) > 64<<10 {
			if _, err := p.stdout.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := p.stdout.Write(b)
	return err
}

// printRowsJSON prints the calls as an indented array of JSON.
func (p *program) printRowsJSON(rows iter.Seq2[*call.Row, error]) error {
	next := "[\n  "
	var compact []byte
	err := p.eachRow(rows, func(b []byte, r *call.Row) ([]byte, error) {
		compact = graph.AppendRow(compact[:0], r, graph.RowOptions{Beta: true})
		out := bytes.NewBuffer(append(b, next...))
		next = ",\n  "
		err := json.Indent(out, compact, "  ", "  ")
		return out.Bytes(), err
	})
	if err != nil {
		return err
	}
	if next[0] == '[' {
		next = "["
	} else {
		next = "\n"
	}
	_, err = fmt.Fprint(p.stdout, next, "]\n")
	return err
}
