package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/source"
)

func (p *program) sourceCommand() *cobra.Command {
	return group("source", "Look at what calls are heard from", p.sourceListCommand(), p.sourceTestCommand(), p.sourceCertCommand())
}

func (p *program) sourceListCommand() *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the sources of the running server",
		Long: `List the sources of the server that runs on the data folder: where each listens,
whose calls it hears, whether senders prove who they are, for whose calls they speak,
and when it has last understood what was sent. -o json tells all counts, too, by the
names of the metrics.

AUTHORITY is "tenant" or "trunk" for a source that is bound to one, "sender" if each
sender speaks for what it has proved to be, "any" if there is one tenant alone, and
"none" if several tenants share the source and its senders prove nothing: what they
tell changes no record.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			if h.node == nil {
				return fmt.Errorf("no server runs on %s: calls are heard while one does", h.dir)
			}
			all, err := h.node.Sources(cmd.Context())
			if err != nil {
				return err
			}
			out := table{{"NAME", "KIND", "ADDRESS", "TENANT", "TRUNK", "AUTHENTICATED", "AUTHORITY", "LAST SEEN (UTC)"}}
			for _, s := range all {
				var seen time.Time
				if s.Seen != nil {
					seen = *s.Seen
				}
				out = append(out, []string{s.Name, s.Kind, s.Address, s.Tenant, s.Trunk, yesNo(s.Authenticated), s.Authority, admin.LastSeen(seen)})
			}
			return p.print(form, out, all)
		},
	}
	outputFlag(cmd, &form)
	return cmd
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (p *program) sourceTestCommand() *cobra.Command {
	var during time.Duration
	cmd := &cobra.Command{
		Use:   "test NAME=URL",
		Short: "Hear what a source would, and keep nothing",
		Long: `Listen as 'serve --source NAME=URL' would, for a while, and say what has come and
what could not be understood, by cause. Nothing is kept, and no server is needed: one
that listens at the same address has to be stopped first. A source of TLS has to name
its files (cert=, key=). The exit code is 1 if nothing was understood.`,
		Example: "  trunklog source test sbc1=hep+udp://:9060 --for 30s",
		Args:    exactly("NAME=URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if during <= 0 {
				return usage("--for %v: a time above 0 is needed, such as 30s", during)
			}
			dir, _ := cmd.Flags().GetString("data")
			name, src, err := p.kinds().Open(args[0], func(string) source.Options {
				return source.Options{Now: p.now, SenderCA: func() (*x509.CertPool, error) { return cert.TrustSenders(datadir.TLS(dir)) }}
			})
			if err != nil {
				return invalid(err)
			}
			return p.testSource(cmd.Context(), name, src, during)
		},
	}
	cmd.Flags().DurationVar(&during, "for", 30*time.Second, "listen for `TIME`; an interrupt ends it, too")
	return cmd
}

// testSource listens as a source for a while and prints what came.
func (p *program) testSource(ctx context.Context, name string, src source.Source, during time.Duration) (err error) {
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := src.Listen(ctx); err != nil {
		return fmt.Errorf("source %s: %w", name, err)
	}
	about := src.About()
	fmt.Fprintf(p.stderr, "listening: %s at %s, for %v\n", about.Kind, about.Address, during)
	if about.Tenant == "" && about.Trunk == "" && !about.Authenticated {
		fmt.Fprintln(p.stderr, "authority: none where several tenants share it: hearsay (tenant=, trunk= or certificates of its senders give it one)")
	}
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	heard := eventCount{n: map[call.EventKind]int{}}
	if err := src.Run(ctx, "", &heard); err != nil && ctx.Err() == nil {
		return fmt.Errorf("source %s: %w", name, err)
	}
	out := table{{"WHAT", "CAUSE", "COUNT"}}
	for _, kind := range slices.Sorted(maps.Keys(heard.n)) {
		out = append(out, []string{"Understood: events of the kind " + kind.String(), "", strconv.Itoa(heard.n[kind])})
	}
	help := map[string]string{}
	for _, m := range src.Measures() {
		help[m.Name] = strings.TrimSuffix(m.Help, ".")
	}
	for _, c := range admin.CountsOf(src) {
		if c.N > 0 {
			out = append(out, []string{help[c.Name], c.Cause, strconv.FormatUint(c.N, 10)})
		}
	}
	if err := printTable(p.stdout, out); err != nil {
		return err
	}
	if len(heard.n) == 0 {
		return errors.New("nothing has come that could be understood")
	}
	return nil
}

// An eventCount is a sink that counts events by kind and keeps nothing.
type eventCount struct {
	mu sync.Mutex
	n  map[call.EventKind]int
}

// Put implements [call.Sink].
func (c *eventCount) Put(_ context.Context, events ...call.Event) (call.Outcome, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range events {
		c.n[events[i].Kind]++
	}
	return call.Outcome{Fates: slices.Repeat([]call.Fate{call.Taken}, len(events))}, nil
}
