// Package cli has the commands of trunklog. A command reads its flags, opens the data folder or
// speaks to the server that owns it, and prints.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // maps of CSV name time zones, and some systems have no list of them

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/source"
)

// Main runs the program in its real environment and returns its exit code.
func Main(b Build) int {
	if info, ok := debug.ReadBuildInfo(); ok {
		b.fill(info.Settings)
	}
	build = b
	private()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		env:    os.Environ(),
		now:    time.Now,
	}
	return p.run(ctx, os.Args[1:])
}

// A program is the environment that all commands share. Commands write data to stdout and
// everything else to stderr.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
	now            func() time.Time
	settings       settings
	sources        source.Table // nil means all kinds
}

// The exit codes. Scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitAuth        = 4
	exitPart        = 5 // some records were rejected, all others were imported
	exitInterrupted = 130
)

// An exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage returns an error about the flags or arguments of a command.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// run runs one command and returns its exit code. Only run prints errors.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(p.stderr, "trunklog: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(p.stderr, "trunklog: %s\n", call.Words(err))
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}

// root returns the table of commands.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "trunklog",
		Short: "The call log of a Microsoft Teams Direct Routing trunk, served as Microsoft Graph does",
		Long: `trunklog keeps the calls of Microsoft Teams Direct Routing trunks for as long as
you say and serves them through the API that every Microsoft Graph client
already speaks: communications/callRecords/getDirectRoutingCalls.

Settings come from flags, then from TRUNKLOG_… in the environment, then from
trunklog.yaml. 'trunklog config show --origin' tells which.`,
		Version:       build.line(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q%s", args[0], suggestion(args[0], commandNames(cmd)))
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return p.settings.load(p, cmd) },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		err = notTaken(err, func(flag string) string { return "--" + flag })
		return usage("%w (see '%s --help')", err, cmd.CommandPath())
	})
	root.PersistentFlags().String("config", "", "read settings from `FILE` (default ./trunklog.yaml, then /etc/trunklog/trunklog.yaml)")
	root.PersistentFlags().String("data", "trunklog-data", "keep everything in `DIR`")
	root.PersistentFlags().String("store", "", "keep the rows elsewhere, at `URL` (default pebble:DATA/store)")
	root.AddCommand(
		p.serveCommand(),
		p.importCommand(),
		p.callsCommand(),
		p.tenantCommand(),
		p.clientCommand(),
		p.tokenCommand(),
		p.genCommand(),
		p.sourceCommand(),
		p.dbCommand(),
		p.configCommand(),
		p.versionCommand(),
	)
	p.completion(root)
	return root
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// group returns a command that only holds other commands.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which of %s? (see '%s --help')", strings.Join(commandNames(cmd), ", "), cmd.CommandPath())
			}
			_, path, _ := strings.Cut(cmd.CommandPath(), " ")
			return usage("unknown command %q%s", path+" "+args[0], suggestion(args[0], commandNames(cmd)))
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// exactly checks the number of arguments, and names the first missing or unexpected one.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s is missing (usage: %s)", names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return usage("unexpected argument %q (usage: %s)", args[len(names)], cmd.UseLine())
		}
		return nil
	}
}
