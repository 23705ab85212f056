package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/node"
	"github.com/trunklog/trunklog/tenant"
)

func (p *program) clientCommand() *cobra.Command {
	return group("client", "The programs that may sign in", p.clientCreateCommand(), p.clientListCommand(), p.clientSetCommand(), p.clientRotateCommand(),
		p.clientKeyCommand(), p.clientDisableCommand(), p.clientEnableCommand(), p.clientDeleteCommand())
}

// A desk is what commands about clients work with: the house, its authority and a tenant.
type desk struct {
	*house
	authority *auth.Authority
	tenant    tenant.Tenant
}

// desk opens the house and calls f with the named tenant's desk.
func (p *program) desk(cmd *cobra.Command, tenantName string, f func(ctx context.Context, d *desk) error) (err error) {
	ctx := cmd.Context()
	h, err := p.enter(ctx, cmd, false)
	if err != nil {
		return err
	}
	defer h.close(&err)
	t, err := h.tenant(ctx, tenantName)
	if err != nil {
		return err
	}
	a, err := p.commandAuthority(ctx, cmd, h)
	if err != nil {
		return err
	}
	err = f(ctx, &desk{h, a, t})
	var exit *exitError
	if !errors.As(err, &exit) && (errors.Is(err, auth.ErrInvalid) || errors.Is(err, auth.ErrNotFound)) {
		err = &exitError{exitUsage, err}
	}
	return err
}

// commandAuthority returns an authority whose tokens the server of this house accepts.
func (p *program) commandAuthority(ctx context.Context, cmd *cobra.Command, h *house) (*auth.Authority, error) {
	apart, _ := cmd.Flags().GetString("master-key-file")
	place := datadir.PlaceOfKey(h.folder, h.dir, apart)
	key, err := node.MasterKey(ctx, place, h.store)
	if err != nil {
		return nil, err
	}
	if warning := place.Warning(); warning != "" {
		fmt.Fprintf(p.stderr, "warning: %s\n", warning)
	}
	return node.CommandAuthority(ctx, h.store, h.tenants, key, p.now)
}

// find returns the id of the client with the given name or id.
func (d *desk) find(ctx context.Context, nameOrID string) (string, error) {
	if id, err := call.ParseGUID(nameOrID); err == nil {
		return id.String(), nil
	}
	all, err := d.authority.Clients(ctx, d.tenant.ID.String())
	if err != nil {
		return "", err
	}
	var found, names []string
	for _, c := range all {
		names = append(names, c.Name)
		if strings.EqualFold(c.Name, nameOrID) {
			found = append(found, c.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", usage("tenant %s has no client %q (it has %s)", d.tenant.Name, nameOrID, orNone(names))
	}
	return "", usage("tenant %s has %d clients %q: name one by its id: %s", d.tenant.Name, len(found), nameOrID, list(found))
}

// free returns an error if a client has the name already: neither of two could be called by it.
func (d *desk) free(ctx context.Context, name string) error {
	all, err := d.authority.Clients(ctx, d.tenant.ID.String())
	if err != nil {
		return err
	}
	for _, c := range all {
		if strings.EqualFold(c.Name, name) {
			return usage("tenant %s has a client %q already (%s): take another name, or give that one a new secret with 'trunklog client rotate %s'", d.tenant.Name, c.Name, c.ID, c.ID)
		}
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return list(names)
}

// clientFlags adds the flags of every command about clients.
func clientFlags(cmd *cobra.Command, tenantName, form *string) {
	cmd.Flags().StringVar(tenantName, "tenant", "", "the tenant's `NAME` or GUID (default: the only one)")
	cmd.Flags().String("master-key-file", "", "the `FILE` with the server's master key (default DATA/master.key)")
	if form != nil {
		outputFlag(cmd, form)
	}
}

// A newSecret is what a client needs to sign in. The command shows it once.
type newSecret struct {
	TenantID     string `json:"tenantId"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret,omitempty"`
}

// secretOutFlag adds the flag that writes a new secret to a file instead of the screen.
func secretOutFlag(cmd *cobra.Command, out *string) {
	cmd.Flags().StringVar(out, "secret-out", "", "write the secret to a new `FILE` that only you can read, for --secret-file, and do not show it")
}

// newSecretFile returns an error if the command cannot write a new file at path. It comes before
// the secret is made, which would otherwise be lost.
func newSecretFile(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return usage("--secret-out %s is there already, and nothing is written over: name a new file", path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return usage("--secret-out %s: there is no folder %s", path, filepath.Dir(path))
	}
	return nil
}

// printSecret prints what a client needs to sign in. The secret goes to the file out, if out is not
// empty.
func (p *program) printSecret(form, out string, c auth.Client, s auth.Secret) error {
	n := newSecret{TenantID: c.Tenant, ClientID: c.ID}
	switch {
	case s.IsZero():
	case out != "":
		if err := datadir.WriteNew(out, []byte(s.Reveal()+"\n")); err != nil {
			return fmt.Errorf("--secret-out: the secret could not be written and nobody knows it now; make another with 'trunklog client rotate %s': %w", c.ID, err)
		}
		fmt.Fprintf(p.stderr, "the secret is in %s\n", out)
	default:
		n.ClientSecret = s.Reveal()
		fmt.Fprintln(p.stderr, "the secret is shown this once: keep it now")
	}
	switch form {
	case "json":
		return printJSON(p.stdout, n)
	case "jsonl":
		return printLines(p.stdout, []newSecret{n})
	}
	return p.print(form, table{{"TENANT", "CLIENT", "SECRET"}, {n.TenantID, n.ClientID, n.ClientSecret}}, nil)
}

func (p *program) clientCreateCommand() *cobra.Command {
	var tenantName, form, expires, certificate, out string
	var roles []string
	cmd := &cobra.Command{
		Use:   "create NAME --tenant TENANT",
		Short: "Let a program sign in, with a secret or with a certificate",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkForm(form); err != nil {
				return err
			}
			if err := newSecretFile(out); err != nil {
				return err
			}
			options := auth.ClientOptions{Roles: roles}
			var err error
			if options.Expiry, err = p.expiry(expires); err != nil {
				return err
			}
			if certificate != "" {
				if options.Certificate, err = os.ReadFile(certificate); err != nil {
					return usage("--cert: %w", err)
				}
			}
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				if err := d.free(ctx, args[0]); err != nil {
					return err
				}
				c, s, err := d.authority.CreateClient(ctx, d.tenant.ID.String(), args[0], options)
				if err != nil {
					return err
				}
				return p.printSecret(form, out, c, s)
			})
		},
	}
	clientFlags(cmd, &tenantName, &form)
	cmd.Flags().StringArrayVar(&roles, "role", nil, "what it may do, a `ROLE`: CallRecords.Read.All (the default), CallRecords.Ingest, CallRecords.Ingest.Graph (may be repeated)")
	cmd.Flags().StringVar(&certificate, "cert", "", "it signs in with the certificate or public key in `FILE` (PEM) instead of a secret")
	secretOutFlag(cmd, &out)
	cmd.Flags().StringVar(&expires, "expires", "2y", "its secret is good for `PERIOD`, such as 90d, 2y or forever")
	return cmd
}

// expiry returns the length of a period, measured back from now, or -1 for ever, as auth takes it.
func (p *program) expiry(s string) (time.Duration, error) {
	period, err := tenant.ParsePeriod(s)
	if err != nil {
		return 0, usage("--expires: %w", err)
	}
	sayM(p.stderr, "--expires", s, "mo")
	if period.Forever() {
		return -1, nil
	}
	now := p.now()
	return now.Sub(period.Before(now)), nil
}

func (p *program) clientListCommand() *cobra.Command {
	var tenantName, form string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the clients of a tenant",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				all, err := d.authority.Clients(ctx, d.tenant.ID.String())
				if err != nil {
					return err
				}
				t := table{{"NAME", "CLIENT", "ROLES", "STATE", "EXPIRES", "LAST USED"}}
				lines := []clientLine{}
				for _, c := range all {
					line := describeClient(c)
					lines = append(lines, line)
					t = append(t, []string{line.Name, line.ClientID, list(line.Roles), line.State, line.Expires, line.LastUsed})
				}
				return p.print(form, t, lines)
			})
		},
	}
	clientFlags(cmd, &tenantName, &form)
	return cmd
}

// A clientLine is one client in the output of client list.
type clientLine struct {
	Name     string   `json:"name"`
	TenantID string   `json:"tenantId"`
	ClientID string   `json:"clientId"`
	Roles    []string `json:"roles"`
	State    string   `json:"state"`
	Expires  string   `json:"expires,omitempty"` // of the secret or key that expires last
	LastUsed string   `json:"lastUsed,omitempty"`
}

func describeClient(c auth.Client) clientLine {
	line := clientLine{Name: c.Name, TenantID: c.Tenant, ClientID: c.ID, Roles: c.Roles, State: "enabled", LastUsed: stamp(c.LastUsed)}
	if c.Disabled {
		line.State = "disabled"
	}
	var last time.Time
	forever := false
	see := func(t time.Time) {
		forever = forever || t.IsZero()
		if t.After(last) {
			last = t
		}
	}
	for _, s := range c.Secrets {
		see(s.Expires)
	}
	for _, k := range c.Keys {
		see(k.Expires)
	}
	if line.Expires = stamp(last); forever {
		line.Expires = "never"
	}
	return line
}

func (p *program) clientRotateCommand() *cobra.Command {
	var tenantName, form, expires, out string
	var leaked bool
	cmd := &cobra.Command{
		Use:   "rotate CLIENT",
		Short: "Give a client a new secret; the one before stays good until the next time",
		Long: `Give a client a new secret; the one before stays good until the next time, and so
do the tokens that it has got. An older one ends now, with the tokens that it has got.

With --leaked all that the client has ends now: secrets, certificates and tokens.
A client that signs in with certificates alone is given no secret in their place:
give it another certificate with 'trunklog client key add'.`,
		Args: exactly("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkForm(form); err != nil {
				return err
			}
			expiry, err := p.expiry(expires)
			if err != nil {
				return err
			}
			if err := newSecretFile(out); err != nil {
				return err
			}
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				id, err := d.find(ctx, args[0])
				if err != nil {
					return err
				}
				c, s, err := d.authority.RotateSecret(ctx, d.tenant.ID.String(), id, auth.RotateOptions{Expiry: expiry, Leaked: leaked})
				if err != nil {
					return err
				}
				if leaked {
					fmt.Fprintf(p.stderr, "client %s: its older secrets, certificates and tokens are no good any more\n", c.Name)
				}
				p.sayNoWayIn(c)
				return p.printSecret(form, out, c, s)
			})
		},
	}
	clientFlags(cmd, &tenantName, &form)
	secretOutFlag(cmd, &out)
	cmd.Flags().StringVar(&expires, "expires", "2y", "the new secret is good for `PERIOD`, such as 90d, 2y or forever")
	cmd.Flags().BoolVar(&leaked, "leaked", false, "the older secrets, all certificates and all tokens end now")
	return cmd
}

func (p *program) clientDisableCommand() *cobra.Command {
	return p.clientSwitch("disable", "Refuse a client; its tokens end now", (*auth.Authority).Disable)
}

func (p *program) clientEnableCommand() *cobra.Command {
	return p.clientSwitch("enable", "Let a disabled client sign in again", (*auth.Authority).Enable)
}

func (p *program) clientSwitch(verb, short string, do func(*auth.Authority, context.Context, string, string) (auth.Client, error)) *cobra.Command {
	var tenantName string
	cmd := &cobra.Command{
		Use:   verb + " CLIENT",
		Short: short,
		Args:  exactly("CLIENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.desk(cmd, tenantName, func(ctx context.Context, d *desk) error {
				id, err := d.find(ctx, args[0])
				if err != nil {
					return err
				}
				c, err := do(d.authority, ctx, d.tenant.ID.String(), id)
				if err == nil {
					fmt.Fprintf(p.stderr, "%sd client %s\n", verb, c.Name)
				}
				return err
			})
		},
	}
	clientFlags(cmd, &tenantName, nil)
	return cmd
}
