package main

import (
	"errors"
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
			// What is wrong is said behind what shows where it comes from.
			return errors.Join(p.print(form, t, all), s.check(p))
		},
	}
	s.flags(cmd.Flags())
	outputFlag(cmd, &form)
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	return cmd
}

// describe returns a setting's value and origin. Secrets are not shown.
func (s *settings) describe(f *pflag.Flag) setting {
	value := f.Value.String()
	if list, ok := f.Value.(pflag.SliceValue); ok {
		value = strings.Join(list.GetSlice(), ", ")
	}
	if isSecret(f) && value != "" {
		value = "(hidden)"
	}
	origin := s.origin[f.Name]
	if origin == "" {
		origin = "default"
	}
	return setting{f.Name, value, origin}
}
