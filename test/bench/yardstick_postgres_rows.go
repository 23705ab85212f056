package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// postgresTable is the table of calls: what trunklog keeps of a row, but for
// who said what. The indexes are those of the embedded store.
const postgresTable = `
CREATE TABLE calls (
	tenant uuid NOT NULL, id uuid NOT NULL, correlation_id uuid, user_id uuid,
	user_principal_name text, user_display_name text,
	started timestamptz NOT NULL, invited timestamptz, failed timestamptz, ended timestamptz,
	duration int, call_type text, successful bool, caller text, callee text,
	media_location text, signal_location text, final_sip_code int, call_end_sub_reason int, final_sip_phrase text,
	trunk text, media_bypass bool, user_country text, other_country text,
	transferor_id uuid, administrative_units uuid[],
	PRIMARY KEY (tenant, started, id)
);
CREATE UNIQUE INDEX ON calls (tenant, id);
CREATE INDEX ON calls (tenant, correlation_id, started);
CREATE INDEX ON calls (tenant, user_id, started);
CREATE INDEX ON calls (tenant, caller, started);
CREATE INDEX ON calls (tenant, callee, started);
`

// postgresFields are the fields of a row in the order of the table's columns,
// behind the tenant.
func postgresFields() []call.Field {
	return []call.Field{
		call.FieldID, call.FieldCorrelationID, call.FieldUserID, call.FieldUserPrincipalName, call.FieldUserDisplayName,
		call.FieldStart, call.FieldInvite, call.FieldFailure, call.FieldEnd, call.FieldDuration, call.FieldCallType,
		call.FieldSuccessful, call.FieldCaller, call.FieldCallee, call.FieldMediaLocation, call.FieldSignalLocation,
		call.FieldFinalSIPCode, call.FieldCallEndSubReason, call.FieldFinalSIPPhrase, call.FieldTrunk, call.FieldMediaBypass,
		call.FieldUserCountry, call.FieldOtherCountry, call.FieldTransferorID, call.FieldAdministrativeUnits,
	}
}

// appendCopy appends a row as COPY reads it.
func appendCopy(b []byte, r *call.Row, fields []call.Field) []byte {
	b = r.Tenant.Append(b)
	for _, f := range fields {
		b = append(b, '\t')
		known := r.Known(f)
		switch f.Type() {
		case call.Number:
			b = strconv.AppendInt(b, int64(r.Number(f)), 10)
			continue
		case call.Bool:
			b = strconv.AppendBool(b, r.Bool(f))
			continue
		}
		if !known {
			b = append(b, `\N`...)
			continue
		}
		switch f.Type() {
		case call.ID:
			b = r.GUID(f).Append(b)
		case call.Text:
			b = appendCopyText(b, r.Text(f))
		case call.Time:
			b = r.Time(f).AppendFormat(b, "2006-01-02 15:04:05.999999Z07:00")
		case call.List:
			b = append(b, '{')
			for i, u := range r.AdministrativeUnits {
				if i > 0 {
					b = append(b, ',')
				}
				b = u.Append(b)
			}
			b = append(b, '}')
		}
	}
	return append(b, '\n')
}

func appendCopyText(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\':
			b = append(b, `\\`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// copied is what came of filling PostgreSQL.
type copied struct {
	rates   []float64 // rows a second of each slice
	elapsed time.Duration
	close   time.Duration // of a checkpoint
}

// copyRows fills the table by one connection with one COPY, which is one
// transaction, for each batch. The next batch is being made meanwhile.
func (p *postgres) copyRows(ctx context.Context, c crowd, slice int) (copied, error) {
	var out copied
	if _, err := p.query(ctx, postgresTable); err != nil {
		return out, err
	}
	cmd := p.psql(ctx)
	in, err := cmd.StdinPipe()
	if err != nil {
		return out, err
	}
	marks, err := cmd.StdoutPipe()
	if err != nil {
		return out, err
	}
	began := time.Now()
	proc, err := startCommand(cmd)
	if err != nil {
		return out, err
	}
	written := make(chan error, 1)
	go func() { written <- errors.Join(writeCopies(in, c, slice), in.Close()) }()
	mark := began
	for lines := bufio.NewScanner(marks); lines.Scan(); {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			continue
		}
		now := time.Now()
		out.rates = append(out.rates, perSecond(n, now.Sub(mark)))
		mark = now
	}
	out.elapsed = time.Since(began)
	if err := errors.Join(proc.wait(), <-written); err != nil {
		return out, fmt.Errorf("psql: %w", err)
	}
	began = time.Now()
	_, err = p.query(ctx, "CHECKPOINT;")
	out.close = time.Since(began)
	return out, err
}

// writeCopies writes a script for psql that fills the table, and says after
// each slice how many rows it had.
func writeCopies(w io.Writer, c crowd, slice int) error {
	fields := postgresFields()
	var b []byte
	since := 0
	for batch := range c.batches() {
		b = append(b[:0], "COPY calls FROM STDIN;\n"...)
		for i := range batch {
			b = appendCopy(b, &batch[i], fields)
		}
		b = append(b, "\\.\n"...)
		if since += len(batch); since >= slice {
			b = fmt.Appendf(b, "\\echo %d\n", since)
			since = 0
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// bytes returns what the table takes on disk with its indexes.
func (p *postgres) bytes(ctx context.Context) (int64, error) {
	s, err := p.query(ctx, "SELECT pg_total_relation_size('calls');")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

// offsets asks for a page behind each of the given numbers of rows, in turn,
// and returns the milliseconds that each took, by number.
func (p *postgres) offsets(ctx context.Context, from time.Time, skips []int64, rounds int) (map[int64][]float64, error) {
	var sql strings.Builder
	sql.WriteString("VACUUM ANALYZE calls;\n\\timing on\n")
	for range rounds {
		for _, n := range skips {
			fmt.Fprintf(&sql, "SELECT * FROM calls WHERE tenant = '%s' AND started >= '%s' ORDER BY tenant, started, id OFFSET %d LIMIT 1000 \\g /dev/null\n", tenantID(), from.Format(time.RFC3339), n)
		}
	}
	out, err := p.query(ctx, sql.String())
	if err != nil {
		return nil, err
	}
	took := make(map[int64][]float64)
	i := 0
	for line := range strings.Lines(out) {
		v, ok := strings.CutPrefix(line, "Time: ")
		if !ok {
			continue
		}
		v, _, _ = strings.Cut(v, " ms")
		ms, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil, err
		}
		n := skips[i%len(skips)]
		took[n] = append(took[n], ms)
		i++
	}
	return took, nil
}
