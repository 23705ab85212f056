package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/auth"
)

func (p *program) tokenCommand() *cobra.Command {
	var tenantName, client string
	cmd := &cobra.Command{
		Use:     "token --tenant TENANT --client CLIENT --secret-file FILE",
		Short:   "Print an access token, as the server would issue it",
		Example: `  curl -H "Authorization: Bearer $(trunklog token --tenant contoso --client reporter --secret-file reporter.secret)" …`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret, _ := cmd.Flags().GetString("secret")
			if client == "" || secret == "" {
				return usage("--client and --secret-file are needed: 'trunklog client create NAME --secret-out FILE' gives both")
			}
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				id, err := d.find(ctx, client)
				if err != nil {
					return err
				}
				token, _, err := d.authority.Mint(ctx, d.tenant.ID.String(), id, auth.NewSecret(secret))
				if err != nil {
					return &exitError{exitAuth, err}
				}
				_, err = fmt.Fprintln(p.stdout, token.Reveal())
				return err
			})
		},
	}
	clientFlags(cmd, &tenantName, nil)
	cmd.Flags().StringVar(&client, "client", "", "the `CLIENT`, by its id or its name")
	secretFlag(cmd.Flags(), "secret", "its `SECRET`")
	return cmd
}
