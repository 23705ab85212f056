package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// never is how Graph writes a time that there is not.
const never = "0001-01-01T00:00:00Z"

// betaOnly are properties that only Graph's beta has. They are looked at where
// a scenario names them and the rows come from there.
var betaOnly = []string{"userCountryCode", "otherPartyCountryCode", "transferorCorrelationId", "administrativeUnitInfos"}

// A result is one call with the row that was made of it.
type result struct {
	scenario *scenario
	facts    facts
	row      map[string]any // nil if there is none
	wrong    []string
}

// compare compares the rows with what they must be for the calls. What has no
// call, or a call that must not have a row, is wrong as well.
func compare(all []facts, rows []map[string]any, slack time.Duration) ([]result, error) {
	known, err := scenarios()
	if err != nil {
		return nil, err
	}
	byNumbers := map[string][]map[string]any{}
	for _, r := range rows {
		key := fmt.Sprint(r["callerNumber"], " ", r["calleeNumber"])
		byNumbers[key] = append(byNumbers[key], r)
	}
	var out []result
	for _, f := range all {
		i := slices.IndexFunc(known, func(s scenario) bool { return s.name == f.Scenario })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q", f.Scenario)
		}
		res := result{scenario: &known[i], facts: f}
		key := f.Values["caller"] + " " + f.Values["callee"]
		found := byNumbers[key]
		delete(byNumbers, key)
		if len(found) > 0 {
			res.row = found[0]
		}
		res.wrong = res.check(len(found), slack)
		out = append(out, res)
	}
	for key, strange := range byNumbers {
		out = append(out, result{scenario: &scenario{name: "?"}, row: strange[0], wrong: []string{fmt.Sprintf("%d rows for %s, which belong to no call", len(strange), key)}})
	}
	return out, nil
}

// check returns what is wrong with the row.
func (r *result) check(rows int, slack time.Duration) []string {
	switch {
	case r.scenario.row == nil && rows == 0:
		return nil
	case r.scenario.row == nil:
		return []string{fmt.Sprintf("there must be no row, and there are %d", rows)}
	case rows != 1:
		return []string{fmt.Sprintf("there must be one row, and there are %d", rows)}
	}
	var wrong []string
	left := maps.Clone(r.row)
	_, beta := left[betaOnly[0]]
	for _, p := range r.scenario.row {
		if !beta && slices.Contains(betaOnly, p.name) {
			continue
		}
		got, ok := left[p.name]
		delete(left, p.name)
		if !ok {
			wrong = append(wrong, p.name+" is missing")
			continue
		}
		if want, ok := r.holds(p.value, got, slack); !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %s", p.name, got, want))
		}
	}
	for _, name := range betaOnly {
		delete(left, name)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		wrong = append(wrong, name+" is not expected")
	}
	return wrong
}

// holds reports whether a property has the value that a scenario says, and how
// that reads.
func (r *result) holds(value string, got any, slack time.Duration) (want string, ok bool) {
	name, found := strings.CutPrefix(value, "{")
	if !found {
		if got == nil {
			return value, value == "null"
		}
		return value, fmt.Sprint(got) == value
	}
	name = strings.TrimSuffix(name, "}")
	switch name {
	case "any":
		return value, got != nil
	case "none":
		return never, got == never
	case "duration":
		took := r.facts.Times["end"].Sub(r.facts.Times["answer"])
		want = fmt.Sprint(int(took / time.Second))
		n, err := strconv.Atoi(fmt.Sprint(got))
		return want, err == nil && n >= int((took-slack)/time.Second) && n <= int((took+slack)/time.Second)
	}
	if v, known := r.facts.Values[name]; known {
		return v, got == v || v == "" && got == nil
	}
	t, known := r.facts.Times[name]
	if !known {
		return fmt.Sprintf("%s, which did not come", value), false
	}
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got))
	return t.Format(time.RFC3339Nano), err == nil && at.Sub(t).Abs() <= slack
}

// expected returns how many rows there must be.
func expected(all []facts) (int, error) {
	known, err := scenarios()
	n := 0
	for _, f := range all {
		for _, s := range known {
			if s.name == f.Scenario && s.row != nil {
				n++
			}
		}
	}
	return n, err
}

// readRows reads rows that are JSON, one after another.
func readRows(r io.Reader) ([]map[string]any, error) {
	var rows []map[string]any
	d := json.NewDecoder(r)
	d.UseNumber()
	for {
		var row map[string]any
		if err := d.Decode(&row); err == io.EOF {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		rows = append(rows, row)
	}
}

// checkRows is the command "check".
func checkRows(factsFile string, in io.Reader, out io.Writer, slack time.Duration) error {
	b, err := os.ReadFile(factsFile)
	if err != nil {
		return err
	}
	all, err := readFacts(bytes.NewReader(b))
	if err != nil {
		return err
	}
	rows, err := readRows(in)
	if err != nil {
		return err
	}
	results, err := compare(all, rows, slack)
	if err != nil {
		return err
	}
	return report(results, out)
}

// report prints what is wrong, and returns an error if there is something.
func report(results []result, out io.Writer) error {
	bad := 0
	for _, r := range results {
		if len(r.wrong) == 0 {
			continue
		}
		bad++
		fmt.Fprintf(out, "%s: %s\n", r.scenario.name, strings.Join(r.wrong, "\n\t"))
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d calls do not have the row they must have", bad, len(results))
	}
	if len(results) == 0 {
		return errors.New("no calls were made")
	}
	return nil
}
