package cli

import (
	_ "embed"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

//go:generate go run ../packaging/notices notices.txt

//go:embed notices.txt
var notices string

// next is the version of the top entry of CHANGELOG.md: the next release, and what is built on
// the way to it.
const next = "0.2.0"

// A Build says what the program was made of. Each part may be empty.
type Build struct {
	Release string // its version, for a release alone
	Commit  string // abbreviated, with .dirty behind it if files were changed since
	Date    string // that of the commit
}

// build is what [Main] was told.
var build Build

// fill adds the commit that Go has noted, unless the builder has named one.
func (b *Build) fill(settings []debug.BuildSetting) {
	if b.Commit != "" {
		return
	}
	dirty := ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			b.Commit = s.Value[:12]
		case s.Key == "vcs.time" && len(s.Value) >= 10:
			b.Date = s.Value[:10]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ".dirty"
		}
	}
	if b.Commit != "" {
		b.Commit += dirty
	}
}

// version returns the release, or the next one with -dev behind it, and where it is known the
// commit. Two programs that say the same here take each other for the same.
func (b Build) version() string {
	v := b.Release
	if v == "" {
		v = next + "-dev"
	}
	if b.Commit != "" {
		v += "+" + b.Commit
	}
	return v
}

// line is what version and --version print.
func (b Build) line() string {
	words := fmt.Sprintf("trunklog %s %s %s/%s %s", b.version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, b.Date)
	return strings.TrimSpace(words)
}

// version is that of this program.
func version() string { return build.version() }

func (p *program) versionCommand() *cobra.Command {
	var licenses bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			text := build.line() + "\n"
			if licenses {
				text = notices
			}
			_, err := io.WriteString(p.stdout, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&licenses, "licenses", false, "print the licenses of trunklog and of all that is linked into it")
	return cmd
}
