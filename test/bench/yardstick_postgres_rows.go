package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/test/kit"
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

// record returns a row as the table has it: the tenant, and each field that Graph has.
func record(r *call.Row) []string {
	out := []string{r.Tenant.String()}
	for f := range call.FieldSharedID {
		out = append(out, cell(r, f))
	}
	return out
}

// copied is what came of filling PostgreSQL.
type copied struct {
	rates   []float64 // rows a second of each slice
	elapsed time.Duration
	close   time.Duration // of a checkpoint
}

// copyRows fills the table by one connection with one COPY, which is one
// transaction, for each batch. The next batch is being made meanwhile. A slice is a
// number of batches.
func (p *postgres) copyRows(ctx context.Context, c crowd, slice int) (out copied, err error) {
	if _, err := p.query(ctx, postgresTable); err != nil {
		return out, err
	}
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(writeCopies(w, c)) }() // the reader is told
	began := time.Now()
	took, err := p.timed(ctx, r)
	out.elapsed = time.Since(began)
	if err = errors.Join(err, r.Close()); err != nil {
		return out, err
	}
	for some := range slices.Chunk(took[:c.Rows/batchRows], slice) {
		if len(some) == slice {
			out.rates = append(out.rates, float64(slice*batchRows*1000)/sum(some))
		}
	}
	began = time.Now()
	_, err = p.query(ctx, "CHECKPOINT;")
	out.close = time.Since(began)
	return out, err
}

// writeCopies writes a script for psql that fills the table. What is not known is
// empty, and so NULL.
func writeCopies(to io.Writer, c crowd) error {
	w := bufio.NewWriterSize(to, 1<<20)
	for batch := range c.batches() {
		fmt.Fprintln(w, "COPY calls FROM STDIN WITH (FORMAT csv);")
		table := csv.NewWriter(w)
		for i := range batch {
			if err := table.Write(record(&batch[i])); err != nil {
				return err
			}
		}
		table.Flush()
		fmt.Fprintln(w, `\.`)
	}
	return w.Flush()
}

// bytes returns what the table takes on disk with its indexes.
func (p *postgres) bytes(ctx context.Context) (int64, error) {
	s, err := p.query(ctx, "SELECT pg_total_relation_size('calls');")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(s, 10, 64)
}

// offsets asks for the first page and for one behind a number of rows, in turn, and
// returns the milliseconds that each took.
func (p *postgres) offsets(ctx context.Context, from time.Time, skip int64, rounds int) (first, far []float64, err error) {
	if _, err := p.query(ctx, "VACUUM ANALYZE calls;"); err != nil {
		return nil, nil, err
	}
	var sql strings.Builder
	for i := range 2 * rounds {
		fmt.Fprintf(&sql, "SELECT * FROM calls WHERE tenant = '%s' AND started >= '%s' ORDER BY tenant, started, id OFFSET %d LIMIT 1000 \\g /dev/null\n", tenantID(), from.Format(time.RFC3339), int64(i%2)*skip)
	}
	took, err := p.timed(ctx, strings.NewReader(sql.String()))
	for pair := range slices.Chunk(took, 2) {
		first, far = append(first, pair[0]), append(far, pair[len(pair)-1])
	}
	return first, far, err
}

// timed runs SQL and returns how many milliseconds each statement took, as psql says.
func (p *postgres) timed(ctx context.Context, sql io.Reader) (took []float64, err error) {
	cmd := p.psql(ctx)
	cmd.Stdin = io.MultiReader(strings.NewReader("\\timing on\n"), sql)
	out, err := kit.Output(cmd)
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(line, "Time: "); ok {
			v, _, _ = strings.Cut(v, " ms")
			ms, bad := strconv.ParseFloat(v, 64)
			took, err = append(took, ms), errors.Join(err, bad)
		}
	}
	return took, err
}
