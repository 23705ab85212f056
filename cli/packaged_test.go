package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/trunklog/trunklog/test/kit"
)

const packaged = "../packaging/trunklog.yaml"

// once are settings for a single start, which do not belong in a file.
var once = []string{"help", "config", "new-ca", "print-ca"}

// serveFlags returns the settings of the server, in the order in which serve --help has them.
func serveFlags(t *testing.T) (flags []*pflag.Flag) {
	t.Helper()
	root := (&program{}).root()
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []*pflag.FlagSet{root.PersistentFlags(), serve.Flags()} {
		set.SortFlags = false
		set.VisitAll(func(f *pflag.Flag) {
			if !slices.Contains(once, f.Name) && !slices.ContainsFunc(flags, func(g *pflag.Flag) bool { return g.Name == f.Name }) {
				flags = append(flags, f)
			}
		})
	}
	return flags
}

// TestPackaged writes the settings file of the packages from the flags of serve: each setting with
// what its flag says, and switched off, but for the data folder. What is switched on as it stands
// there is what the server does anyway.
func TestPackaged(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# The settings of trunklog. Each stands here with what serve does without it; take the '#' away
# from its line to change it, and restart the server: systemctl restart trunklog
#
# A flag on the command line goes before TRUNKLOG_… in the environment, and that before this file.
# 'trunklog config show --origin' tells what is in force, and says what is wrong with it.
#
# All commands read this file, and any flag of any of them may stand here by its name. So everybody
# on this machine may read it: put secrets into files of their own.

`)
	wanted := map[string]string{} // what each default is when it is switched on
	for _, f := range serveFlags(t) {
		placeholder, usage := pflag.UnquoteUsage(f)
		for _, line := range wrapped(usage, 98) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		value := f.DefValue
		switch _, list := f.Value.(pflag.SliceValue); {
		case f.Name == "data":
			fmt.Fprintf(&b, "data: /var/lib/trunklog\n\n")
			continue
		case list:
			value = fmt.Sprintf("[%q]", placeholder)
		case value == "":
			value = fmt.Sprintf("%q", placeholder)
		case f.Value.Type() == "string":
			wanted[f.Name], value = value, fmt.Sprintf("%q", value)
		default:
			wanted[f.Name] = value
		}
		fmt.Fprintf(&b, "#%s: %s\n\n", f.Name, value)
	}
	kit.Golden(t, packaged, bytes.TrimSuffix(b.Bytes(), []byte("\n")))

	if all := showFile(t, packaged); all["data"] != "/var/lib/trunklog" {
		t.Errorf("data is %q as the packages bring the file", all["data"])
	}
	var on []string
	for line := range strings.Lines(b.String()) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "#"), ":")
		if _, ok := wanted[name]; ok && strings.HasPrefix(line, "#") {
			on = append(on, strings.TrimPrefix(line, "#"))
		}
	}
	if len(on) != len(wanted) || len(on) < 15 {
		t.Errorf("%d settings have a default, and %d lines have one", len(wanted), len(on))
	}
	file := filepath.Join(t.TempDir(), "trunklog.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(on, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	all := showFile(t, file)
	for name, value := range wanted {
		if all[name] != value {
			t.Errorf("%s switched on is %q, and by default %q", name, all[name], value)
		}
	}
}

// showFile returns the settings of the server that a file leads to.
func showFile(t *testing.T, file string) map[string]string {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs}
	if code := p.run(t.Context(), []string{"config", "show", "--config", file}); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	all := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		all[name] = strings.TrimSpace(value)
	}
	return all
}

// wrapped returns a text in lines of a width.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
