package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// postgresInsert writes one row that looks like the others. Its text is always
// the same; what is indexed is not.
const postgresInsert = `\set n random(1, 9999999)
\set s random(1, 2000000)
INSERT INTO calls VALUES ('TENANT', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'adele.vance@contoso.com', 'Adele Vance', timestamptz '2026-01-05' + :s * interval '1 second', timestamptz '2026-01-05' + :s * interval '1 second', NULL, timestamptz '2026-01-05 00:05' + :s * interval '1 second', 300, 'ByotIn', true, '+4930' || :n, '+4989' || :n, 'EUWE', 'EUWE', 0, 560000, 'BYE', 'sbc1.contoso.com', true, 'DE', 'DE', NULL, NULL);
`

// inserts lets clients insert a row each, again and again, every one durable,
// and returns how many milliseconds each took.
func (p *postgres) inserts(ctx context.Context, clients int, length time.Duration) (took []float64, err error) {
	script := filepath.Join(p.dir, "insert.sql")
	if err := os.WriteFile(script, []byte(strings.ReplaceAll(postgresInsert, "TENANT", tenantID().String())), 0o644); err != nil { //nolint:gosec // PostgreSQL's user reads it
		return nil, err
	}
	err = p.run(ctx, "pgbench", "-n", "-h", p.dir, "-U", "bench", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(max(int(length.Seconds()), 1)), "-f", script, "-l", "--log-prefix="+filepath.Join(p.dir, "inserts"), "postgres")
	if err != nil {
		return nil, err
	}
	logs, err := filepath.Glob(filepath.Join(p.dir, "inserts.*"))
	if err != nil {
		return nil, err
	}
	for _, name := range logs {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		// client, number, microseconds, script, second, microsecond
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) >= 3 {
				us, err := strconv.ParseFloat(f[2], 64)
				if err != nil {
					return nil, err
				}
				took = append(took, us/1000)
			}
		}
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	if len(took) == 0 {
		return nil, errors.New("pgbench wrote no times")
	}
	return took, nil
}
