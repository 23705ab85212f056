package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/ladder"
)

func (p *program) callsLadderCommand() *cobra.Command {
	var name, capture string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ladder ID",
		Short: "Show the SIP messages of one call, of all its legs",
		Example: `  trunklog calls ladder 9e8bba57-dc14-533a-a7dd-f0da6575eed1
  trunklog calls ladder 9e8bba57-dc14-533a-a7dd-f0da6575eed1 --pcap call.pcap`,
		Args: exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			id, err := call.ParseGUID(args[0])
			if err != nil {
				return usage("ID: %w", err)
			}
			if asJSON && cmd.Flags().Changed("pcap") {
				return usage("--json and --pcap: one of them at a time")
			}
			if cmd.Flags().Changed("pcap") && capture == "" {
				return usage("--pcap: the name of a file is missing; - is standard output")
			}
			h, err := p.enter(cmd.Context(), cmd, false)
			if err != nil {
				return err
			}
			defer h.close(&err)
			r, err := h.row(cmd.Context(), name, id)
			if err != nil {
				return err
			}
			c, err := ladder.Read(cmd.Context(), h.store, r.Tenant, r.Cursor())
			switch {
			case err != nil:
				return err
			case len(c.Messages) == 0:
				return fmt.Errorf("no SIP messages of call %s are kept: 'trunklog serve --keep-sip 30d' keeps those that it hears from then on, for 30 days", id)
			case asJSON:
				return c.JSON(p.stdout)
			case capture != "":
				return p.writeCapture(c, capture)
			}
			return c.Text(p.stdout, ladder.TextOptions{Width: columns(p.stdout), SBC: r.Trunk})
		},
	}
	cmd.Flags().StringVar(&name, "tenant", "", "the tenant's `NAME` or GUID (default: the only one)")
	cmd.Flags().StringVar(&capture, "pcap", "", "write a capture for tshark, Wireshark or sngrep to `FILE` instead; - is standard output")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead, with each message as it is kept")
	return cmd
}

// writeCapture writes the messages to a file that only its owner can read, because they hold
// telephone numbers.
func (p *program) writeCapture(c *ladder.Call, path string) (err error) {
	w := p.stdout
	if path != "-" {
		f, openErr := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if openErr != nil {
			return fmt.Errorf("--pcap: %w", openErr)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		w = f
	}
	loss, err := c.PCAP(w)
	if err != nil {
		return fmt.Errorf("--pcap %s: %w", path, err)
	}
	fmt.Fprintf(p.stderr, "wrote %s as UDP\n", count(len(c.Messages), "message", "messages"))
	if loss.Cut > 0 {
		fmt.Fprintf(p.stderr, "%d of them are too long for a datagram and have lost their last headers; --json has them whole\n", loss.Cut)
	}
	if loss.Times > 0 {
		fmt.Fprintf(p.stderr, "%d of them have times before 1970 or after 2106, which a capture cannot hold; --json has them\n", loss.Times)
	}
	return nil
}

// columns returns the width of the terminal w in columns, or 0 if w is no terminal.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}
