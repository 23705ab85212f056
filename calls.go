package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/graph"
)

func (p *program) callsCommand() *cobra.Command {
	return group("calls", "Look at the calls that are kept", p.callsListCommand(), p.callsGetCommand(), p.callsLadderCommand(), p.callsCountCommand(), p.callsTailCommand(), p.callsDeleteCommand(), p.callsAssignCommand())
}

// A selection is what the flags of list and count say.
type selection struct {
	tenant, from, to                  string
	trunk, user, number, code, result string
	newestFirst                       bool
}

func (s *selection) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.tenant, "tenant", "", "the tenant's `NAME` or GUID; 'unassigned' for rows without one (default: the only one)")
	f.StringVar(&s.from, "from", "", "calls that started at `TIME` or later: 2026-11-01, 2026-11-01T08:00Z, -24h, -7d")
	f.StringVar(&s.to, "to", "", "calls that started before `TIME`")
	f.StringVar(&s.trunk, "trunk", "", "calls of this trunk, the `HOST` name of an SBC")
	f.StringVar(&s.user, "user", "", "calls of this `USER`: principal name or object id")
	f.StringVar(&s.number, "number", "", "calls from or to this `NUMBER`; only its digits count, and '*' for hidden ones")
	f.StringVar(&s.code, "code", "", "calls that ended with this `CODE`: a SIP code (486), or one with its subcode (486/540486)")
	f.StringVar(&s.result, "result", "", "calls with this result: ok or failed")
}

// query turns the flags into a query.
func (s *selection) query(ctx context.Context, h *house, now time.Time) (call.Query, error) {
	t, err := h.tenant(ctx, s.tenant)
	if err != nil {
		return call.Query{}, err
	}
	q := call.Query{Tenant: t.ID, Reverse: s.newestFirst}
	if q.From, err = when(s.from, now); err != nil {
		return q, usage("--from: %w", err)
	}
	if q.To, err = when(s.to, now); err != nil {
		return q, usage("--to: %w", err)
	}
	where, err := s.where()
	if len(where) > 0 {
		q.Where = where
	}
	return q, err
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
		number := call.Symbols(s.number)
		if strings.Trim(number, "*") == "" {
			return nil, usage("--number %q has no digits", s.number)
		}
		and = append(and, call.Digits(number))
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

func (p *program) callsListCommand() *cobra.Command {
	var s selection
	var form string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List calls",
		Example: `  trunklog calls list --from -24h --result failed
  trunklog calls list --number +4930123456 -o jsonl`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkForm(form); err != nil {
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
			q, err := s.query(cmd.Context(), h, p.now())
			if err != nil {
				return err
			}
			q.Limit = limit
			return p.printRows(form, h.store.Rows(cmd.Context(), q))
		},
	}
	s.flags(cmd)
	outputFlag(cmd, &form)
	cmd.Flags().IntVar(&limit, "limit", 0, "print `N` calls at most; 0 prints all")
	cmd.Flags().BoolVar(&s.newestFirst, "newest-first", false, "begin with the newest call")
	return cmd
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
			q, err := s.query(cmd.Context(), h, p.now())
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
	var name, form string
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show one call, and who said what of it",
		Args:  exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := checkForm(form); err != nil {
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
			if form == "table" {
				return printTable(p.stdout, fieldTable(&r))
			}
			return p.printRows(form, func(yield func(*call.Row, error) bool) { yield(&r, nil) })
		},
	}
	cmd.Flags().StringVar(&name, "tenant", "", "the tenant's `NAME` or GUID (default: the only one)")
	outputFlag(cmd, &form)
	return cmd
}

// row returns the call with the given id of the named tenant.
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

// fieldTable shows each field of r, its value and its witness.
func fieldTable(r *call.Row) table {
	t := table{{"FIELD", "VALUE", "SAID BY"}}
	values := rowValues(r)
	for f := range call.NumFields {
		t = append(t, []string{f.String(), values[f], witnessName(r.By[f])})
	}
	for c := range r.Claims() { // what is not shown
		var w call.Row
		c.Put(&w)
		t = append(t, []string{c.Field.String() + ", as claimed", rowValues(&w)[c.Field], strings.TrimSpace(witnessName(c.Witness) + " " + c.Source)})
	}
	return append(t, []string{"seen by", r.Seen.String(), ""})
}

func witnessName(w call.Witness) string {
	switch {
	case w == 0:
		return ""
	case !w.Authenticated():
		return w.Kind().String() + " (not authenticated)"
	}
	return w.Kind().String()
}

// rowValues returns the fields of r as text, in the order of the fields.
func rowValues(r *call.Row) []string {
	values := make([]string, call.NumFields)
	for f := range call.NumFields {
		switch f.Type() {
		case call.ID:
			if id := r.GUID(f); !id.IsZero() {
				values[f] = id.String()
			}
		case call.Text:
			values[f] = r.Text(f)
		case call.Time:
			values[f] = stamp(r.Time(f))
		case call.Number:
			values[f] = strconv.Itoa(int(r.Number(f)))
		case call.Bool:
			values[f] = strconv.FormatBool(r.Bool(f))
		case call.List:
			for i, u := range r.AdministrativeUnits {
				if i > 0 {
					values[f] += " "
				}
				values[f] += u.String()
			}
		}
	}
	return values
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// printRows prints calls as they come: nothing is held back, so that any number
// of them can be printed.
func (p *program) printRows(form string, rows iter.Seq2[*call.Row, error]) error {
	switch form {
	case "json":
		return p.printRowsJSON(rows)
	case "jsonl":
		return p.eachRow(rows, func(b []byte, r *call.Row) ([]byte, error) {
			return append(graph.AppendRow(b, r, graph.RowOptions{Beta: true}), '\n'), nil
		})
	case "csv":
		titles := make([]string, call.NumFields)
		for f := range call.NumFields {
			titles[f] = f.String()
		}
		if err := printCSV(p.stdout, table{titles}); err != nil {
			return err
		}
		return p.eachRow(rows, func(b []byte, r *call.Row) ([]byte, error) {
			var line bytes.Buffer
			err := printCSV(&line, table{rowValues(r)})
			return append(b, line.Bytes()...), err
		})
	}
	return p.printRowTable(rows)
}

// eachRow writes what form makes of each row, in pieces of a reasonable size.
func (p *program) eachRow(rows iter.Seq2[*call.Row, error], form func([]byte, *call.Row) ([]byte, error)) error {
	var b []byte
	for r, err := range rows {
		if err != nil {
			_, writeErr := p.stdout.Write(b)
			return errors.Join(err, writeErr)
		}
		if b, err = form(b, r); err != nil {
			return err
		}
		if len(b) > 64<<10 {
			if _, err := p.stdout.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := p.stdout.Write(b)
	return err
}

// printRowsJSON prints an array of calls that people can read.
func (p *program) printRowsJSON(rows iter.Seq2[*call.Row, error]) error {
	next := "[\n  "
	var compact []byte
	err := p.eachRow(rows, func(b []byte, r *call.Row) ([]byte, error) {
		compact = graph.AppendRow(compact[:0], r, graph.RowOptions{Beta: true})
		out := bytes.NewBuffer(append(b, next...))
		next = ",\n  "
		err := json.Indent(out, compact, "  ", "  ")
		return out.Bytes(), err
	})
	if err != nil {
		return err
	}
	if next[0] == '[' {
		next = "["
	} else {
		next = "\n"
	}
	_, err = fmt.Fprint(p.stdout, next, "]\n")
	return err
}

// tablePage is how many calls a table aligns at once.
const tablePage = 500

func (p *program) printRowTable(rows iter.Seq2[*call.Row, error]) error {
	titles := []string{"START", "TYPE", "CALLER", "CALLEE", "USER", "TRUNK", "SECONDS", "RESULT", "CODE", "ID"}
	t := table{titles}
	for r, err := range rows {
		if err != nil {
			return errors.Join(err, printTable(p.stdout, t))
		}
		result := "failed"
		if r.Successful {
			result = "ok"
		}
		t = append(t, []string{
			r.Start.Format("2006-01-02 15:04:05.000"), string(call.CallType(r.CallType).Graph()), strings.Clone(r.Caller), strings.Clone(r.Callee),
			strings.Clone(r.UserPrincipalName), strings.Clone(r.Trunk), strconv.Itoa(int(r.Duration)), result,
			fmt.Sprintf("%d/%d", r.FinalSIPCode, r.CallEndSubReason), r.ID.String(),
		})
		t[len(t)-1][1] = strings.Clone(t[len(t)-1][1])
		if len(t) > tablePage {
			if err := printTable(p.stdout, t); err != nil {
				return err
			}
			t = t[:0]
		}
	}
	return printTable(p.stdout, t)
}
