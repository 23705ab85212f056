// Command lab makes telephone calls through real software, and looks what
// trunklog makes of them.
//
// Kamailio is the SBC, and SIPp is Microsoft Teams on its one side and a carrier
// on the other; over TLS, a second Kamailio is Microsoft's proxy in front of
// SIPp. Everything is on loopback. The SBC mirrors its SIP as HEP to a trunklog. Each call is a file in scenarios/: who does what (sipp/), and the
// row that must come of it, field by field. What SIPp has noted of the messages
// that it sent and received as Teams is the witness for the times; HEP has no
// part in it.
//
//	lab                             a fresh trunklog, all calls, the rows, and whether they are right
//	lab run --hep tcp:HOST:PORT     only make the calls; their facts go to stdout
//	lab check FACTS <ROWS           compare rows, as JSON lines, with what they must be
//	lab load --rate 60 --for 5s     many calls, and whether all of them have rows
//
// It needs the Debian packages kamailio, kamailio-extra-modules,
// kamailio-tls-modules and sip-tester, and baresip-core for --through baresip.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// command runs one of the commands.
func command(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	name := "show"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("lab "+name, flag.ContinueOnError)
	var c config
	hep := f.String("hep", "tcp", "mirror over `NETWORK`, udp, tcp or tls; for run NETWORK:HOST:PORT")
	f.StringVar(&c.ca, "ca", "", "for tls: the `FILE` with the certificate that trunklog is trusted by")
	f.BoolVar(&c.b2bua, "b2bua", false, "hide the Call-ID of either side from the other")
	f.BoolVar(&c.from, "pass-from", false, "with -b2bua: pass From on as it is")
	f.StringVar(&c.through, "through", "", "let calls go through the back-to-back user agent `NAME`, sipp or baresip")
	f.StringVar(&c.sip, "sip", "tls", "let SIP itself come over `NETWORK`, udp, tcp or tls")
	f.BoolVar(&c.rport, "rport", false, "let the SBC answer to the port that a request came from, not to that in its Via")
	f.StringVar(&c.only, "only", "", "make the calls with this `TEXT` in their name")
	f.IntVar(&c.run, "run", 1, "the `NUMBER` of the run, 1 to 99, which the telephone numbers hold")
	f.StringVar(&c.seed, "seed", fmt.Sprint(time.Now().UnixNano()), "the `TEXT` that ids are made of")
	f.StringVar(&c.keep, "keep", "", "leave what Kamailio and SIPp write in the folder `DIR`")
	binary := f.String("trunklog", "", "test this `PROGRAM` instead of building one")
	slack := f.Duration("slack", 250*time.Millisecond, "how far times may be apart")
	rate := f.Int("rate", 60, "for load: calls a second")
	length := f.Duration("for", 5*time.Second, "for load: how long")
	if err := f.Parse(args); err != nil {
		return err
	}
	c.network, c.address, _ = strings.Cut(*hep, ":")
	switch name {
	case "show":
		return show(ctx, c, *binary, *slack, out)
	case "run":
		return runCalls(ctx, c, out)
	case "check":
		if f.NArg() != 1 {
			return errors.New("check needs the file with the facts")
		}
		return checkRows(f.Arg(0), in, out, *slack)
	case "load":
		return load(ctx, c, *binary, *rate, *length, out)
	}
	return fmt.Errorf("unknown command %q: run, check and load are possible", name)
}
