package ladder

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// TextOptions say how to draw a ladder. The zero value is good for a file.
type TextOptions struct {
	// Width is how many columns a line may have; 0 is no limit.
	Width int
	// SBC is the name of the session border controller that talks to Microsoft; empty if unknown.
	SBC string
}

// Text draws the call as a ladder: a column for each party, in the order of appearance, and a line
// for each message, with the milliseconds since the first one. If that does not fit, or there are
// too many parties, it writes a list. The error is that of w.
//
// It writes � for characters that would move the cursor of a terminal, turn its direction or are
// invisible.
func (c *Call) Text(w io.Writer, o TextOptions) error {
	b := bufio.NewWriter(w)
	rungs := c.rungs()
	if len(rungs) > 0 {
		parties := c.parties(rungs, o.SBC)
		c.title(b, rungs, o)
		if l := newLayout(c, rungs, parties, o.Width); l != nil {
			l.draw(b, rungs)
		} else {
			c.list(b, rungs, parties, o.Width)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write ladder: %w", err)
	}
	return nil
}

// title writes when the call began, and its legs.
func (c *Call) title(b *bufio.Writer, rungs []rung, o TextOptions) {
	last := &rungs[len(rungs)-1]
	fmt.Fprintf(b, "%s  %s, %s, %s ms\n", stamp(rungs[0].At), count(len(rungs), "message"), count(len(c.Legs), "leg"), millis(last))
	for i, id := range c.callIDs(rungs) {
		line := fmt.Sprintf("leg %d  ", i+1)
		if c.Legs[i].Main {
			line += "to " + microsoftName + "  "
		}
		line += "Call-ID " + visible(id)
		if o.Width > 0 {
			line = fit(line, o.Width)
		}
		fmt.Fprintln(b, line)
	}
	fmt.Fprintln(b)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

func millis(r *rung) string { return strconv.FormatFloat(r.ms(), 'f', 1, 64) }

// list writes the messages one by one, each in a line over the line of its sender.
func (c *Call) list(b *bufio.Writer, rungs []rung, parties []party, columns int) {
	width := len(millis(&rungs[len(rungs)-1]))
	name := func(i int) string {
		if parties[i].label == "" {
			return parties[i].name
		}
		return parties[i].name + " (" + visible(parties[i].label) + ")"
	}
	for i := range rungs {
		r := &rungs[i]
		cseq := fit(visible(r.sequence()), maxCSeq)
		if cseq != "" {
			cseq = "  CSeq " + cseq
		}
		line := fmt.Sprintf("%*s  %s  ", width, millis(r), c.legName(r))
		label := 2 * maxGap
		if columns > 0 {
			label = max(minGap, min(label, columns-length(line)-length(cseq)))
		}
		fmt.Fprintln(b, line+fit(visible(r.label()), label)+cseq)
		fmt.Fprintf(b, "%*s  %s > %s\n", width, "", name(r.from), name(r.to))
	}
}

func (c *Call) legName(r *rung) string {
	if r.leg == 0 {
		return "?"
	}
	return strconv.Itoa(r.leg)
}

// visible returns s with � for characters that are invisible, control a terminal, or take no column
// of their own.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || unicode.Is(unicode.M, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// fit cuts s to n columns.
func fit(s string, n int) string {
	r := []rune(s)
	switch {
	case len(r) <= n:
		return s
	case n < 1:
		return ""
	}
	return string(r[:n-1]) + "…"
}

// length returns how many columns s takes.
func length(s string) int { return len([]rune(s)) }
