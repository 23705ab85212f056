package cli

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// A column is a column of a table or of CSV.
type column struct {
	name, title string
	// least is the least width, so that values of later pages fit as a rule; most is the width if
	// the terminal has no room for all columns. Both are in characters.
	least, most int
	text        func(r *call.Row, in *time.Location) string
}

// The columns with names of their own. All other fields are columns by Graph's names.
var callColumns = []column{
	{"start", "START", 19, 27, func(r *call.Row, in *time.Location) string { return r.Start.In(in).Format(time.DateTime) }},
	{"type", "TYPE", 7, 8, func(r *call.Row, in *time.Location) string { return fieldText(r, call.FieldCallType, in) }},
	{"caller", "CALLER", 13, 16, func(r *call.Row, _ *time.Location) string { return r.Caller }},
	{"callee", "CALLEE", 13, 16, func(r *call.Row, _ *time.Location) string { return r.Callee }},
	{"user", "USER", 0, 32, func(r *call.Row, _ *time.Location) string { return r.UserPrincipalName }},
	{"trunk", "TRUNK", 0, 32, func(r *call.Row, _ *time.Location) string { return r.Trunk }},
	{"seconds", "SECS", 5, 5, func(r *call.Row, _ *time.Location) string { return strconv.Itoa(int(r.Duration)) }},
	{"result", "RESULT", 6, 6, func(r *call.Row, _ *time.Location) string { return result(r) }},
	{"code", "CODE", 10, 10, func(r *call.Row, _ *time.Location) string {
		return fmt.Sprintf("%d/%d", r.FinalSIPCode, r.CallEndSubReason)
	}},
	{"id", "ID", 36, 36, func(r *call.Row, _ *time.Location) string { return r.ID.String() }},
}

// narrow are the columns of a table without --columns. They fit 120 characters.
var narrow = []string{"start", "type", "caller", "callee", "seconds", "result", "id"}

// result returns "ok" for a successful call, else its final SIP code, or "failed" if it has none.
func result(r *call.Row) string {
	switch {
	case r.Successful:
		return "ok"
	case r.FinalSIPCode == 0:
		return "failed"
	}
	return strconv.Itoa(int(r.FinalSIPCode))
}

func columnNames() []string {
	names := make([]string, len(callColumns))
	for i, c := range callColumns {
		names[i] = c.name
	}
	return names
}

// findColumns returns the columns of the given names.
func findColumns(names []string) ([]column, error) {
	var found []column
next:
	for _, name := range names {
		name = strings.TrimSpace(name)
		for _, c := range callColumns {
			// Graph's id is the column id
			if strings.EqualFold(c.name, name) {
				found = append(found, c)
				continue next
			}
		}
		f, ok := call.FieldNamed(name)
		if !ok {
			return nil, usage("--columns: there is no column %q%s: %s are possible, and the properties of Graph's", name, suggestion(name, columnNames()), list(columnNames()))
		}
		found = append(found, column{
			name: f.String(), title: f.String(), most: 36,
			text: func(r *call.Row, in *time.Location) string { return fieldText(r, f, in) },
		})
	}
	return found, nil
}

// tablePage is how many calls decide the widths of a table.
const tablePage = 500

// A rowTable prints calls in columns whose widths do not change after the first page. A wider value
// on a later page moves only the rest of its own line.
type rowTable struct {
	w      io.Writer
	form   *rowForm
	screen bool // cut values that are too wide, which only a terminal needs
	gap    int
	widths []int
	page   table // the lines before the widths are decided
}

func (p *program) printRowTable(f *rowForm, rows iter.Seq2[*call.Row, error]) error {
	t := &rowTable{w: p.stdout, form: f, screen: isTerminal(p.stdout), page: table{f.titles()}}
	n := 0
	for r, err := range rows {
		if err != nil {
			return errors.Join(err, t.settle())
		}
		if n++; f.screen > 0 && n > f.screen {
			if err := t.settle(); err != nil {
				return err
			}
			fmt.Fprintf(p.stderr, "%d calls are shown, and there are more: --limit 0 shows all, --newest-first the newest, --from and --to others\n", f.screen)
			return nil
		}
		if err := t.add(r); err != nil {
			return err
		}
	}
	return t.settle()
}

// titles returns the first line. The title of the start names the zone of all times.
func (f *rowForm) titles() []string {
	titles := make([]string, len(f.cols))
	for i, c := range f.cols {
		if titles[i] = c.title; c.name == "start" {
			titles[i] += " (" + f.in.String() + ")"
		}
	}
	return titles
}

func (t *rowTable) add(r *call.Row) error {
	cells := make([]string, len(t.form.cols))
	for i, c := range t.form.cols {
		cells[i] = printable(strings.Clone(c.text(r, t.form.in))) // the iterator uses r again
	}
	if t.widths != nil {
		return t.print(cells)
	}
	if t.page = append(t.page, cells); len(t.page) <= tablePage {
		return nil
	}
	return t.settle()
}

// settle decides the widths and prints the lines that have waited for them.
func (t *rowTable) settle() error {
	if t.widths == nil {
		t.measure()
	}
	for _, cells := range t.page {
		if err := t.print(cells); err != nil {
			return err
		}
	}
	t.page = nil
	return nil
}

func (t *rowTable) measure() {
	t.gap, t.widths = 2, make([]int, len(t.form.cols))
	whole := -t.gap
	for i, c := range t.form.cols {
		t.widths[i] = c.least
		for _, cells := range t.page {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cells[i]))
		}
		whole += t.widths[i] + t.gap
	}
	if !t.screen || whole <= max(leastWidth, columns(t.w)) {
		return
	}
	t.gap = 1
	for i, c := range t.form.cols {
		t.widths[i] = min(t.widths[i], c.most)
	}
}

// leastWidth is the width that a table may have on any terminal, in characters.
const leastWidth = 120

func (t *rowTable) print(cells []string) error {
	var line strings.Builder
	for i, cell := range cells {
		if t.screen {
			cell = cut(cell, t.widths[i])
		}
		line.WriteString(cell)
		if i < len(cells)-1 {
			line.WriteString(strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(cell))+t.gap))
		}
	}
	line.WriteByte('\n')
	_, err := io.WriteString(t.w, line.String())
	return err
}

// cut returns s, or as much of it as fits and an ellipsis.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}
