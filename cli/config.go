package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (p *program) configCommand() *cobra.Command {
	return group("config", "The settings in force", p.configShowCommand())
}

// A setting is one line of config show.
type setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (p *program) configShowCommand() *cobra.Command {
	var s serving
	var form string
	var origin bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the settings that 'serve' would run with, and where each comes from",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.stayIn(p)
			var all []setting
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if f.Name == "help" || f.Name == "origin" || f.Name == "output" {
					return
				}
				all = append(all, p.settings.describe(f))
			})
			t := table{{"SETTING", "VALUE", "ORIGIN"}}
			for _, x := range all {
				t = append(t, []string{x.Name, x.Value, x.Origin})
			}
			if !origin {
				for i := range t {
					t[i] = t[i][:2]
				}
			}
			// The error comes behind the table, which shows the origin of the wrong setting.
			return errors.Join(p.print(form, t, all), s.check(p))
		},
	}
	s.flags(cmd.Flags())
	outputFlag(cmd, &form)
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	return cmd
}

// hidden replaces a secret.
const hidden = "(hidden)"

// describe returns a setting's value and origin, without secrets.
func (s *settings) describe(f *pflag.Flag) setting {
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = slices.Clone(list.GetSlice())
	}
	for i := range values {
		values[i] = withoutSecrets(values[i])
	}
	value := strings.Join(values, ", ")
	if isSecret(f) && value != "" {
		value = hidden
	}
	origin := s.origin[f.Name]
	if origin == "" {
		origin = "default"
	}
	return setting{f.Name, value, origin}
}

// withoutSecrets returns a setting without the secrets in a URL: it hides what stands before the
// host, and the values of all parameters except openParameters. A misspelled parameter, or one
// without a name, may be a secret too.
//
// A password that was not escaped may hold any character. So withoutSecrets hides all that stands
// before the last '@', and everything behind the scheme if that '@' stands behind what may be the
// first parameter, because the two cannot be told apart.
func withoutSecrets(value string) string {
	front, rest, ok := strings.Cut(value, "://")
	if !ok {
		return value
	}
	separator := func(r rune) bool { return strings.ContainsRune("?&;#", r) }
	query := ""
	at := strings.LastIndexByte(rest, '@')
	if i := strings.IndexFunc(rest, separator); i >= 0 {
		if at > i {
			return front + "://" + hidden
		}
		rest, query = rest[:i], rest[i:]
	}
	if at >= 0 {
		rest = hidden + rest[at:]
	}
	var b strings.Builder
	b.WriteString(front + "://" + rest)
	for i, pair := range strings.FieldsFunc(query, separator) {
		b.WriteByte("?&"[min(i, 1)])
		name, v, named := strings.Cut(pair, "=")
		switch {
		case !named:
			pair = hidden
		case v != "" && !slices.Contains(openParameters, name):
			pair = name + "=" + hidden
		}
		b.WriteString(pair)
	}
	return b.String()
}

// openParameters are the parameters of sources and stores that are not secret. auth-file, cert and
// client-ca are names of files. So is key in a source, but elsewhere a key is a secret, so it is
// not in this list.
var openParameters = []string{
	"auth-file", "cert", "client-ca", "client-cert", "connections", "idle", "microsoft", "sender-name", "tenant", "trunk",
}
