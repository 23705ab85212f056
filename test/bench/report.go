package main

import (
	"fmt"
	"io"
	"strings"
)

// A report collects what was measured and writes it as a page of Markdown.
type report struct {
	head    [][2]string // what was measured where: name and value
	results []result
	raw     []figures
	notes   []string
}

// A result is one line of the table at the top.
type result struct {
	work      string
	target    string
	measured  string
	yardstick string
	share     string
	met       verdict
}

// A verdict says whether a target was met.
type verdict string

const (
	met     verdict = "yes"
	missed  verdict = "**no**"
	noClaim verdict = "–" // there is no target, or nothing to compare with
)

func judge(ok bool) verdict {
	if ok {
		return met
	}
	return missed
}

// Figures are a table of raw figures.
type figures struct {
	title   string
	columns []string
	lines   [][]string
	note    string
}

func (r *report) fact(name, value string) { r.head = append(r.head, [2]string{name, value}) }
func (r *report) add(x result)            { r.results = append(r.results, x) }
func (r *report) figures(f figures)       { r.raw = append(r.raw, f) }
func (r *report) note(f string, a ...any) { r.notes = append(r.notes, fmt.Sprintf(f, a...)) }
func (r *report) missing(work, why string) {
	r.note("%s was not measured: %s.", work, strings.Join(strings.Fields(why), " ")) // of one line
}

// write writes the page.
func (r *report) write(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `make bench`. Every figure is of one run, on one machine, with its yardstick measured in the same run\non the same bytes. Bad figures stay in.\n\n")
	for _, h := range r.head {
		fmt.Fprintf(&b, "- %s: %s\n", h[0], h[1])
	}
	b.WriteString("\n## Results\n\nMedians, with the least and the greatest in parentheses. A share is the median of the shares of the rounds.\n\n")
	lines := make([][]string, len(r.results))
	for i, x := range r.results {
		lines[i] = []string{x.work, dash(x.target), dash(x.measured), dash(x.yardstick), dash(x.share), dash(string(x.met))}
	}
	writeTable(&b, []string{"work", "target", "measured", "yardstick", "share", "met?"}, lines)
	if len(r.notes) > 0 {
		b.WriteString("\n## Notes\n\n")
		for _, n := range r.notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	if len(r.raw) > 0 {
		b.WriteString("\n## Raw figures\n")
	}
	for _, f := range r.raw {
		fmt.Fprintf(&b, "\n### %s\n\n", f.title)
		if f.note != "" {
			fmt.Fprintf(&b, "%s\n\n", f.note)
		}
		writeTable(&b, f.columns, f.lines)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTable writes a table of Markdown.
func writeTable(b *strings.Builder, columns []string, lines [][]string) {
	rule := make([]string, len(columns))
	for i := range rule {
		rule[i] = "---"
	}
	for _, cells := range append([][]string{columns, rule}, lines...) {
		for _, c := range cells {
			fmt.Fprintf(b, "| %s ", strings.ReplaceAll(c, "|", `\|`))
		}
		b.WriteString("|\n")
	}
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
