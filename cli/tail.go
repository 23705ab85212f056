package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
)

func (p *program) callsTailCommand() *cobra.Command {
	var s selection
	var form string
	var open bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print calls as they happen",
		Long: `Print calls as they happen: each when its row is written, and with --open also
when it begins to ring and when it is answered. A server has to be running on the
data folder. What is printed is what came in: a row that is amended is printed
again.`,
		Example: `  trunklog calls tail --tenant contoso --open
  trunklog calls tail --result failed -o jsonl`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if form != "table" && form != "jsonl" {
				return usage("-o %s: table and jsonl are possible", form)
			}
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			if h.node == nil {
				return fmt.Errorf("no server runs on %s: calls happen while one does", h.dir)
			}
			q, err := s.query(cmd.Context(), p, h)
			if err != nil {
				return err
			}
			in, err := s.zone.location(p.stdout)
			if err != nil {
				return err
			}
			return p.tail(cmd.Context(), h.node, q, open, form, in)
		},
	}
	s.flags(cmd)
	_ = cmd.Flags().MarkHidden("from") // updates have no period to select from
	_ = cmd.Flags().MarkHidden("to")
	cmd.Flags().BoolVar(&open, "open", false, "print calls that have not ended, too")
	cmd.Flags().StringVarP(&form, "output", "o", "table", "print as `FORM`: table, jsonl")
	return cmd
}

// tail prints the node's updates until the node or the operator stops.
func (p *program) tail(ctx context.Context, node *admin.Client, q call.Query, open bool, form string, in *time.Location) error {
	for u, err := range node.Tail(ctx, q.Tenant, open) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, call.ErrClosed):
			return errStopped
		case err != nil:
			return err
		}
		if err := p.printUpdate(u, q, form, in); err != nil {
			return err
		}
	}
	return errStopped
}

var errStopped = errors.New("the server has stopped")

func (p *program) printUpdate(u *admin.Update, q call.Query, form string, in *time.Location) (err error) {
	r := &u.Row
	if u.Missed > 0 {
		fmt.Fprintf(p.stderr, "%d updates were left out: they came faster than they could be printed\n", u.Missed)
	}
	if q.Where != nil && !q.Where.Match(r) {
		return nil
	}
	if onlyProven(q) {
		r = r.Sober()
	}
	if form == "jsonl" {
		row := graph.AppendRow(nil, r, graph.RowOptions{Beta: true})
		_, err = fmt.Fprintf(p.stdout, "{\"progress\":%q,\"call\":%s}\n", u.Progress, row)
		return err
	}
	at := r.Start
	if at.IsZero() {
		at = r.Invite
	}
	result := u.Progress
	if u.Progress == ingest.Ended.String() {
		if result = fmt.Sprintf("failed %d %s", r.FinalSIPCode, r.FinalSIPPhrase); r.Successful {
			result = strconv.Itoa(int(r.Duration)) + " s"
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s  %-22s  %16s → %-16s  %-24s  %s\n",
		at.In(in).Format(tailTime), printable(fieldText(r, call.FieldCallType, in)), printable(r.Caller), printable(r.Callee), printable(r.Trunk), printable(result))
	return err
}

// tailTime has the zone in each line, because the output has no title line.
const tailTime = "2006-01-02 15:04:05.000Z07:00"
