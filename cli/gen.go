package cli

import (
	"bufio"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/source/hep"
)

func (p *program) genCommand() *cobra.Command {
	var c gen.Config
	var from, to, as string
	cmd := &cobra.Command{
		Use:   "gen --rows N",
		Short: "Generate realistic calls as JSON lines",
		Long: `Generate realistic calls as JSON lines, as Microsoft Graph writes them. The same
flags give the same calls on every machine, if --from and --to are given.

With --as hep it generates the SIP messages of the calls instead, in HEP packets
as the capture agent of an SBC sends them, one after another.`,
		Example: `  trunklog gen --rows 20000 --seed 7 --from 2026-10-01 --to 2026-11-01 | trunklog import graph --tenant contoso -
  trunklog gen --rows 1000 --as hep | trunklog import hep --tenant contoso -`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			now := p.now()
			if c.From, err = when(from, now, time.UTC); err != nil {
				return usage("--from: %w", err)
			}
			if c.To, err = when(to, now, time.UTC); err != nil {
				return usage("--to: %w", err)
			}
			sayM(p.stderr, "--from", from, "min")
			sayM(p.stderr, "--to", to, "min")
			switch {
			case c.Rows < 0:
				return usage("--rows %d: a negative number makes no sense", c.Rows)
			case as != "json" && as != "hep":
				return usage("--as %s: json and hep are possible", as)
			case !c.From.Before(c.To):
				return usage("--from %s is not before --to %s", stamp(c.From), stamp(c.To))
			}
			w := bufio.NewWriterSize(p.stdout, 1<<20)
			var b []byte
			n := 0
			for r := range gen.Rows(c) {
				if as == "hep" {
					b = appendHEP(b[:0], r)
				} else {
					b = append(graph.AppendRow(b[:0], r, graph.RowOptions{Beta: true}), '\n')
				}
				if _, err := w.Write(b); err != nil {
					return err
				}
				if n++; n%1000 == 0 && cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
			}
			if err := w.Flush(); err != nil {
				return fmt.Errorf("after %d rows: %w", n, err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.Rows, "rows", 1000, "make `N` calls")
	f.Uint64Var(&c.Seed, "seed", 1, "the `SEED` of all that is random")
	f.StringVar(&from, "from", "-28d", "the first call starts at `TIME` or later")
	f.StringVar(&to, "to", "now", "the last call starts before `TIME`")
	f.StringArrayVar(&c.Trunks, "trunk", nil, "the `HOST` name of an SBC (may be repeated; default three of contoso.com)")
	f.IntVar(&c.Users, "users", 0, "the calls are those of `N` users (default 500)")
	f.StringVar(&as, "as", "json", "generate `FORM`: json or hep")
	return cmd
}

// appendHEP appends the packets with the SIP messages of a call.
func appendHEP(b []byte, r *call.Row) []byte {
	const tcp, agent = 6, 1
	for _, m := range gen.SIP(r) {
		p := hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: tcp, Agent: agent, Payload: m.Raw}
		b = p.Append(b)
	}
	return b
}
