package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/node"
	"github.com/trunklog/trunklog/tenant"
)

// yesFlag adds --yes. Without it a command only says what it would do.
func yesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "do it: without this flag the command only says what it would do")
}

// onlySaid says that a command without --yes has done nothing.
func (p *program) onlySaid() {
	fmt.Fprintln(p.stderr, "nothing was changed: say --yes to do it")
}

// A tenantChange holds the flags of tenant set.
type tenantChange struct {
	name, keep                                       string
	names, noNames, trunks, noTrunks, plans, noPlans []string
	senders, noSenders                               []string
}

func (c *tenantChange) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.name, "name", "", "call it `NAME` from now on; the name that it has stays a further name")
	f.StringArrayVar(&c.names, "also", nil, "give it a further `NAME` (may be repeated)")
	f.StringArrayVar(&c.noNames, "remove-name", nil, "take a further `NAME` from it (may be repeated)")
	f.StringArrayVar(&c.trunks, "trunk", nil, "give it a trunk, the `HOST` name of an SBC, or *.DOMAIN for all below it (may be repeated)")
	f.StringArrayVar(&c.noTrunks, "remove-trunk", nil, "take the trunk `HOST` from it, with its dial plan (may be repeated)")
	f.StringArrayVar(&c.plans, "dial-plan", nil, "how numbers are written on trunks: `[TRUNK=]+COUNTRY/NATIONAL/INTERNATIONAL` such as +49/0/00 (may be repeated)")
	f.StringArrayVar(&c.noPlans, "remove-dial-plan", nil, "leave numbers on `TRUNK` as they are written; 'default' is the plan of all trunks without one (may be repeated)")
	f.StringArrayVar(&c.senders, "sender-name", nil, "let whoever sends SIP with a certificate of this name speak for trunks of the tenant: `NAME=TRUNK[,TRUNK…]`, where a NAME or TRUNK may be *.DOMAIN (may be repeated)")
	f.StringArrayVar(&c.noSenders, "remove-sender-name", nil, "take back what the sender of a certificate of this `NAME` may say of the tenant's trunks (may be repeated)")
	f.StringVar(&c.keep, "keep", "", "delete rows after `PERIOD`, such as 150d, 10y or forever; 'default' is as the server is told")
}

// apply changes t as the flags say.
func (c *tenantChange) apply(t *tenant.Tenant) error {
	for _, name := range c.noNames {
		if !t.RemoveName(name) {
			return usage("--remove-name %s: the further names of tenant %s are %s", name, t.Name, orNone(t.Names))
		}
	}
	for _, name := range c.names {
		t.AddName(name)
	}
	if c.name != "" {
		t.Rename(c.name)
	}
	for _, host := range c.noTrunks {
		if !t.RemoveTrunk(host) {
			return usage("--remove-trunk %s: the trunks of tenant %s are %s", host, t.Name, orNone(t.Trunks))
		}
	}
	for _, host := range c.trunks {
		t.AddTrunk(host)
	}
	if err := c.applyPlans(t); err != nil {
		return err
	}
	if err := c.applySenders(t); err != nil {
		return err
	}
	return c.applyKeep(t)
}

func (c *tenantChange) applySenders(t *tenant.Tenant) error {
	for _, name := range c.noSenders {
		if !t.RemoveSender(name) {
			return usage("--remove-sender-name %s: the senders that speak for trunks of tenant %s are %s", name, t.Name, orNone(senderCells(*t)))
		}
	}
	for _, spec := range c.senders {
		name, trunks, ok := strings.Cut(spec, "=")
		if !ok || name == "" || trunks == "" {
			return usage("--sender-name %q: NAME=TRUNK is needed, such as agent.carrier.com=sbc1.contoso.com", spec)
		}
		t.AddSender(name, strings.Split(trunks, ",")...)
	}
	return nil
}

// senderCells lists the senders' names with the trunks for which they speak, as NAME=TRUNK,TRUNK.
func senderCells(t tenant.Tenant) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(t.Senders)) {
		all = append(all, name+"="+strings.Join(t.Senders[name], ","))
	}
	return all
}

func (c *tenantChange) applyPlans(t *tenant.Tenant) error {
	for _, trunk := range c.noPlans {
		key := strings.ToLower(trunk)
		if key == "default" {
			key = ""
		}
		if _, ok := t.Plans[key]; !ok {
			return usage("--remove-dial-plan %s: tenant %s has no plan for it", trunk, t.Name)
		}
		delete(t.Plans, key)
	}
	plans, err := dialPlans(c.plans)
	if err != nil {
		return usage("--dial-plan: %w", err)
	}
	if t.Plans == nil {
		t.Plans = plans
	}
	maps.Copy(t.Plans, plans)
	return nil
}

func (c *tenantChange) applyKeep(t *tenant.Tenant) (err error) {
	switch c.keep {
	case "":
	case "default":
		t.Keep = tenant.Period{}
	default:
		if t.Keep, err = tenant.ParsePeriod(c.keep); err != nil {
			return usage("--keep: %w", err)
		}
	}
	return nil
}

func (p *program) tenantSetCommand() *cobra.Command {
	var c tenantChange
	var yes bool
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change a tenant's names, trunks, dial plans, senders, or how long its rows are kept",
		Long: `Change a tenant's names, trunks, dial plans, who speaks for its trunks, or how
long its rows are kept.

Rows that are there already stay as they are: their numbers are not written
anew, and 'trunklog calls assign' gives the tenant those that were kept
without one. A running server knows of the change at once.`,
		Example: `  trunklog tenant set contoso --trunk sbc2.contoso.com --keep 10y
  trunklog tenant set contoso --name contoso-ag --yes
  trunklog tenant set contoso --sender-name agent.carrier.com=sbc1.contoso.com --yes`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			before, err := h.owner(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			after, err := h.tenants.Set(cmd.Context(), before.ID, !yes, c.apply)
			if err != nil {
				return invalid(err)
			}
			return p.reportSet(before, after, yes)
		},
	}
	c.flags(cmd)
	yesFlag(cmd, &yes)
	return cmd
}

// owner returns the named tenant. It refuses the name of the rows without a tenant.
func (h *house) owner(ctx context.Context, name string) (tenant.Tenant, error) {
	if strings.EqualFold(name, tenant.Unassigned) {
		return tenant.Tenant{}, usage("%s are the rows without a tenant: name a tenant", tenant.Unassigned)
	}
	return h.tenant(ctx, name)
}

// reportSet prints the settings that differ, and says so if none does.
func (p *program) reportSet(before, after tenant.Tenant, done bool) error {
	t := table{{"SETTING", "BEFORE", "AFTER"}}
	was, is := tenantCells(before), tenantCells(after)
	for i, title := range []string{"name", "further names", "trunks", "dial plans", "senders", "keep"} {
		if was[i] != is[i] {
			t = append(t, []string{title, was[i], is[i]})
		}
	}
	if len(t) == 1 {
		fmt.Fprintf(p.stderr, "tenant %s is so already\n", before.Name)
		return nil
	}
	if err := printTable(p.stdout, t); err != nil {
		return err
	}
	if !done {
		p.onlySaid()
	}
	return nil
}

func tenantCells(t tenant.Tenant) []string {
	var plans []string
	for _, trunk := range slices.Sorted(maps.Keys(t.Plans)) {
		plan := t.Plans[trunk].String()
		if trunk != "" {
			plan = trunk + "=" + plan
		}
		plans = append(plans, plan)
	}
	return []string{t.Name, orNone(t.Names), orNone(t.Trunks), orNone(plans), orNone(senderCells(t)), keepOf(t)}
}

// keepOf returns how long the rows of a tenant are kept, in words.
func keepOf(t tenant.Tenant) string {
	if t.Keep.IsZero() {
		return "server's"
	}
	return t.Keep.String()
}

func (p *program) tenantRemoveCommand() *cobra.Command {
	var yes, keepRows bool
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a tenant",
		Long: `Remove a tenant: its names and trunks are free again, its clients cannot sign
in any more, and its calls are kept as unassigned from now on. The tokens of its
clients end now. If a tenant of the same id is added again, its clients are there
again, disabled.

A tenant that has rows is not removed: delete them first, or say --keep-rows.
Then they stay, for ever, until a tenant of the same id is added again.`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			h, err := p.enter(ctx, cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			t, err := h.owner(ctx, args[0])
			if err != nil {
				return err
			}
			n, err := h.store.Count(ctx, call.Query{Tenant: t.ID})
			if err != nil {
				return err
			}
			if n > 0 && !keepRows {
				return fmt.Errorf("tenant %s has %s: delete them with 'trunklog calls delete --tenant %s --all', or say --keep-rows", t.Name, count(n, "row", "rows"), t.Name)
			}
			if yes {
				if err = node.EndClients(ctx, h.store, t.ID, p.now()); err == nil {
					err = h.tenants.Remove(ctx, t.ID)
				}
			}
			if err != nil {
				return err
			}
			return p.reportRemoved(t, n, yes)
		},
	}
	cmd.Flags().BoolVar(&keepRows, "keep-rows", false, "remove the tenant although it has rows, which stay")
	yesFlag(cmd, &yes)
	return cmd
}

func (p *program) reportRemoved(t tenant.Tenant, rows int64, done bool) error {
	what := "would remove"
	if done {
		what = "removed"
	}
	_, err := fmt.Fprintf(p.stderr, "%s tenant %s (%s) with its trunks: %s\n", what, t.Name, t.ID, orNone(t.Trunks))
	if rows > 0 {
		_, more := fmt.Fprintf(p.stderr, "%s of it stay; 'trunklog tenant add NAME --id %s' finds them again\n", count(rows, "row", "rows"), t.ID)
		err = errors.Join(err, more)
	}
	if !done {
		p.onlySaid()
	}
	return err
}
