package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/auth"
)

// client returns the client with the given name or id.
func (d *desk) client(ctx context.Context, nameOrID string) (auth.Client, error) {
	id, err := d.find(ctx, nameOrID)
	if err != nil {
		return auth.Client{}, err
	}
	all, err := d.authority.Clients(ctx, d.tenant.ID.String())
	for _, c := range all {
		if c.ID == id {
			return c, nil
		}
	}
	return auth.Client{}, errors.Join(err, usage("tenant %s has no client %s", d.tenant.Name, id))
}

func (p *program) clientSetCommand() *cobra.Command {
	var tenantName string
	var add, remove []string
	cmd := &cobra.Command{
		Use:   "set CLIENT",
		Short: "Give a client roles, or take some from it",
		Long: `Give a client roles, or take some from it. What is taken ends now. What is given
stands in tokens that the client gets from now on: programs keep a token for an
hour.`,
		Example: `  trunklog client set mirror --role CallRecords.Ingest.Graph
  trunklog client set collector --remove-role CallRecords.Read.All`,
		Args: exactly("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(add)+len(remove) == 0 {
				return usage("what is to be changed? give it a role with --role, or take one with --remove-role")
			}
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				id, err := d.find(ctx, args[0])
				if err != nil {
					return err
				}
				c, err := d.authority.ChangeRoles(ctx, d.tenant.ID.String(), id, add, remove)
				if err == nil {
					fmt.Fprintf(p.stderr, "client %s has the roles %s; what is new stands in tokens that it gets from now on\n", c.Name, list(c.Roles))
				}
				return err
			})
		},
	}
	clientFlags(cmd, &tenantName, nil)
	cmd.Flags().StringArrayVar(&add, "role", nil, "give it a `ROLE`: CallRecords.Read.All, CallRecords.Ingest, CallRecords.Ingest.Graph (may be repeated)")
	cmd.Flags().StringArrayVar(&remove, "remove-role", nil, "take a `ROLE` from it (may be repeated)")
	return cmd
}

func (p *program) clientDeleteCommand() *cobra.Command {
	var tenantName string
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete CLIENT",
		Short: "Delete a client; its secrets, certificates and tokens end now",
		Long: `Delete a client; its secrets, certificates and tokens end now, and do not come
back with another client of the same name. The calls that it has delivered stay.
To refuse it for a while, use 'trunklog client disable'.`,
		Args: exactly("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				c, err := d.client(ctx, args[0])
				if err != nil {
					return err
				}
				what := "would delete"
				if yes {
					what = "deleted"
					if err := d.authority.DeleteClient(ctx, c.Tenant, c.ID); err != nil {
						return err
					}
				}
				fmt.Fprintf(p.stderr, "%s client %s (%s) with %s and %s\n", what, c.Name, c.ID,
					count(len(c.Secrets), "secret", "secrets"), count(len(c.Keys), "certificate", "certificates"))
				if !yes {
					p.onlySaid()
				}
				return nil
			})
		},
	}
	clientFlags(cmd, &tenantName, nil)
	yesFlag(cmd, &yes)
	return cmd
}

func (p *program) clientKeyCommand() *cobra.Command {
	return group("key", "What a client signs in with: certificates, keys and secrets", p.clientKeyAddCommand(), p.clientKeyListCommand(), p.clientKeyRemoveCommand())
}

func (p *program) clientKeyAddCommand() *cobra.Command {
	var tenantName, form string
	cmd := &cobra.Command{
		Use:   "add CLIENT FILE",
		Short: "Let a client sign in with a further certificate or public key (PEM)",
		Args:  exactly("CLIENT", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[1])
			if err != nil {
				return usage("FILE: %w", err)
			}
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				id, err := d.find(ctx, args[0])
				if err != nil {
					return err
				}
				c, err := d.authority.AddKey(ctx, d.tenant.ID.String(), id, file)
				if err != nil {
					return err
				}
				return p.printKeys(form, auth.Client{Keys: c.Keys[len(c.Keys)-1:]})
			})
		},
	}
	clientFlags(cmd, &tenantName, &form)
	return cmd
}

func (p *program) clientKeyListCommand() *cobra.Command {
	var tenantName, form string
	cmd := &cobra.Command{
		Use:   "list CLIENT",
		Short: "List the certificates, keys and secrets of a client",
		Args:  exactly("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				c, err := d.client(ctx, args[0])
				if err != nil {
					return err
				}
				return p.printKeys(form, c)
			})
		},
	}
	clientFlags(cmd, &tenantName, &form)
	return cmd
}

func (p *program) clientKeyRemoveCommand() *cobra.Command {
	var tenantName string
	cmd := &cobra.Command{
		Use:   "remove CLIENT KEY",
		Short: "Take a certificate, key or secret from a client; the tokens that it has got end now",
		Long: `Take a certificate, key or secret from a client; the tokens that it has got end
now. KEY is an id as 'trunklog client key list' shows it, or the thumbprint of a
certificate by SHA-256 or SHA-1.`,
		Args: exactly("CLIENT", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				id, err := d.find(ctx, args[0])
				if err != nil {
					return err
				}
				c, err := d.authority.RemoveKey(ctx, d.tenant.ID.String(), id, args[1])
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stderr, "removed from client %s\n", c.Name)
				p.sayNoWayIn(c)
				return nil
			})
		},
	}
	clientFlags(cmd, &tenantName, nil)
	return cmd
}

// sayNoWayIn warns if a client has no secret and no key left to sign in with.
func (p *program) sayNoWayIn(c auth.Client) {
	if len(c.Secrets)+len(c.Keys) == 0 {
		fmt.Fprintf(p.stderr, "client %[1]s has nothing to sign in with now: give it a certificate with 'trunklog client key add %[2]s FILE', or a secret with 'trunklog client rotate %[2]s'\n", c.Name, c.ID)
	}
}

// A keyLine is one certificate, key or secret in the output of client key list.
type keyLine struct {
	Kind       string `json:"kind"`
	ID         string `json:"id"`
	Subject    string `json:"subject,omitempty"`
	Hint       string `json:"hint,omitempty"`       // the beginning of a secret
	Thumbprint string `json:"thumbprint,omitempty"` // SHA-256, in hexadecimal
	Created    string `json:"created"`
	Expires    string `json:"expires"`
	LastUsed   string `json:"lastUsed,omitempty"`
}

// printKeys prints a client's certificates, keys and secrets. Of a secret it shows only the
// beginning.
func (p *program) printKeys(form string, c auth.Client) error {
	lines := []keyLine{}
	for _, k := range c.Keys {
		line := keyLine{Kind: "certificate", ID: k.ID, Subject: k.Subject, Thumbprint: k.Thumbprint, Created: stamp(k.Created), Expires: stamp(k.Expires), LastUsed: stamp(k.LastUsed)}
		if k.Thumbprint == "" {
			line.Kind = "key"
		}
		lines = append(lines, line)
	}
	for _, s := range c.Secrets {
		lines = append(lines, keyLine{Kind: "secret", ID: s.ID, Hint: "tlk_" + s.Hint + "…", Created: stamp(s.Created), Expires: stamp(s.Expires), LastUsed: stamp(s.LastUsed)})
	}
	t := table{{"KIND", "ID", "NAME", "SHA-256", "EXPIRES", "LAST USED"}}
	for i := range lines {
		l := &lines[i]
		if l.Expires == "" {
			l.Expires = "never"
		}
		t = append(t, []string{l.Kind, l.ID, cmp.Or(l.Subject, l.Hint), l.Thumbprint, l.Expires, l.LastUsed})
	}
	return p.print(form, t, lines)
}
