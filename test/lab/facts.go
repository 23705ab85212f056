package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// facts are what is known of a call that was made, without HEP: the ids that
// Teams gave it, and the times that Teams noted.
type facts struct {
	Scenario string
	// Values are texts by name: id, correlation, caller, callee; phrase, behind the
	// code that Teams sent or was sent.
	Values map[string]string
	// Times are moments by name: invite, answer, final, end. One that did not
	// come is not there.
	Times map[string]time.Time
}

// A message is one that a SIPp has noted.
type message struct {
	at       time.Time
	start    string
	method   string // of CSeq
	cseq     string
	via      string // the first
	inDialog bool   // there is a To-tag
}

var (
	noted    = regexp.MustCompile(`^-{20,} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6})`)
	startsAs = regexp.MustCompile(`^(SIP/2\.0 |[A-Z]+ sips?:)`)
)

// readMessages reads what SIPp writes with -trace_msg, in local time.
func readMessages(r io.Reader) ([]message, error) {
	var all []message
	var at time.Time
	open := false // within the headers of the last message
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if m := noted.FindStringSubmatch(line); m != nil {
			t, err := time.ParseInLocation("2006-01-02 15:04:05.000000", m[1], time.Local)
			if err != nil {
				return nil, err
			}
			at, open = t.UTC(), false
			continue
		}
		if !open && !at.IsZero() && startsAs.MatchString(line) {
			all = append(all, message{at: at, start: line})
			at, open = time.Time{}, true // what is noted again without a time is no new message
			continue
		}
		if open {
			if open = line != ""; open {
				all[len(all)-1].header(line)
			}
		}
	}
	return all, in.Err()
}

func (m *message) header(line string) {
	name, value, _ := strings.Cut(line, ":")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "cseq":
		m.cseq, m.method, _ = strings.Cut(strings.TrimSpace(value), " ")
	case "via":
		if m.via == "" {
			m.via = strings.TrimSpace(value)
		}
	case "to", "t":
		m.inDialog = strings.Contains(value, ";tag=")
	}
}

// code is the class of a response's code, such as '4', or 0.
func (m *message) class() byte {
	if status, ok := strings.CutPrefix(m.start, "SIP/2.0 "); ok && status != "" {
		return status[0]
	}
	return 0
}

// learn fills in the times that the messages of Teams' side tell.
func (f *facts) learn(all []message) error {
	f.Times = map[string]time.Time{}
	first := func(name string, at time.Time) {
		if _, ok := f.Times[name]; !ok {
			f.Times[name] = at
		}
	}
	refused := "" // the INVITE whose answer final is the time of
	for i := range all {
		m := &all[i]
		switch c := m.class(); {
		case c == 0 && m.method == "INVITE" && !m.inDialog:
			first("invite", m.at)
		case c == '2' && m.method == "INVITE":
			first("answer", m.at)
		case c > '2' && m.method == "INVITE" && m.cseq+m.via != refused:
			f.Times["final"], refused = m.at, m.cseq+m.via
			_, f.Values["phrase"], _ = strings.Cut(strings.TrimPrefix(m.start, "SIP/2.0 "), " ")
		case c == 0 && m.method == "BYE":
			first("end", m.at)
		}
	}
	if f.Times["invite"].IsZero() {
		return fmt.Errorf("%s: Teams has seen no INVITE", f.Scenario)
	}
	return nil
}

// facts are those of a planned call, but for the times.
func (p *plan) facts() facts {
	return facts{Scenario: p.name, Values: map[string]string{
		"id": dashed(p.XC), "correlation": p.XI, "caller": p.Caller, "callee": p.Callee,
	}}
}

// readFacts reads facts that were written as JSON lines.
func readFacts(r io.Reader) ([]facts, error) {
	var all []facts
	for d := json.NewDecoder(r); ; {
		var f facts
		if err := d.Decode(&f); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read facts: %w", err)
		}
		all = append(all, f)
	}
}

func writeFacts(w io.Writer, all []facts) error {
	e := json.NewEncoder(w)
	for _, f := range all {
		if err := e.Encode(f); err != nil {
			return err
		}
	}
	return nil
}
