package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// TestTableWidths: a table of any length has one title and columns that stay in place. A value that
// is too wide moves only its own line.
func TestTableWidths(t *testing.T) {
	var out bytes.Buffer
	p := &program{stdout: &out, stderr: &out}
	f := &rowForm{form: "table", zone: &zoneFlag{}}
	if err := f.check(p); err != nil {
		t.Fatal(err)
	}
	const all, wide = 2*tablePage + 100, tablePage + 50
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	n, err := p.printRows(f, func(yield func(*call.Row, error) bool) {
		r := call.Row{CallType: "dr_in", Caller: "Zoë", Callee: "+4930123456"}
		for i := range all {
			r.Start, r.ID = start.Add(time.Duration(i)*time.Second), call.GUID{byte(i >> 8), byte(i)}
			if r.Caller = "Zoë"; i == wide {
				r.Caller = "a.very.long.name.indeed@pbx.contoso.com"
			}
			if !yield(&r, nil) {
				return
			}
		}
	})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if err != nil || n != all || len(lines) != all+1 {
		t.Fatalf("%d rows in %d lines, %v", n, len(lines), err)
	}
	at := func(line string) int { return utf8.RuneCountInString(line[:strings.LastIndexByte(line, ' ')]) }
	for i, line := range lines {
		if strings.HasPrefix(line, "START") != (i == 0) {
			t.Errorf("line %d: %s", i, line)
		}
		if moved := at(line) != at(lines[0]); moved != (i == wide+1) {
			t.Errorf("line %d is moved: %t\n%s\n%s", i, moved, lines[0], line)
		}
	}
}
