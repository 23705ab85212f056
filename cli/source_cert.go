package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
)

// A senderCert describes a certificate that the command has issued, for -o json.
type senderCert struct {
	Name      string    `json:"name"`
	Cert      string    `json:"cert"` // file
	Key       string    `json:"key"`  // file
	CA        string    `json:"ca"`   // file of the authority that a source has to trust
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Serial    string    `json:"serial"`
	Trunks    []string  `json:"trunks"` // the trunks for which it speaks
}

func (p *program) sourceCertCommand() *cobra.Command {
	var form, dir string
	var days int
	cmd := &cobra.Command{
		Use:   "cert NAME",
		Short: "Issue a certificate with which a sender of SIP messages proves its name",
		Long: `Issue a certificate with which an SBC, a proxy or a capture agent proves to a source
that it is NAME: a host name such as sbc1.contoso.com, or *.DOMAIN. It is written to
NAME.pem and NAME.key, which nothing writes over. The authority that signs it lies in
DATA/tls (senders.pem, senders.key) and is made by the first certificate. It signs for
senders alone: no client of the server trusts it, and a source of this server does that
asks for certificates and names no other authority:

  trunklog serve --source NAME=hep+tls://:9061?client-cert=required

What the certificate may tell depends on its name, see docs/sources/hep.md; it cannot
be taken back by itself. To end it sooner than it ends, let no trunk have its name and
'tenant set --remove-sender-name' it, or move the two files of the authority away and
issue all senders new ones.`,
		Example: "  trunklog source cert sbc1.contoso.com --out /etc/kamailio",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if days < 1 || days > 3650 {
				return usage("--days %d: 1 to 3650 days are possible", days)
			}
			if err := checkForm(form); err != nil {
				return err // before there is a certificate
			}
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			c, err := p.issue(h, args[0], dir, days)
			if err != nil {
				return err
			}
			all, err := h.tenants.List(cmd.Context())
			if err != nil {
				return err
			}
			may := h.tenants.Authority(cmd.Context(), []string{c.Name})
			for _, t := range all {
				c.Trunks = append(c.Trunks, may.Trunks(t.ID)...)
			}
			fmt.Fprintf(p.stderr, "the source has to ask for it: client-cert=required, or client-ca=%s\n", c.CA)
			if len(c.Trunks) == 0 && len(all) > 1 {
				fmt.Fprintf(p.stderr, "it speaks for no trunk yet: trunklog tenant set TENANT --sender-name \"%s=TRUNK\" --yes lets it\n", c.Name)
			}
			out := table{{"NAME", "CERTIFICATE", "KEY", "VALID UNTIL (UTC)", "SPEAKS FOR"}, {c.Name, c.Cert, c.Key, c.NotAfter.UTC().Format(time.RFC3339), list(c.Trunks)}}
			if form == "json" {
				return printJSON(p.stdout, c)
			}
			return p.print(form, out, []senderCert{c})
		},
	}
	cmd.Flags().IntVar(&days, "days", 397, "how long the certificate is good, in `DAYS`")
	cmd.Flags().StringVar(&dir, "out", ".", "write it to the folder `DIR`")
	outputFlag(cmd, &form)
	return cmd
}

// issue writes a new certificate and its key to a folder, under names that no file has yet.
func (p *program) issue(h *house, name, dir string, days int) (senderCert, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	base := filepath.Join(dir, strings.ReplaceAll(filepath.Base(name), "*", "_"))
	c := senderCert{Name: name, Cert: base + ".pem", Key: base + ".key", CA: cert.SendersFile(datadir.TLS(h.dir)), Trunks: []string{}}
	for _, file := range []string{c.Cert, c.Key} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("%s is there already: move it away, or name another folder with --out", file)
		}
	}
	made, err := cert.NewSender(datadir.TLS(h.dir), name, time.Duration(days)*24*time.Hour, p.now())
	if err != nil {
		return c, usage("%w", err)
	}
	c.NotBefore, c.NotAfter, c.Serial = made.NotBefore.UTC(), made.Expiry.UTC(), made.Serial
	if err := datadir.WriteNew(c.Key, made.Key); err != nil {
		return c, err
	}
	if err := datadir.WriteNew(c.Cert, made.Cert); err != nil {
		return c, errors.Join(err, os.Remove(c.Key)) // alone it is of no use
	}
	return c, nil
}
