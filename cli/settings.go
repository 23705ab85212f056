package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trunklog/trunklog/call"
)

// Settings are the flags of the commands and nothing else. A flag that is not on the command line
// takes its value from the environment (TRUNKLOG_LISTEN for --listen), then from the settings file
// (listen: …), then from its default. All commands share the file, so it may hold the flags of any
// of them.
type settings struct {
	path   string            // of the settings file; empty if there is none
	origin map[string]string // flag name → origin of its value, if that is not the default
}

const envPrefix = "TRUNKLOG_"

var settingsFiles = []string{"trunklog.yaml", "/etc/trunklog/trunklog.yaml"}

// notSettings are flags that mean something on the command line only.
var notSettings = []string{"help", "config", "version", "origin", "licenses"}

// load sets the flags of cmd that are not on the command line.
func (s *settings) load(p *program, cmd *cobra.Command) error {
	s.origin = make(map[string]string)
	known := knownSettings(cmd.Root())
	fromFile, err := s.readFile(cmd, known)
	if err != nil {
		return err
	}
	fromEnv, err := readEnv(p.env, known)
	if err != nil {
		return err
	}
	layers := koanf.New(".")
	for _, layer := range []*koanf.Koanf{fromFile, fromEnv} {
		if err := layers.Merge(layer); err != nil {
			return err
		}
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch {
		case failed != nil || slices.Contains(notSettings, f.Name):
		case f.Changed:
			s.origin[f.Name] = "flag --" + f.Name
		case layers.Exists(f.Name):
			origin := s.path
			if fromEnv.Exists(f.Name) {
				origin = "environment " + envName(f.Name)
			}
			s.origin[f.Name] = origin
			failed = setFlag(cmd.Flags(), f, layers, origin)
		}
	})
	if failed != nil {
		return failed
	}
	return readSecrets(cmd.Flags())
}

// byHand reports whether a flag is on the command line.
func (s *settings) byHand(flag string) bool { return strings.HasPrefix(s.origin[flag], "flag ") }

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func envNames(flags []string) []string {
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = envName(f)
	}
	return names
}

// setFlag sets f to the value that k has for it.
func setFlag(flags *pflag.FlagSet, f *pflag.Flag, k *koanf.Koanf, origin string) error {
	values := []string{k.String(f.Name)}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = k.Strings(f.Name)
		if len(values) == 0 {
			values = strings.Split(k.String(f.Name), ",")
		}
		if err := list.Replace(nil); err != nil {
			return err
		}
	}
	for _, v := range values {
		if err := flags.Set(f.Name, v); err != nil {
			// The name of a variable contains that of its flag; the name of a file does not.
			return usage("%w", notTaken(err, func(flag string) string {
				if strings.HasSuffix(origin, envName(flag)) {
					return origin
				}
				return origin + ": " + flag
			}))
		}
	}
	return nil
}

// readFile reads the settings file, if there is one.
func (s *settings) readFile(cmd *cobra.Command, known []string) (*koanf.Koanf, error) {
	k := koanf.New("\x00") // a key is the name of a flag: no key is nested
	named, _ := cmd.Flags().GetString("config")
	candidates := settingsFiles
	if named != "" {
		candidates = []string{named}
	}
	for _, path := range candidates {
		err := k.Load(file.Provider(path), yaml.Parser())
		if errors.Is(err, fs.ErrNotExist) && named == "" {
			continue
		}
		if err != nil {
			return nil, usage("settings file %s: %w", path, err)
		}
		s.path = path
		break
	}
	for _, key := range k.Keys() {
		if !slices.Contains(known, key) {
			return nil, usage("settings file %s%s: unknown setting %q%s", s.path, lineOf(s.path, key), strings.ReplaceAll(key, "\x00", "."), suggestion(key, known))
		}
	}
	return k, nil
}

// lineOf returns ", line N" if a line of the settings file begins with the key, and nothing where it
// is written otherwise.
func lineOf(path, key string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(key, "\x00")
	for i, line := range strings.Split(string(b), "\n") {
		name, _, ok := strings.Cut(line, ":")
		if ok && strings.Trim(name, " \"'") == first {
			return fmt.Sprintf(", line %d", i+1)
		}
	}
	return ""
}

// readEnv reads TRUNKLOG_… from the environment. It ignores empty variables.
func readEnv(environ, known []string) (*koanf.Koanf, error) {
	k := koanf.New("\x00")
	var unknown error
	err := k.Load(env.Provider("\x00", env.Opt{
		Prefix: envPrefix,
		EnvironFunc: func() []string {
			return slices.DeleteFunc(slices.Clone(environ), func(s string) bool { return strings.HasSuffix(s, "=") })
		},
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "-"))
			if !slices.Contains(known, key) && unknown == nil {
				unknown = usage("environment: unknown setting %s%s", name, suggestion(name, envNames(known)))
			}
			return key, value
		},
	}), nil)
	return k, errors.Join(err, unknown)
}

// knownSettings returns the names of the flags of all commands below cmd.
func knownSettings(cmd *cobra.Command) []string {
	names := map[string]bool{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		add := func(f *pflag.Flag) {
			if !slices.Contains(notSettings, f.Name) {
				names[f.Name] = true
			}
		}
		c.Flags().VisitAll(add)
		c.PersistentFlags().VisitAll(add)
		for _, below := range c.Commands() {
			visit(below)
		}
	}
	visit(cmd)
	return slices.Sorted(maps.Keys(names))
}

// Secrets. The program never shows the value of a flag made by secretFlag. The operator may give it
// in a file instead, named by the flag NAME-file.

const secretNote = "trunklog_secret"

func secretFlag(flags *pflag.FlagSet, name, usage string) {
	flags.String(name, "", usage+"; others on this machine can read it while the command runs, so rather use --"+name+"-file")
	_ = flags.SetAnnotation(name, secretNote, []string{"true"})
	flags.String(name+"-file", "", "read it from `FILE`")
}

func isSecret(f *pflag.Flag) bool { return f.Annotations[secretNote] != nil }

// readSecrets sets secret flags from the files that the NAME-file flags name.
func readSecrets(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		if !isSecret(f) || f.Value.String() != "" || failed != nil {
			return
		}
		path, _ := flags.GetString(f.Name + "-file")
		if path == "" {
			return
		}
		b, err := os.ReadFile(path)
		if err != nil {
			failed = usage("--%s-file: %w", f.Name, err)
			return
		}
		failed = f.Value.Set(strings.TrimRight(string(b), "\r\n"))
	})
	return failed
}

// suggestion returns " (did you mean …?)" if one of the names is similar to what the operator
// wrote, else "".
func suggestion(written string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		if d := call.Distance(written, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// invalid turns an error that wraps [call.ErrInvalid] into one about usage.
func invalid(err error) error {
	if errors.Is(err, call.ErrInvalid) {
		return &exitError{exitUsage, err}
	}
	return err
}
