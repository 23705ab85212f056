package cli

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/tenant"
)

// changeAtOnce is how many rows one batch deletes or assigns.
const changeAtOnce = 500

// A spread counts rows, and keeps the earliest and the latest start.
type spread struct {
	n           int64
	first, last time.Time
}

func (s *spread) add(start time.Time) {
	if s.n++; s.n == 1 || start.Before(s.first) {
		s.first = start
	}
	if start.After(s.last) {
		s.last = start
	}
}

func (s *spread) String() string {
	text := count(s.n, "call", "calls")
	if s.n > 0 {
		text += fmt.Sprintf(", from %s to %s", s.first.Format(time.RFC3339), s.last.Format(time.RFC3339))
	}
	return text
}

// chosen yields the rows with the given ids, each once, or without ids the rows that the query
// selects. An unknown id ends it with an error.
func (h *house) chosen(ctx context.Context, q call.Query, ids []string) iter.Seq2[*call.Row, error] {
	if len(ids) == 0 {
		return h.store.Rows(ctx, q)
	}
	return func(yield func(*call.Row, error) bool) {
		told := make(map[call.GUID]bool)
		for _, text := range ids {
			id, err := call.ParseGUID(text)
			if err != nil {
				yield(nil, usage("ID: %w", err))
				return
			}
			r, err := h.store.Row(ctx, q.Tenant, id)
			if err != nil {
				yield(nil, fmt.Errorf("call %s: %w", id, err))
				return
			}
			if !told[r.ID] && !yield(&r, nil) {
				return
			}
			told[r.ID] = true
		}
	}
}

// narrowed reports whether the flags select less than all calls of a tenant.
func (s *selection) narrowed() bool {
	all := selection{tenant: s.tenant, newestFirst: s.newestFirst, zone: s.zone}
	return *s != all
}

func (p *program) callsDeleteCommand() *cobra.Command {
	var s selection
	var yes, all bool
	cmd := &cobra.Command{
		Use:   "delete [ID…]",
		Short: "Delete calls, with their SIP messages",
		Long: `Delete calls, with their SIP messages: those with the given ids, or those that
the flags select. Whoever follows the log is told that they are gone. A call that
is heard or imported again afterwards is there again.`,
		Example: `  trunklog calls delete 0d7b3f4e-8c1a-4a53-9f0e-5b8f0c9a7e21 --yes
  trunklog calls delete --trunk sbc9.contoso.com --to 2026-01-01`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			switch {
			case len(args) == 0 && !s.narrowed() && !all:
				return usage("which calls? give ids or flags that select some, or --all for all of the tenant")
			case len(args) > 0 && (s.narrowed() || all):
				return usage("give ids or flags that select calls, not both")
			}
			h, err := p.enter(ctx, cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			q, err := s.query(ctx, p, h)
			if err != nil {
				return err
			}
			if !yes {
				return p.wouldChange(h.chosen(ctx, q, args), "delete", nil)
			}
			return p.deleteRows(ctx, h, h.chosen(ctx, q, args))
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all calls of the tenant")
	yesFlag(cmd, &yes)
	return cmd
}

// wouldChange says how many rows a command would delete or assign, and when they started. If only
// is not nil, it counts those that only accepts.
func (p *program) wouldChange(rows iter.Seq2[*call.Row, error], what string, only func(*call.Row) bool) error {
	var s spread
	for r, err := range rows {
		if err != nil {
			return err
		}
		if only == nil || only(r) {
			s.add(r.Start)
		}
	}
	fmt.Fprintf(p.stderr, "would %s %v\n", what, &s)
	p.onlySaid()
	return nil
}

func (p *program) deleteRows(ctx context.Context, h *house, rows iter.Seq2[*call.Row, error]) (err error) {
	var gone int64
	defer func() { fmt.Fprintf(p.stderr, "deleted %s\n", count(gone, "call", "calls")) }()
	var b call.Batch
	flush := func() error {
		res, err := h.store.Write(ctx, b)
		for _, w := range res.Removed {
			if w.Fate == call.Removed {
				gone++
			}
		}
		b.Remove = b.Remove[:0]
		return err
	}
	for r, err := range rows {
		if err != nil {
			return err
		}
		if b.Remove = append(b.Remove, call.RowID{Tenant: r.Tenant, ID: r.ID}); len(b.Remove) == changeAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (p *program) callsAssignCommand() *cobra.Command {
	var s selection
	var yes, anyTrunk bool
	cmd := &cobra.Command{
		Use:   "assign TENANT [ID…]",
		Short: "Give a tenant calls that were kept without one",
		Long: `Give a tenant calls that were kept without one, as those of a trunk that no
tenant had yet: all of its trunks, or those of them that flags or ids select. They
become one with what the tenant's log knows of the same calls already.`,
		Example: `  trunklog calls assign contoso
  trunklog calls assign contoso --trunk sbc2.contoso.com --any-trunk --yes`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			switch {
			case len(args) == 0:
				return usage("TENANT is missing (usage: %s)", cmd.UseLine())
			case len(args) > 1 && s.narrowed():
				return usage("give ids or flags that select calls, not both")
			}
			h, err := p.enter(ctx, cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			t, err := h.owner(ctx, args[0])
			if err != nil {
				return err
			}
			s.tenant = tenant.Unassigned
			q, err := s.query(ctx, p, h)
			if err != nil {
				return err
			}
			only := func(r *call.Row) bool {
				owner, ok := h.tenants.ByTrunk(ctx, r.Trunk)
				return anyTrunk || ok && owner == t.ID
			}
			if !yes {
				return p.wouldChange(h.chosen(ctx, q, args[1:]), "assign", only)
			}
			return p.assignRows(ctx, h, t, h.chosen(ctx, q, args[1:]), only)
		},
	}
	s.flags(cmd)
	if err := cmd.Flags().MarkHidden("tenant"); err != nil {
		panic(err)
	}
	cmd.Flags().BoolVar(&anyTrunk, "any-trunk", false, "those of trunks, too, that are not the tenant's")
	yesFlag(cmd, &yes)
	return cmd
}

func (p *program) assignRows(ctx context.Context, h *house, t tenant.Tenant, rows iter.Seq2[*call.Row, error], only func(*call.Row) bool) error {
	in := ingest.New(ingest.Config{Store: h.store, Now: p.now})
	var n call.Counts
	defer func() {
		fmt.Fprintf(p.stderr, "assigned %s to tenant %s", count(n.New+n.Changed+n.Same, "call", "calls"), t.Name)
		if old := n.Changed + n.Same; old > 0 {
			fmt.Fprintf(p.stderr, "; %d of them it knew already", old)
		}
		fmt.Fprintln(p.stderr)
	}()
	var some []call.Row
	flush := func() error {
		m, err := in.Assign(ctx, some, t.ID)
		n.New, n.Changed, n.Same = n.New+m.New, n.Changed+m.Changed, n.Same+m.Same
		some = some[:0]
		return err
	}
	for r, err := range rows {
		if err != nil {
			return err
		}
		if !only(r) {
			continue
		}
		if some = append(some, r.Clone()); len(some) == changeAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
