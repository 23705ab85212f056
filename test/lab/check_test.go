package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// properties are those of Graph's directRoutingLogRow, v1.0, in its order.
var properties = []string{
	"id", "correlationId", "userId", "userPrincipalName", "userDisplayName", "startDateTime", "inviteDateTime",
	"failureDateTime", "endDateTime", "duration", "callType", "successfulCall", "callerNumber", "calleeNumber",
	"mediaPathLocation", "signalingLocation", "finalSipCode", "callEndSubReason", "finalSipCodePhrase",
	"trunkFullyQualifiedDomainName", "mediaBypassEnabled",
}

// TestScenarios sees that every scenario says something of every property, and
// that SIPp's scenarios can be made of it.
func TestScenarios(t *testing.T) {
	all, err := scenarios()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 || len(all) >= ports {
		t.Fatalf("there are %d scenarios", len(all))
	}
	for i := range all {
		s := &all[i]
		t.Run(s.name, func(t *testing.T) {
			if s.about == "" {
				t.Error("nothing says what it is about")
			}
			if s.row != nil {
				var names []string
				for _, p := range s.row {
					if !slices.Contains(betaOnly, p.name) {
						names = append(names, p.name)
					}
				}
				if !slices.Equal(names, properties) {
					t.Errorf("its properties are %v, not %v", names, properties)
				}
			}
			p := s.plan(1, "seed")
			for _, r := range []role{caller, callee, second, left, right} {
				if r == second && s.second == "" || (r == left || r == right) && s.core == "" {
					continue
				}
				script, err := p.sideOf(r).script()
				if err != nil {
					t.Fatal(err)
				}
				if text := string(script); strings.Contains(text, "no value") || !strings.Contains(text, "</scenario>") {
					t.Errorf("a scenario of SIPp is\n%s", text)
				}
			}
		})
	}
}

// made returns facts and the right row for every scenario.
func made(t *testing.T) (all []facts, rows []map[string]any) {
	t.Helper()
	known, err := scenarios()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for i := range known {
		p := known[i].plan(7, "seed")
		f := p.facts()
		f.Values["phrase"] = "Busy Here"
		f.Times = map[string]time.Time{
			"invite": at, "answer": at.Add(time.Second), "final": at.Add(1500 * time.Millisecond), "end": at.Add(3600 * time.Millisecond),
		}
		all = append(all, f)
		if known[i].row == nil {
			continue
		}
		row := map[string]any{betaOnly[0]: nil}
		for _, p := range known[i].row {
			r := result{scenario: &known[i], facts: f}
			switch want, _ := r.holds(p.value, nil, 0); {
			case want == "null":
				row[p.name] = nil
			default:
				row[p.name] = want
			}
		}
		rows = append(rows, row)
	}
	return all, rows
}

// TestCompare sees that the right rows are right, and that no property can be
// another without being noticed.
func TestCompare(t *testing.T) {
	all, rows := made(t)
	wrong := func(rows []map[string]any) (n int) {
		results, err := compare(all, rows, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			n += len(r.wrong)
		}
		return n
	}
	if n := wrong(rows); n != 0 {
		t.Fatalf("%d things are wrong with the right rows", n)
	}
	for i, r := range rows {
		for name, v := range r {
			if v == "{any}" || name == betaOnly[0] {
				continue
			}
			bad := maps.Clone(r)
			bad[name] = fmt.Sprint(v, "0")
			if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v)); err == nil {
				bad[name] = at.Add(150 * time.Millisecond).Format(time.RFC3339Nano)
			}
			changed := slices.Clone(rows)
			changed[i] = bad
			if wrong(changed) == 0 {
				t.Errorf("row %d: that %s is %v instead of %v is not noticed", i, name, bad[name], v)
			}
		}
		if wrong(slices.Concat(rows, rows[i:i+1])) == 0 || wrong(slices.Delete(slices.Clone(rows), i, i+1)) == 0 {
			t.Errorf("row %d: that there are two of it, or none, is not noticed", i)
		}
	}
	silent := map[string]any{}
	for _, f := range all {
		if f.Scenario == "in-silent" {
			silent["callerNumber"], silent["calleeNumber"] = f.Values["caller"], f.Values["callee"]
		}
	}
	if wrong(append(slices.Clone(rows), silent)) == 0 {
		t.Error("a row of a call that is not over is not noticed")
	}
	if wrong(append(slices.Clone(rows), map[string]any{"callerNumber": "1", "calleeNumber": "2"})) == 0 {
		t.Error("a row without a call is not noticed")
	}
}

// TestFacts reads what SIPp notes.
func TestFacts(t *testing.T) {
	const log = `----------------------------------------------- 2026-11-23 15:58:04.000100
UDP message sent (1371 bytes):

INVITE sip:+442001460019@sbc1.contoso.test:5061 SIP/2.0
TO: <sip:+442001460019@sbc1.contoso.test:5061;user=phone>
CSEQ: 1 INVITE

v=0
----------------------------------------------- 2026-11-23 15:58:04.000200
UDP message received [402] bytes :

SIP/2.0 401 Unauthorized
TO: <sip:+442001460019@sbc1.contoso.test:5061;user=phone>;tag=1
CSEQ: 1 INVITE

----------------------------------------------- 2026-11-23 15:58:04.000300
UDP message sent (1371 bytes):

INVITE sip:+442001460019@sbc1.contoso.test:5061 SIP/2.0
To: <sip:+442001460019@sbc1.contoso.test:5061;user=phone>
CSeq: 2 INVITE

----------------------------------------------- 2026-11-23 15:58:04.000400
UDP message received [402] bytes :

SIP/2.0 486 Busy Here
To: <sip:+442001460019@sbc1.contoso.test:5061;user=phone>;tag=2
CSeq: 2 INVITE

-----------------------------------------------
Unexpected UDP message received:

SIP/2.0 486 Busy Here
CSeq: 2 INVITE

----------------------------------------------- 2026-11-23 15:58:04.000500
UDP message received [402] bytes :

SIP/2.0 486 Busy Here
To: <sip:+442001460019@sbc1.contoso.test:5061;user=phone>;tag=2
CSeq: 2 INVITE

`
	all, err := readMessages(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 5 {
		t.Fatalf("%d messages are read, not 5", len(all))
	}
	f := facts{Values: map[string]string{}}
	if err := f.learn(all); err != nil {
		t.Fatal(err)
	}
	at := func(micros int) time.Time { return time.Date(2026, 11, 23, 15, 58, 4, micros*1000, time.Local).UTC() }
	want := map[string]time.Time{"invite": at(100), "final": at(400)}
	if !maps.Equal(f.Times, want) {
		t.Errorf("times are %v, not %v", f.Times, want)
	}
	if phrase := f.Values["phrase"]; phrase != "Busy Here" {
		t.Errorf("the phrase is %q", phrase)
	}
	// Another proxy is asked with the same number, by another Via; what is sent
	// again has the same.
	other := all[3]
	other.via, other.at = "SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK2", at(600)
	again := other
	again.at = at(700)
	if err := f.learn(append(all, other, again)); err != nil || !f.Times["final"].Equal(at(600)) {
		t.Errorf("the final answer is of %v (%v)", f.Times["final"], err)
	}
	if err := f.learn(nil); err == nil {
		t.Error("a call without an INVITE is taken")
	}
}

// TestParse refuses what is no scenario.
func TestParse(t *testing.T) {
	for _, text := range []string{
		"",
		"-- call --\nfrom: teams\ncaller: calls\n",
		"-- call --\nfrom: nobody\ncaller: calls\ncallee: answers\n",
		"-- call --\ncolour: blue\n",
		"-- call --\ncaller\n",
		"-- rows --\nid: x\n",
		"-- call --\ncaller: calls\ncallee: answers\nsbc: sings\n",
		"-- call --\ncaller: calls\ncallee: answers\ndelay: long\n",
	} {
		if _, err := parseScenario([]byte(text)); err == nil {
			t.Errorf("%q is taken for a scenario", text)
		}
	}
}
