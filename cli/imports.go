package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ingest"
)

// newImport returns the entry of an import that begins now.
func (in *importer) newImport(tenant call.GUID) *ingest.Import {
	began := in.now().UTC().Truncate(time.Millisecond)
	var some [2]byte
	rand.Read(some[:])
	return &ingest.Import{
		ID: began.Format("20060102T150405.000Z-") + hex.EncodeToString(some[:]), Format: in.format, Files: in.files,
		Tenant: tenant, Began: began,
	}
}

// ended saves the result of an import, even of one that was interrupted.
func (in *importer) ended(ctx context.Context, h *house, broken bool) error {
	t := in.sink.Totals()
	i := in.noted
	i.Ended, i.Broken = in.now().UTC().Truncate(time.Millisecond), broken
	i.New, i.Changed, i.Same, i.Rejected = t.New, t.Changed, t.Same, int64(in.rejected)
	if s := in.ingest.HearStats(); s.Messages > 0 {
		i.New, i.Changed = int64(s.Rows), int64(s.Amended)
	}
	err := i.End(context.WithoutCancel(ctx), h.store)
	if i.New+i.Changed > 0 { // the rows are written even if saving the result failed
		fmt.Fprintf(in.stderr, "this was import %s; 'trunklog import undo %s' takes it back\n", i.ID, i.ID)
	}
	return err
}

func (p *program) importListCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the imports",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			all, err := ingest.Imports(cmd.Context(), h.store)
			if err != nil {
				return err
			}
			tenants, err := h.tenants.List(cmd.Context())
			if err != nil {
				return err
			}
			names := make(map[call.GUID]string)
			for _, t := range tenants {
				names[t.ID] = t.Name
			}
			out := table{{"ID", "TENANT", "FORMAT", "FILES", "NEW", "CHANGED", "KNOWN", "REJECTED", "STATE"}}
			for i := range all {
				out = append(out, importCells(&all[i], names))
			}
			return p.print(form, out, append([]ingest.Import{}, all...))
		},
	}
	outputFlag(cmd, &form)
	return cmd
}

func importCells(i *ingest.Import, tenants map[call.GUID]string) []string {
	tenant := tenants[i.Tenant]
	switch {
	case i.Tenant.IsZero():
		tenant = "by trunk"
	case tenant == "":
		tenant = i.Tenant.String()
	}
	files := i.Files[0]
	if n := len(i.Files) - 1; n > 0 {
		files += fmt.Sprintf(" and %d more", n)
	}
	n := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{i.ID, tenant, i.Format, files, n(i.New), n(i.Changed), n(i.Same), n(i.Rejected), importState(i)}
}

func importState(i *ingest.Import) string {
	switch {
	case !i.Undone.IsZero() && i.Left > 0:
		return fmt.Sprintf("undone, but for %s", count(i.Left, "row", "rows"))
	case !i.Undone.IsZero():
		return "undone"
	case i.Forgotten:
		return "cannot be undone any more"
	case i.Ended.IsZero():
		return "under way, or killed"
	case i.Broken:
		return "ended with an error"
	}
	return "done"
}

func (p *program) importUndoCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "undo ID",
		Short: "Take back an import",
		Long: `Take back an import: rows that it alone has told are removed, and of others what
it has told is taken back. A row of which a later import has told in the same way
(of the same format, or another one with Microsoft's own records) is left, and its id
is printed: undo that one first, and this one then. That a program has delivered the
same record of Microsoft's (POST, kind=graph) leaves no trace if it was known: such a
row is removed, until the record is delivered again.

It is possible for as long as changes are kept (serve --keep-changes).`,
		Example: `  trunklog import list
  trunklog import undo 20261130T081500.123Z-3fa2 --yes`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			tenants, err := h.tenants.List(cmd.Context())
			if err != nil {
				return err
			}
			o := ingest.UndoOptions{
				Dry: !yes, Now: p.now().UTC().Truncate(time.Millisecond),
				Left: func(id call.RowID) { fmt.Fprintln(p.stdout, id.ID) },
			}
			for _, t := range tenants {
				o.Tenants = append(o.Tenants, t.ID)
			}
			n, err := ingest.Undo(cmd.Context(), h.store, args[0], o)
			p.reportUndone(n, yes)
			return err
		},
	}
	yesFlag(cmd, &yes)
	return cmd
}

func (p *program) reportUndone(n ingest.Undone, done bool) {
	removed, taken := "would remove", "would take back what was told of"
	if done {
		removed, taken = "removed", "took back what was told of"
	}
	fmt.Fprintf(p.stderr, "%s %s, %s %d others", removed, count(n.Removed, "row", "rows"), taken, n.Changed)
	for _, more := range []struct {
		n    int64
		what string
	}{
		{n.Left, "left, because a later import has told of them"},
		{n.Kept, "of which nothing stands any more that it told"},
		{n.Gone, "not in the log any more"},
	} {
		if more.n > 0 {
			fmt.Fprintf(p.stderr, "; %d %s", more.n, more.what)
		}
	}
	fmt.Fprintln(p.stderr)
	if !done {
		p.onlySaid()
	}
}
