package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// outputForms are the values of -o. The default is a table, on a terminal and in a pipe.
var outputForms = []string{"table", "json", "jsonl", "csv"}

func outputFlag(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", "table", "print as `FORM`: "+strings.Join(outputForms, ", "))
}

func checkForm(form string) error {
	if !slices.Contains(outputForms, form) {
		return usage("-o %s: %s are possible", form, list(outputForms))
	}
	return nil
}

// A table is rows of cells under a row of titles.
type table [][]string

// print prints t, or the values from which t was made, in the given form. values is a slice that
// encoding/json can write.
func (p *program) print(form string, t table, values any) error {
	if err := checkForm(form); err != nil {
		return err
	}
	switch form {
	case "json":
		return printJSON(p.stdout, values)
	case "jsonl":
		return printLines(p.stdout, values)
	case "csv":
		return printCSV(p.stdout, t)
	}
	return printTable(p.stdout, t)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printLines prints the elements of a slice as JSON, one a line.
func printLines(w io.Writer, values any) error {
	b, err := json.Marshal(values)
	if err != nil {
		return err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(b, &elements); err != nil {
		return err
	}
	for _, e := range elements {
		if _, err := fmt.Fprintf(w, "%s\n", e); err != nil {
			return err
		}
	}
	return nil
}

func printTable(w io.Writer, t table) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range t {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		if _, err := fmt.Fprintln(tw, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// printable returns a cell for a terminal. It replaces the characters with which a caller's text
// could move the terminal's cursor or turn its writing direction.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '�'
		}
		return r
	}, s)
}

// printCSV prints t as CSV (RFC 4180). It puts a ' in front of a cell that a spreadsheet would take
// for a formula, unless the cell is a telephone number.
func printCSV(w io.Writer, t table) error {
	for _, row := range t {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = harmless(cell)
		}
		if err := writeCSV(w, cells); err != nil {
			return err
		}
	}
	return nil
}

// writeCSV writes one line of cells as they are.
func writeCSV(w io.Writer, cells []string) error {
	c := csv.NewWriter(w)
	if err := c.Write(cells); err != nil {
		return err
	}
	c.Flush()
	return c.Error()
}

func harmless(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r\x00", rune(s[0])) {
		return s
	}
	if s[0] == '+' && len(s) > 1 && len(s) <= 21 && strings.Trim(s[1:], "0123456789*") == "" {
		return s
	}
	return "'" + s
}

func list(words []string) string { return strings.Join(words, ", ") }

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
