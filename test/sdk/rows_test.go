package sdk

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// rowCount is what each client pages through: 25 full pages.
const (
	rowCount = 25_000
	pageSize = 1_000
)

// The range of the calls, which all clients ask for. It is one that Microsoft
// allows: not longer than 90 days.
const (
	fromDate = "2026-09-01"
	toDate   = "2026-11-01"
)

var (
	rangeFrom = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	rangeTo   = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
)

// betaOnly are the properties that /v1.0 does not have.
var betaOnly = []string{"userCountryCode", "otherPartyCountryCode", "transferorCorrelationId", "administrativeUnitInfos"}

// A row is one generated call.
type row struct {
	id    string
	start time.Time
	line  string // as /beta writes it
}

// generate returns the calls that a seed stands for, in the order of the log.
func generate(t *testing.T, n int, seed uint64) []row {
	t.Helper()
	out, err := kit.Output(kit.Command(t.Context(), kit.Program(t), "gen", "--rows", fmt.Sprint(n), "--seed", fmt.Sprint(seed), "--from", fromDate, "--to", toDate))
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		rows = append(rows, parseRow(t, s.Text()))
	}
	if len(rows) != n {
		t.Fatalf("gen --rows %d printed %d lines", n, len(rows))
	}
	slices.SortFunc(rows, row.compare)
	return rows
}

func parseRow(t *testing.T, line string) row {
	t.Helper()
	var r struct {
		ID            string
		StartDateTime time.Time
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("row %q: %v", line, err)
	}
	return row{r.ID, r.StartDateTime, line}
}

// compare orders rows as the log does.
func (r row) compare(s row) int { return cmp.Or(r.start.Compare(s.start), cmp.Compare(r.id, s.id)) }

// properties returns the row's JSON object, as /v1.0 has it.
func (r row) properties(t *testing.T) map[string]any {
	t.Helper()
	m := decode[map[string]any](t, []byte(r.line))
	for _, name := range betaOnly {
		delete(m, name)
	}
	return m
}

func decode[T any](t *testing.T, b []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %.300q", err, b)
	}
	return v
}

// A tally is what a walk over the log must and may find.
type tally struct {
	must, may map[string]bool
	got       map[string]int
	passed    row // the last row of the walk so far
}

func newTally(rows []row) *tally {
	c := &tally{must: map[string]bool{}, may: map[string]bool{}, got: map[string]int{}}
	for _, r := range rows {
		c.must[r.id] = true
	}
	return c
}

// late tells the tally that rows have been imported at this point of the walk.
// Those ahead of it must be found; those behind it are too late.
func (c *tally) late(rows []row) (ahead, behind int) {
	for _, r := range rows {
		if r.compare(c.passed) > 0 {
			c.must[r.id] = true
			ahead++
		} else {
			behind++
		}
	}
	return ahead, behind
}

// perhaps tells the tally that rows are being imported while the walk goes on:
// each may be found or not.
func (c *tally) perhaps(rows []row) {
	for _, r := range rows {
		c.may[r.id] = true
	}
}

// saw counts a row that the walk has found.
func (c *tally) saw(t *testing.T, r row) {
	t.Helper()
	c.got[r.id]++
	if r.compare(c.passed) <= 0 {
		t.Errorf("row %s of %v comes after row %s of %v", r.id, r.start, c.passed.id, c.passed.start)
	}
	c.passed = r
}

// check reports every row that was missed, doubled, or should not be there.
func (c *tally) check(t *testing.T) {
	t.Helper()
	missed, doubled, strange := 0, 0, 0
	for id := range c.must {
		if c.got[id] == 0 {
			missed++
		}
	}
	for id, n := range c.got {
		if n > 1 {
			doubled++
		}
		if !c.must[id] && !c.may[id] {
			strange++
		}
	}
	if missed+doubled+strange > 0 {
		t.Errorf("of %d rows %d were missed, %d came more than once, and %d came that should not", len(c.must), missed, doubled, strange)
	}
}
