package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/test/kit"
)

// measureTable imports rows as the Teams admin centre exports them: a CSV whose
// records have no ids, so that each may be a call that is there already.
func (b *bench) measureTable(ctx context.Context, graph float64) error {
	h := b.newHouse("import-table")
	if err := h.settle(ctx); err != nil {
		return err
	}
	name := filepath.Join(b.dir, "export.csv")
	if err := b.exportTo(name); err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	importing := kit.Command(ctx, h.Program, "import", "teams", "--tenant", tenantName, "--data", h.Data, name)
	began := time.Now()
	if _, err := kit.Output(importing); err != nil {
		return err
	}
	rate := perSecond(int64(b.importRows), time.Since(began))
	b.report.add(result{
		work:      "`import teams` of a CSV of " + commas(int64(b.importRows)) + " lines, from start to end",
		measured:  number(rate) + " rows/s; " + costOf(importing).String(),
		yardstick: "`gen | import graph -`: " + number(graph) + " rows/s",
		share:     percent(rate / graph),
		met:       noClaim,
	})
	return nil
}

// exportTo makes rows up and writes them to a file as the admin centre does.
func (b *bench) exportTo(name string) (err error) {
	f, err := os.Create(name) //nolint:gosec // a name of our own
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(writeExport(w, crowd{Rows: b.importRows, Users: b.users, Seed: b.seed}.all()), w.Flush())
}

// writeExport writes rows as the admin centre exports them.
func writeExport(to io.Writer, rows iter.Seq[*call.Row]) error {
	columns := [...]struct {
		title string
		field call.Field
	}{
		{"Correlation Id", call.FieldCorrelationID},
		{"AAD Object Id", call.FieldUserID},
		{"UPN", call.FieldUserPrincipalName},
		{"Display Name", call.FieldUserDisplayName},
		{"Invite time", call.FieldInvite},
		{"Start time", call.FieldStart},
		{"Failure time", call.FieldFailure},
		{"End time", call.FieldEnd},
		{"Duration (seconds)", call.FieldDuration},
		{"Success", call.FieldSuccessful},
		{"Caller Number", call.FieldCaller},
		{"Callee Number", call.FieldCallee},
		{"Call type", call.FieldCallType},
		{"Final SIP code", call.FieldFinalSIPCode},
		{"Final Microsoft subcode", call.FieldCallEndSubReason},
		{"Final SIP Phrase", call.FieldFinalSIPPhrase},
		{"SBC FQDN", call.FieldTrunk},
		{"Media bypass", call.FieldMediaBypass},
	}
	var record [len(columns)]string
	for i, c := range columns {
		record[i] = c.title
	}
	w := csv.NewWriter(to)
	err := w.Write(record[:])
	for r := range rows {
		for i, c := range columns {
			record[i] = cell(r, c.field)
			if c.field.Type() == call.Bool {
				record[i] = map[string]string{"true": "Yes", "false": "No"}[record[i]]
			}
		}
		err = errors.Join(err, w.Write(record[:]))
	}
	w.Flush()
	return errors.Join(err, w.Error())
}

// cell returns a value of a row as PostgreSQL reads it, and nearly all that reads a
// CSV; nothing if it is not known.
func cell(r *call.Row, f call.Field) string {
	switch t := f.Type(); {
	case t == call.Number:
		return strconv.Itoa(int(r.Number(f)))
	case t == call.Bool:
		return strconv.FormatBool(r.Bool(f))
	case !r.Known(f):
		return ""
	case t == call.ID:
		return r.GUID(f).String()
	case t == call.Text:
		return r.Text(f)
	case t == call.Time:
		return stamp(r.Time(f))
	}
	ids := make([]string, len(r.AdministrativeUnits))
	for i, id := range r.AdministrativeUnits {
		ids[i] = id.String()
	}
	return "{" + strings.Join(ids, ",") + "}"
}
