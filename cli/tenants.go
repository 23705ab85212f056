package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/tenant"
)

func (p *program) tenantCommand() *cobra.Command {
	return group("tenant", "The tenants whose calls are kept", p.tenantAddCommand(), p.tenantListCommand(), p.tenantSetCommand(), p.tenantRemoveCommand())
}

func (p *program) tenantAddCommand() *cobra.Command {
	var id, keep string
	var trunks, plans []string
	cmd := &cobra.Command{
		Use:   "add NAME --id GUID [--trunk HOST]…",
		Short: "Add a tenant and say which trunks are its own",
		Example: `  trunklog tenant add contoso --id 1a2b3c4d-0000-4000-8000-00000000c0de --trunk sbc1.contoso.com
  trunklog tenant add fabrikam --id 5e6f7a8b-0000-4000-8000-00000000fab0 --trunk '*.fabrikam.carrier.com' --keep 2y`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			t := tenant.Tenant{Name: args[0], Trunks: trunks}
			if id == "" {
				return usage("--id is missing: give the Entra tenant id (a GUID)")
			}
			if t.ID, err = call.ParseGUID(id); err != nil {
				return usage("--id: %w", err)
			}
			if t.Keep, err = tenant.ParsePeriod(keep); err != nil {
				return usage("--keep: %w", err)
			}
			sayM(p.stderr, "--keep", keep, "mo")
			if t.Plans, err = dialPlans(plans); err != nil {
				return usage("--dial-plan: %w", err)
			}
			h, err := p.enter(cmd.Context(), cmd, true)
			if err != nil {
				return err
			}
			defer h.close(&err)
			if err := h.tenants.Add(cmd.Context(), t); err != nil {
				return invalid(err)
			}
			fmt.Fprintf(p.stderr, "added tenant %s\n", t.Name)
			return nil
		},
	}
	cmd.Flags().StringVar(&id, "id", "", "the tenant's Entra tenant id, a `GUID`")
	cmd.Flags().StringArrayVar(&trunks, "trunk", nil, "a trunk of the tenant: the `HOST` name of an SBC, or *.DOMAIN for all below it (may be repeated)")
	cmd.Flags().StringArrayVar(&plans, "dial-plan", nil, "how numbers are written on trunks: `[TRUNK=]+COUNTRY/NATIONAL/INTERNATIONAL` such as +49/0/00 (may be repeated)")
	cmd.Flags().StringVar(&keep, "keep", "", "delete rows after `PERIOD`, such as 150d, 6mo, 10y or forever (default as the server is told)")
	return cmd
}

// dialPlans reads dial plans, by trunk in lower case; "" is the plan of all other trunks.
func dialPlans(specs []string) (map[string]tenant.Plan, error) {
	plans := make(map[string]tenant.Plan, len(specs))
	for _, spec := range specs {
		trunk, form, ok := strings.Cut(spec, "=")
		if !ok {
			trunk, form = "", spec
		}
		plan, err := tenant.ParsePlan(form)
		if err != nil {
			return nil, err
		}
		plans[strings.ToLower(trunk)] = plan
	}
	return plans, nil
}

func (p *program) tenantListCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tenants",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			all, err := h.tenants.List(cmd.Context())
			if err != nil {
				return err
			}
			out := table{{"NAME", "ID", "KEEP", "TRUNKS", "SENDERS"}}
			for _, t := range all {
				out = append(out, []string{t.Name, t.ID.String(), keepOf(t), list(t.Trunks), strings.Join(senderCells(t), " ")})
			}
			return p.print(form, out, all)
		},
	}
	outputFlag(cmd, &form)
	return cmd
}
