package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/tenant"
)

// completion tells shells what the operator can type where: the values of flags, the formats of
// files, the names of tenants. It also makes cobra's completion command refuse an unknown shell as
// our own commands do.
func (p *program) completion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	known := p.completions()
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if forms := narrowForms[cmd.CommandPath()]; forms != nil {
			_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp))
		}
		for name, values := range known {
			if cmd.Flags().Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, values)
			}
		}
		for _, below := range cmd.Commands() {
			visit(below)
		}
		switch cmd.CommandPath() {
		case "trunklog completion":
			like := group("completion", cmd.Short)
			cmd.Args, cmd.RunE = like.Args, like.RunE
		case "trunklog import":
			cmd.ValidArgsFunction = completeImport
		case "trunklog client key add":
			cmd.ValidArgsFunction = completeKey
		case "trunklog db backup", "trunklog db restore":
			cmd.ValidArgsFunction = folders
		default:
			if cmd.ValidArgsFunction == nil && cmd.Runnable() && !cmd.HasSubCommands() {
				cmd.ValidArgsFunction = cobra.NoFileCompletions
			}
		}
	}
	visit(root)
	_ = root.RegisterFlagCompletionFunc("data", folders)
}

// narrowForms are the values of -o of commands that do not take all of them.
var narrowForms = map[string][]string{
	"trunklog import":     {"text", "json"},
	"trunklog calls tail": {"table", "jsonl"},
}

// completions returns the completion of flags by name, for every command that has a flag of the
// name.
func (p *program) completions() map[string]cobra.CompletionFunc {
	words := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	types := []string{"dr_emergency_out", "dr_unassigned_in"}
	for _, names := range call.CallTypes() {
		types = append(types, string(names[0]))
	}
	slices.Sort(types)
	periods := words("30d", "150d", "6mo", "1y", "10y", "forever")
	times := words("today", "yesterday", "now", "-1h", "-24h", "-7d", "-1mo")
	return map[string]cobra.CompletionFunc{
		"as":           words("json", "hep"),
		"cloud":        words("global", "usgov-l4", "usgov-l5", "china"),
		"code":         words("404", "408", "480", "486", "487", "503", "603"),
		"columns":      cobra.FixedCompletions(columnNames(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace),
		"expires":      periods,
		"from":         times,
		"inject":       words("429=5%,latency=50ms..2s,cut=0.5%", "429=20%,503=10%,seed=1"),
		"keep":         periods,
		"keep-changes": periods,
		"keep-sip":     words("off", "30d", "6mo", "1y", "forever"),
		"log-format":   words("auto", "text", "json"),
		"map": func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		"number":      words(),
		"output":      words(outputForms...),
		"remove-role": words(auth.RoleRead, auth.RoleIngest, auth.RoleIngestGraph),
		"result":      words("ok", "failed"),
		"role":        words(auth.RoleRead, auth.RoleIngest, auth.RoleIngestGraph),
		"tenant":      p.completeTenants,
		"to":          times,
		"trunk":       words(),
		"type":        words(types...),
		"user":        words(),
		"zone":        words("local", "UTC", "Europe/Berlin", "Europe/London", "America/New_York"),
	}
}

// completeImport completes FORMAT, and then files.
func completeImport(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return importFormats(), cobra.ShellCompDirectiveNoFileComp
}

// completeKey completes FILE, which follows CLIENT.
func completeKey(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completionTime is how long a shell may wait for the names of tenants.
const completionTime = 700 * time.Millisecond

// completeTenants returns the names of the tenants, if they can be read quickly. It makes, upgrades
// and waits for nothing, and hides errors from an operator who is still typing.
func (p *program) completeTenants(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	if p.settings.load(p, cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	data, _ := cmd.Flags().GetString("data")
	spec, _ := cmd.Flags().GetString("store")
	found := make(chan []string, 1)
	go func() { found <- p.tenantNames(ctx, data, spec) }()
	select {
	case names := <-found:
		return names, cobra.ShellCompDirectiveNoFileComp
	case <-ctx.Done():
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func (p *program) tenantNames(ctx context.Context, data, spec string) []string {
	if spec == "" {
		spec = "pebble:" + datadir.Store(data)
	}
	st, err := func() (opened, error) {
		if st, err := admin.Dial(ctx, datadir.Socket(data), version()); err == nil {
			return st, nil
		}
		return store.Open(ctx, spec, store.Options{Existing: true, ReadOnly: true, AsItIs: true})
	}()
	if err != nil {
		return nil
	}
	defer func() { _ = st.Close() }() // nothing was written
	tenants, err := tenant.Open(ctx, st, p.now)
	if err != nil {
		return nil
	}
	all, _ := tenants.List(ctx)
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.Name
	}
	return names
}
