package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measureTable imports rows as the Teams admin centre exports them: a CSV whose
// records have no ids, so that each may be a call that is there already.
func (b *bench) measureTable(ctx context.Context, graph float64) error {
	h := &house{program: b.program, dir: filepath.Join(b.dir, "import-table")}
	if err := h.settle(ctx); err != nil {
		return err
	}
	name := filepath.Join(b.dir, "export.csv")
	if err := b.exportTo(ctx, name); err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	importing := exec.CommandContext(ctx, h.program, "import", "teams", "--tenant", tenantName, "--data", h.dir, name) //nolint:gosec // what was built before
	gentle(importing)
	began := time.Now()
	if out, err := importing.CombinedOutput(); err != nil {
		return fmt.Errorf("import teams: %w: %s", err, out)
	}
	rate, c := perSecond(int64(b.importRows), time.Since(began)), costOf(importing)
	b.report.add(result{
		work:      "`import teams` of a CSV of " + commas(int64(b.importRows)) + " lines, from start to end",
		measured:  number(rate) + " rows/s; " + c.CPU.Round(100*time.Millisecond).String() + " of processor time and " + mebibytes(c.Peak) + " at most",
		yardstick: "`gen | import graph -`: " + number(graph) + " rows/s",
		share:     percent(rate / graph),
		met:       noClaim,
	})
	return nil
}

// exportTo makes rows up and writes them to a file as the admin centre does.
func (b *bench) exportTo(ctx context.Context, name string) (err error) {
	f, err := os.Create(name) //nolint:gosec // a name of our own
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	making := b.generate(ctx, b.importRows)
	from, err := making.StdoutPipe()
	if err != nil {
		return err
	}
	if err := making.Start(); err != nil {
		return err
	}
	if err := writeExport(f, from); err != nil {
		return errors.Join(err, from.Close(), making.Wait())
	}
	return making.Wait()
}

// writeExport writes rows in JSON as the admin centre exports them.
func writeExport(to io.Writer, from io.Reader) error {
	columns := [...]struct{ title, property string }{
		{"Correlation Id", "correlationId"},
		{"AAD Object Id", "userId"},
		{"UPN", "userPrincipalName"},
		{"Display Name", "userDisplayName"},
		{"Invite time", "inviteDateTime"},
		{"Start time", "startDateTime"},
		{"Failure time", "failureDateTime"},
		{"End time", "endDateTime"},
		{"Duration (seconds)", "duration"},
		{"Success", "successfulCall"},
		{"Caller Number", "callerNumber"},
		{"Callee Number", "calleeNumber"},
		{"Call type", "callType"},
		{"Final SIP code", "finalSipCode"},
		{"Final Microsoft subcode", "callEndSubReason"},
		{"Final SIP Phrase", "finalSipCodePhrase"},
		{"SBC FQDN", "trunkFullyQualifiedDomainName"},
		{"Media bypass", "mediaBypassEnabled"},
	}
	var record [len(columns)]string
	for i, c := range columns {
		record[i] = c.title
	}
	w, rows := csv.NewWriter(to), json.NewDecoder(from)
	for {
		if err := w.Write(record[:]); err != nil {
			return err
		}
		var row map[string]any
		switch err := rows.Decode(&row); {
		case errors.Is(err, io.EOF):
			w.Flush()
			return w.Error()
		case err != nil:
			return err
		}
		for i, c := range columns {
			record[i] = cellOf(row[c.property])
		}
	}
}

// cellOf returns how the admin centre writes a value.
func cellOf(v any) string {
	switch v := v.(type) {
	case string:
		if !strings.HasPrefix(v, "0001-") { // never
			return v
		}
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return "Yes"
		}
		return "No"
	}
	return ""
}
