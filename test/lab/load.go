package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// loaded is what every call of a load test is: from the carrier to a user, who
// answers and hangs up.
const loaded = "in-answered-teams-hangs-up"

// load is the command "load": rate calls a second through the SBC, and as many
// rows.
func load(ctx context.Context, c config, binary string, rate int, length time.Duration, out io.Writer) error {
	calls := int(float64(rate) * length.Seconds())
	if rate < 1 || calls < 1 {
		return errors.New("load needs --rate and --for above 0")
	}
	return withTrunklog(ctx, binary, c.network, func(t *trunklog) error {
		began := time.Now()
		if err := makeLoad(ctx, t.config(c, c.network), rate, calls); err != nil {
			return err
		}
		took := time.Since(began)
		rows, err := t.await(ctx, calls, patience)
		if err != nil {
			return err
		}
		if err := checkLoad(rows, calls); err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%d calls over HEP/%s in %.1f s, %d rows, %.1f s after the last call.\n",
			calls, c.network, took.Seconds(), len(rows), (time.Since(began) - took).Seconds())
		return err
	})
}

// checkLoad reports whether there is a row for each call, and all of them are of
// an answered call.
func checkLoad(rows []map[string]any, calls int) error {
	if len(rows) != calls {
		return fmt.Errorf("there are %d rows for %d calls", len(rows), calls)
	}
	ids := map[any]bool{}
	for _, r := range rows {
		ids[r["id"]] = true
		if r["successfulCall"] != true || r["callType"] != "ByotIn" || r["finalSipCodePhrase"] != "BYE" {
			return fmt.Errorf("row %v is not of an answered call: %v", r["id"], r)
		}
	}
	if len(ids) != calls {
		return fmt.Errorf("%d calls have %d ids", calls, len(ids))
	}
	return nil
}

// makeLoad makes the calls.
func makeLoad(ctx context.Context, c config, rate, calls int) (err error) {
	limit := time.Duration(calls/rate)*time.Second + longest
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %s", limit))
	defer cancel()
	dir := c.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "trunklog-lab-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	c.only = loaded
	todo, err := c.selected()
	if err != nil {
		return err
	}
	s, err := startSBC(ctx, c, dir)
	if err != nil {
		return err
	}
	defer s.close()
	return s.load(ctx, todo[0].plan(c.run, c.seed), rate, calls)
}

// load makes many calls of one plan. Teams' ids come from a file with a line for
// each call.
func (s *sbc) load(ctx context.Context, p plan, rate, calls int) error {
	var ids bytes.Buffer
	ids.WriteString("SEQUENTIAL\n")
	for i := range calls {
		seed := strconv.Itoa(i) + p.CallID
		fmt.Fprintf(&ids, "%s;%s\n", dashed(p.guid(seed, "x-i", '4')), p.guid(seed, "x-c", '5'))
	}
	if err := os.WriteFile(filepath.Join(s.dir, "ids.csv"), ids.Bytes(), 0o600); err != nil {
		return err
	}
	p.XI, p.XC = "[field0]", "[field1]"
	p.CallID = "%u-" + p.CallID
	count := []string{"-m", strconv.Itoa(calls), "-l", strconv.Itoa(calls), "-inf", "ids.csv"}
	answers, err := s.sipp(p, callee, count...)
	if err != nil {
		return err
	}
	defer answers.stop()
	if err := answers.until(ctx, "it listens", func() bool { return s.listens(&p, callee) }); err != nil {
		return err
	}
	calling, err := s.sipp(p, caller, append(count, "-r", strconv.Itoa(rate))...)
	if err != nil {
		return err
	}
	defer calling.stop()
	if err := calling.wait(ctx); err != nil {
		return fmt.Errorf("%w (%s)", err, filepath.Base(s.dir))
	}
	return answers.wait(ctx)
}
