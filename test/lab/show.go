package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// patience is how long rows may take after the last call.
const patience = 10 * time.Second

// show is the command without a name: a fresh trunklog, all calls, their rows.
func show(ctx context.Context, c config, binary string, slack time.Duration, out io.Writer) error {
	return withTrunklog(ctx, binary, c.network, func(t *trunklog) error {
		all, err := makeCalls(ctx, t.config(c, c.network))
		if err != nil {
			return err
		}
		n, err := expected(all)
		if err != nil {
			return err
		}
		rows, err := t.await(ctx, n, patience)
		if err != nil {
			return err
		}
		results, err := compare(all, rows, slack)
		if err != nil {
			return err
		}
		if err := printResults(results, out); err != nil {
			return err
		}
		if err := report(results, out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "\n%d calls over HEP/%s, %d rows, each as it must be.\n", len(all), strings.ToUpper(c.network), len(rows))
		return err
	})
}

// columns are the properties that are printed, and how short.
var columns = []struct{ title, property string }{
	{"callType", "callType"},
	{"caller", "callerNumber"},
	{"callee", "calleeNumber"},
	{"start", "startDateTime"},
	{"s", "duration"},
	{"ok", "successfulCall"},
	{"code", "finalSipCode"},
	{"phrase", "finalSipCodePhrase"},
	{"subReason", "callEndSubReason"},
	{"signaling", "signalingLocation"},
	{"trunk", "trunkFullyQualifiedDomainName"},
}

// printResults prints the rows as a table.
func printResults(results []result, out io.Writer) error {
	slices.SortFunc(results, func(a, b result) int { return cmp.Compare(a.scenario.name, b.scenario.name) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "call")
	for _, c := range columns {
		fmt.Fprint(w, "\t", c.title)
	}
	fmt.Fprintln(w, "\trow")
	for _, r := range results {
		fmt.Fprint(w, r.scenario.name)
		for _, c := range columns {
			v := fmt.Sprint(r.row[c.property])
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				v = t.Format("15:04:05.000")
			}
			if r.row == nil {
				v = "-"
			}
			fmt.Fprint(w, "\t", v)
		}
		switch {
		case len(r.wrong) > 0:
			fmt.Fprintln(w, "\tWRONG")
		case r.row == nil:
			fmt.Fprintln(w, "\tnone, rightly")
		default:
			fmt.Fprintln(w, "\tright")
		}
	}
	return w.Flush()
}
