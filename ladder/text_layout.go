package ladder

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
)

const (
	maxGap     = 44 // between two parties, however long the texts are
	minGap     = 13 // leaves room for INVITE
	maxParties = 12
	maxCSeq    = 24
)

// A layout holds the columns of a ladder.
type layout struct {
	call    *Call
	parties []party
	ms      int   // width of the column of times
	legs    bool  // the ladder has a column of legs
	x       []int // columns of the parties
	end     int   // where the ladder ends
	cseq    int   // where the CSeq stands
	short   bool  // parties have numbers, because their names do not fit
	behind  int   // room behind the last party for messages to itself
}

// newLayout returns nil if the ladder does not fit into width columns.
func newLayout(c *Call, rungs []rung, parties []party, width int) *layout {
	if len(parties) > maxParties {
		return nil
	}
	l := &layout{call: c, parties: parties, ms: max(len("ms"), len(millis(&rungs[len(rungs)-1]))), legs: len(c.Legs) > 1}
	cseq := len("CSeq")
	for i := range rungs {
		r := &rungs[i]
		cseq = max(cseq, min(length(r.sequence()), maxCSeq))
		if r.from == r.to && r.to == len(parties)-1 {
			l.behind = max(l.behind, min(length(r.label())+4, minGap+4))
		}
	}
	left := l.ms + 2
	if l.legs {
		left += len("leg") + 2
	}
	gap := l.gap(rungs)
	if l.place(left, gap); width > 0 && l.cseq+cseq > width {
		l.short = true
		l.place(left, gap)
		if over := l.cseq + cseq - width; over > 0 {
			spaces := max(len(parties)-1, 1)
			if gap -= (over + spaces - 1) / spaces; gap < minGap {
				return nil
			}
			l.place(left, gap)
		}
	}
	return l
}

// gap returns how far apart parties are if there is room: as far as the longest text between
// neighbours needs.
func (l *layout) gap(rungs []rung) int {
	gap := minGap
	for i := range rungs {
		r := &rungs[i]
		steps := max(r.from-r.to, r.to-r.from, 1)
		gap = max(gap, (length(r.label())+7+steps-1)/steps)
	}
	return min(gap, maxGap)
}

// place gives each party its column.
func (l *layout) place(left, gap int) {
	heads := l.heads()
	half := func(i int) int { return (max(length(heads[0][i]), length(heads[1][i])) + 1) / 2 }
	if !l.short {
		for i := 1; i < len(l.parties); i++ {
			gap = max(gap, half(i-1)+half(i)+2)
		}
	}
	l.x = make([]int, len(l.parties))
	for i := range l.x {
		l.x[i] = left + half(0) + i*gap
	}
	last := len(l.x) - 1
	l.end = l.x[last] + max(half(last)+1, l.behind)
	l.cseq = l.end + 2
}

// heads returns the two lines over the columns.
func (l *layout) heads() [2][]string {
	var h [2][]string
	for i, p := range l.parties {
		if l.short {
			p = party{name: fmt.Sprintf("[%d]", i+1)}
		}
		h[0], h[1] = append(h[0], p.name), append(h[1], visible(p.label))
	}
	return h
}

func (l *layout) draw(b *bufio.Writer, rungs []rung) {
	if l.short {
		for i, p := range l.parties {
			fmt.Fprintln(b, strings.TrimSpace(fmt.Sprintf("[%d]  %s  %s", i+1, p.name, visible(p.label))))
		}
		fmt.Fprintln(b)
	}
	heads := l.heads()
	head := l.line("ms", "leg", "CSeq")
	l.over(head, heads[0])
	l.write(b, head)
	if slices.ContainsFunc(heads[1], func(s string) bool { return s != "" }) {
		line := l.line("", "", "")
		l.over(line, heads[1])
		l.write(b, line)
	}
	for i := range rungs {
		r := &rungs[i]
		line := l.line(millis(r), l.call.legName(r), visible(r.sequence()))
		for _, x := range l.x {
			line[x] = '|'
		}
		l.arrow(line, r)
		l.write(b, line)
	}
}

// line returns a line with the texts beside the ladder.
func (l *layout) line(ms, leg, cseq string) []rune {
	line := []rune(strings.Repeat(" ", l.cseq))
	copy(line[l.ms-len(ms):], []rune(ms))
	if l.legs {
		copy(line[l.ms+2:], []rune(leg))
	}
	return append(line, []rune(fit(cseq, maxCSeq))...)
}

func (l *layout) write(b *bufio.Writer, line []rune) {
	fmt.Fprintln(b, strings.TrimRight(string(line), " "))
}

// over writes the names over their columns.
func (l *layout) over(line []rune, names []string) {
	for i, name := range names {
		n := []rune(name)
		copy(line[l.x[i]-len(n)/2:l.end], n)
	}
}

// arrow draws the message between its parties.
func (l *layout) arrow(line []rune, r *rung) {
	label := visible(r.label())
	from, to := l.x[r.from], l.x[r.to]
	if from == to {
		copy(line[from+2:l.end], []rune("* "+fit(label, l.end-from-4)))
		return
	}
	low, high := min(from, to), max(from, to)
	for x := low + 1; x < high; x++ {
		line[x] = '-'
	}
	if from < to {
		line[to-1] = '>'
	} else {
		line[to+1] = '<'
	}
	room := high - low - 1
	text := []rune(" " + fit(label, room-6) + " ")
	copy(line[low+1+(room-len(text))/2:], text)
}
