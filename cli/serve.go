package cli

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trunklog/trunklog/node"
)

// serving holds the settings of the server.
type serving struct {
	listen, listenHTTP, publicURL string
	adminListen                   string
	pushTimeout                   time.Duration
	tlsCert, tlsKey               string
	tlsHosts                      []string
	masterKeyFile                 string
	keep, keepSIP, keepChanges    string
	strict, plainLinks            bool
	inject                        string
	pageTimeout                   time.Duration
	rateLimit, tenantRateLimit    int
	entraTenants, entraAudiences  []string
	cloud                         string
	logFormat                     string
	cacheMiB                      int64
	sources                       []string
	maxConnections                int
	trustedProxies                []string
	demo, printCA, newCA          bool
}

func (s *serving) flags(f *pflag.FlagSet) {
	f.StringVar(&s.listen, "listen", ":8443", "listen for HTTPS on `ADDRESS`; a port alone is on all of this machine's, with --demo the default is on loopback")
	f.StringVar(&s.listenHTTP, "listen-http", "", "listen for plain HTTP on `ADDRESS` too; a port alone is on loopback")
	f.StringVar(&s.adminListen, "admin-listen", "", "serve /metrics, /healthz and /readyz on `ADDRESS`, over plain HTTP; a port alone is on loopback")
	f.StringVar(&s.publicURL, "public-url", "", "the `URL` by which clients know the server, if not by this machine's name")
	f.StringVar(&s.tlsCert, "tls-cert", "", "use the certificate chain in `FILE` (PEM) instead of one of our own; read again when it changes")
	f.StringVar(&s.tlsKey, "tls-key", "", "the `FILE` with its private key")
	f.StringArrayVar(&s.tlsHosts, "tls-host", nil, "a further `HOST` name or address for our own certificate (may be repeated)")
	f.StringVar(&s.masterKeyFile, "master-key-file", "", "the `FILE` with the 32 bytes that all keys are derived from (default DATA/master.key)")
	f.StringVar(&s.keep, "keep", "10y", "delete rows after `PERIOD`, such as 150d, 6mo, 10y or forever")
	f.StringVar(&s.keepChanges, "keep-changes", "35d", "keep for `PERIOD` what has changed in the log, for walks and for readers of changes; forever keeps all")
	f.StringVar(&s.keepSIP, "keep-sip", "off", "keep the SIP messages of calls for `PERIOD`, such as 30d, without bodies and credentials; off keeps none")
	f.BoolVar(&s.strict, "strict", false, "behave as Microsoft does, to test clients against")
	f.BoolVar(&s.plainLinks, "plain-links", false, "write nextLinks with $skip alone, as Microsoft does, for scripts that take them apart: rows that come or move meanwhile may then be missed or come twice")
	f.StringVar(&s.inject, "inject", "", "do wrong on purpose, to test clients: `FAULTS` such as 429=5%,503=1%,latency=50ms..2s,cut=0.5%,seed=7; with --strict or --demo only")
	f.DurationVar(&s.pageTimeout, "page-timeout", 30*time.Second, "answer 503 when a page takes longer")
	f.DurationVar(&s.pushTimeout, "push-timeout", 10*time.Second, "answer 503 to who delivers calls by POST when the store takes longer for a part of them")
	f.IntVar(&s.rateLimit, "rate-limit", 0, "answer 429 to a client after `N` requests in 20 s; 0 is no limit, with --strict Microsoft's 1,500")
	f.IntVar(&s.tenantRateLimit, "tenant-rate-limit", 0, "the same for all clients of a tenant together; with --strict Microsoft's 10,000")
	f.StringArrayVar(&s.entraTenants, "entra-tenant", nil, "take tokens of this Entra tenant too, a `GUID` (may be repeated)")
	f.StringArrayVar(&s.entraAudiences, "entra-audience", nil, "the `AUDIENCE` of such tokens: the App ID URI or client id of your own API (may be repeated)")
	f.StringVar(&s.cloud, "cloud", "global", "the `CLOUD` of the Entra tenants: global, usgov-l4, usgov-l5, china")
	f.StringVar(&s.logFormat, "log-format", "auto", "write the log as `FORM`: text, json, or auto (text on a terminal)")
	f.Int64Var(&s.cacheMiB, "cache", 128, "use `MIB` mebibytes of memory for blocks of the store")
	f.StringArrayVar(&s.sources, "source", nil, "hear calls at `NAME=URL`, such as sbc1=hep+tcp://:9060?tenant=contoso (may be repeated)")
	f.IntVar(&s.maxConnections, "max-connections", 0, "take `N` connections at once, of clients and of SBCs; 0 is as many as the files that may be open allow, and 16,384 at most")
	f.StringArrayVar(&s.trustedProxies, "trusted-proxy", nil, "believe the proxies in `CIDR`, such as 10.0.0.0/8, where a request comes from: X-Forwarded-For or Forwarded (may be repeated)")
	f.BoolVar(&s.demo, "demo", false, "begin with a tenant, a client and 20,000 generated calls if there is none")
	f.BoolVar(&s.newCA, "new-ca", false, "make our own CA if it is missing, although the store was served before; one that is there stays")
	f.BoolVar(&s.printCA, "print-ca", false, "print the certificate of our own CA to stdout and exit")
}

func (p *program) serveCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the calls over HTTPS",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, _ := cmd.Flags().GetString("data")
			spec, _ := cmd.Flags().GetString("store")
			return p.serve(cmd.Context(), data, spec, &s)
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

// serve runs a node until it fails or ctx is done.
func (p *program) serve(ctx context.Context, data, spec string, s *serving) error {
	if err := s.check(p); err != nil {
		return err
	}
	c, err := s.config(p)
	if err != nil {
		return err
	}
	c.Data, c.Store = data, spec
	if s.printCA {
		pem, err := node.CA(ctx, c)
		if err == nil {
			_, err = p.stdout.Write(pem)
		}
		return wrongSettings(err)
	}
	return wrongSettings(p.supervised(ctx, s, c))
}

// supervised runs a node and says to the service manager, if there is one, how it is.
func (p *program) supervised(ctx context.Context, s *serving, c node.Config) error {
	asked, stop := p.reloads()
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	return node.Run(ctx, c, func(n *node.Node) {
		p.welcome(ctx, s, n, c.Data)
		watching.Go(func() { p.supervisor(c.Log).watch(ctx, n, asked) })
	})
}

// wrongSettings turns an error about a setting of the node into one about usage.
func wrongSettings(err error) error {
	var setting *node.SettingError
	if errors.As(err, &setting) {
		return &exitError{exitUsage, err}
	}
	return err
}

// logger returns the log of the server: text for people, JSON for programs.
func (p *program) logger(form string) (*slog.Logger, error) {
	switch {
	case form == "text", form == "auto" && isTerminal(p.stderr):
		return slog.New(slog.NewTextHandler(p.stderr, nil)), nil
	case form == "json", form == "auto":
		return slog.New(slog.NewJSONHandler(p.stderr, nil)), nil
	}
	return nil, usage("--log-format %s: text, json and auto are possible", form)
}
