package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/tenant"
)

func (p *program) callsCommand() *cobra.Command {
	return group("calls", "Look at the calls that are kept", p.callsListCommand(), p.callsGetCommand(), p.callsLadderCommand(), p.callsCountCommand(), p.callsTailCommand(), p.callsDeleteCommand(), p.callsAssignCommand())
}

// A selection is the calls that the flags of list, count, delete and assign select.
type selection struct {
	tenant, from, to                       string
	trunk, user, number, typ, code, result string
	toldBy                                 string
	newestFirst                            bool
	zone                                   zoneFlag
}

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.tenant, "tenant", "", "the tenant's `NAME` or GUID; 'unassigned' for rows without one (default: the only one)")
	f.StringVar(&s.from, "from", "", "calls that started at `TIME` or later: "+timeHelp)
	f.StringVar(&s.to, "to", "", "calls that started before `TIME`; a date or a month is its beginning")
	s.zone.flag(cmd)
	f.StringVar(&s.trunk, "trunk", "", "calls of this trunk, the `HOST` name of an SBC")
	f.StringVar(&s.user, "user", "", "calls of this `USER`: principal name or object id")
	f.StringVar(&s.number, "number", "", "calls from or to this `NUMBER`; only its digits count. One '*' stands for any digits ('+4930*', '*1234'), several for as many hidden ones ('+49301234***')")
	f.StringVar(&s.typ, "type", "", "calls of this `TYPE`, by Graph's name (ByotIn) or the admin centre's (dr_in)")
	f.StringVar(&s.code, "code", "", "calls that ended with this `CODE`: a SIP code (486), or one with its subcode (486/540486)")
	f.StringVar(&s.result, "result", "", "calls with this result: ok or failed")
	f.StringVar(&s.toldBy, "told-by", "", "calls of which a source has told whose sender proved who it is, and no more than it has told (`proven`); or those of which none has (hearsay)")
}

// query returns the query for the flags.
func (s *selection) query(ctx context.Context, p *program, h *house) (call.Query, error) {
	t, err := h.tenant(ctx, s.tenant)
	if err != nil {
		return call.Query{}, err
	}
	q := call.Query{Tenant: t.ID, Reverse: s.newestFirst}
	in, err := s.zone.location(p.stdout)
	if err != nil {
		return q, err
	}
	for _, limit := range []struct {
		flag, value string
		to          *time.Time
	}{{"--from", s.from, &q.From}, {"--to", s.to, &q.To}} {
		if *limit.to, err = when(limit.value, p.now(), in); err != nil {
			return q, usage("%s: %w", limit.flag, err)
		}
		sayM(p.stderr, limit.flag, limit.value, "min")
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		fmt.Fprintf(p.stderr, "--from %s is not before --to %s: no call can be in between\n", stamp(q.From.In(in)), stamp(q.To.In(in)))
	}
	where, err := s.where()
	if len(where) > 0 {
		q.Where = where
	}
	switch s.toldBy {
	case "":
	case "proven":
		q.Where = call.ToldProven{X: where}
	case "hearsay":
		q.Where = append(where, call.Not{X: call.ToldProven{X: call.And{}}})
	default:
		return q, usage("--told-by %s: proven and hearsay are possible", s.toldBy)
	}
	return q, err
}

// onlyProven reports whether a question is for what authenticated sources have told alone.
func onlyProven(q call.Query) bool {
	_, ok := q.Where.(call.ToldProven)
	return ok
}

// shown yields the rows of a question as they are to be shown: without what hearsay has added, if
// that is left out.
func shown(q call.Query, rows iter.Seq2[*call.Row, error]) iter.Seq2[*call.Row, error] {
	if !onlyProven(q) {
		return rows
	}
	return func(yield func(*call.Row, error) bool) {
		for r, err := range rows {
			if err == nil {
				r = r.Sober()
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s *selection) where() (call.And, error) {
	var and call.And
	if s.trunk != "" {
		and = append(and, call.TextMatch{Field: call.FieldTrunk, Op: call.EqualFold, Part: s.trunk})
	}
	if s.user != "" {
		if id, err := call.ParseGUID(s.user); err == nil {
			and = append(and, call.Compare{Field: call.FieldUserID, Op: call.EQ, Value: id})
		} else {
			and = append(and, call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: s.user})
		}
	}
	if s.number != "" {
		number := call.Symbols(call.PlainNumber(s.number))
		if strings.Trim(number, "*") == "" {
			return nil, usage("--number %q has no digits", s.number)
		}
		if like := call.NumberLike(number); like.HasAnyDigits() {
			and = append(and, like)
		} else {
			and = append(and, call.Digits(number))
		}
	}
	if s.typ != "" {
		and = append(and, ofType(s.typ))
	}
	if s.code != "" {
		sip, sub, both := strings.Cut(s.code, "/")
		for _, c := range []struct {
			field call.Field
			text  string
			given bool
		}{{call.FieldFinalSIPCode, sip, true}, {call.FieldCallEndSubReason, sub, both}} {
			if !c.given {
				continue
			}
			n, err := strconv.ParseInt(c.text, 10, 32)
			if err != nil {
				return nil, usage("--code %q: a SIP code such as 486 is needed, or one with its subcode such as 486/540486", s.code)
			}
			and = append(and, call.Compare{Field: c.field, Op: call.EQ, Value: int32(n)})
		}
	}
	switch s.result {
	case "":
	case "ok", "failed":
		and = append(and, call.Compare{Field: call.FieldSuccessful, Op: call.EQ, Value: s.result == "ok"})
	default:
		return nil, usage("--result %s: ok and failed are possible", s.result)
	}
	return and, nil
}

// ofType returns the condition that a call is of a type, by any of the type's names: a row keeps
// the name that its witness has used.
func ofType(name string) call.Expr {
	var or call.Or
	for _, names := range call.CallTypes() {
		for _, n := range names {
			if strings.EqualFold(string(n), name) {
				for _, n := range names {
					or = append(or, call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: string(n)})
				}
				return or
			}
		}
	}
	return call.TextMatch{Field: call.FieldCallType, Op: call.EqualFold, Part: name}
}

func (p *program) callsListCommand() *cobra.Command {
	var s selection
	var form rowForm
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List calls",
		Example: `  trunklog calls list --from -24h --result failed
  trunklog calls list --number +4930123456 -o jsonl`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			form.zone = &s.zone
			if err := form.check(p); err != nil {
				return err
			}
			if limit < 0 {
				return usage("--limit %d: 0 is all, a negative number makes no sense", limit)
			}
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			q, err := s.query(cmd.Context(), p, h)
			if err != nil {
				return err
			}
			if q.Limit = limit; form.form == "table" && isTerminal(p.stdout) && !cmd.Flags().Changed("limit") {
				form.screen, q.Limit = screenful, screenful+1
			}
			n, err := p.printRows(&form, shown(q, h.store.Rows(cmd.Context(), q)))
			if err != nil || n > 0 {
				return err
			}
			return p.sayNone(cmd.Context(), h, q)
		},
	}
	s.flags(cmd)
	form.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "print `N` calls at most; 0 prints all (default 100 in a table on a terminal, else all)")
	cmd.Flags().BoolVar(&s.newestFirst, "newest-first", false, "begin with the newest call")
	return cmd
}

// sayNone says that no call was found, and how many other calls the tenant has.
func (p *program) sayNone(ctx context.Context, h *house, q call.Query) error {
	all, err := h.store.Count(ctx, call.Query{Tenant: q.Tenant})
	if err != nil {
		return err
	}
	name := tenant.Unassigned
	if !q.Tenant.IsZero() {
		t, err := h.tenants.Find(ctx, q.Tenant.String())
		if err != nil {
			return err
		}
		name = t.Name
	}
	if all == 0 {
		fmt.Fprintf(p.stderr, "there are no calls of %s yet\n", name)
	} else {
		fmt.Fprintf(p.stderr, "no call is like that: %s has %s\n", name, count(all, "other", "others"))
	}
	return nil
}

func (p *program) callsCountCommand() *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use:   "count",
		Short: "Count calls",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			q, err := s.query(cmd.Context(), p, h)
			if err != nil {
				return err
			}
			n, err := h.store.Count(cmd.Context(), q)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.stdout, n)
			return err
		},
	}
	s.flags(cmd)
	return cmd
}

func (p *program) callsGetCommand() *cobra.Command {
	var name string
	var form rowForm
	var zone zoneFlag
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show one call, and who said what of it",
		Args:  exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			form.zone = &zone
			if err := form.check(p); err != nil {
				return err
			}
			id, err := call.ParseGUID(args[0])
			if err != nil {
				return usage("ID: %w", err)
			}
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			r, err := h.row(cmd.Context(), name, id)
			if err != nil {
				return err
			}
			if form.form == "table" && !p.settings.byHand("columns") {
				return printTable(p.stdout, fieldTable(&r, form.in))
			}
			_, err = p.printRows(&form, func(yield func(*call.Row, error) bool) { yield(&r, nil) })
			return err
		},
	}
	cmd.Flags().StringVar(&name, "tenant", "", "the tenant's `NAME` or GUID (default: the only one)")
	zone.flag(cmd)
	form.flags(cmd)
	return cmd
}

// row returns the call with the given id in the log of the named tenant.
func (h *house) row(ctx context.Context, tenantName string, id call.GUID) (call.Row, error) {
	t, err := h.tenant(ctx, tenantName)
	if err != nil {
		return call.Row{}, err
	}
	r, err := h.store.Row(ctx, t.ID, id)
	if errors.Is(err, call.ErrNotFound) {
		return call.Row{}, fmt.Errorf("there is no call %s in tenant %s", id, t.Name)
	}
	return r, err
}
