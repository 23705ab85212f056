// Notices writes the licenses of all that is linked into trunklog, for any system of a release,
// to the file that it is given: each text once, below the modules that come with it.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// systems are those of a release; libraries differ between operating systems.
var systems = []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"}

// legal is what files with licenses and notices are called.
var legal = regexp.MustCompile(`(?i)^(un)?licen[cs]es?\b|^(copying|copyright|notice|patents|authors)\b`)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: notices FILE")
	}
	text, err := notices()
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644) //nolint:gosec // it is part of the source
	}
	if err != nil {
		log.Fatal(err)
	}
}

// notices returns the text.
func notices() ([]byte, error) {
	folders, err := linked()
	if err != nil {
		return nil, err
	}
	owners := map[string][]string{} // text → who comes with it
	for _, module := range slices.Sorted(maps.Keys(folders)) {
		files, err := legalFiles(folders[module])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			text := tidy(b)
			owners[text] = append(owners[text], module)
		}
	}
	texts := slices.SortedFunc(maps.Keys(owners), func(a, b string) int {
		return strings.Compare(owners[a][0]+"\n"+a, owners[b][0]+"\n"+b)
	})
	var out bytes.Buffer
	fmt.Fprintf(&out, "The licenses of trunklog and of all that is linked into it, with the notices that come with them.\n")
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(slices.Compact(owners[text]), "\n"), text)
	}
	return out.Bytes(), nil
}

// tidy returns a text without what differs between systems and what an editor would take away.
func tidy(b []byte) string {
	lines := strings.Split(string(b), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " \t\r\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// linked returns the modules that are linked into the program, and the folders of each in which
// its license may stand: those of its packages and all above them, the module's own included.
func linked() (map[string][]string, error) {
	found := map[string][]string{}
	for _, system := range systems {
		goos, goarch, _ := strings.Cut(system, "/")
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}", "github.com/trunklog/trunklog")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSpace(line), "\t")
			if len(f) != 3 {
				continue // the standard library, and our own
			}
			for dir := f[2]; ; dir = filepath.Dir(dir) {
				if !slices.Contains(found[f[0]], dir) {
					found[f[0]] = append(found[f[0]], dir)
				}
				if len(dir) <= len(f[1]) {
					break
				}
			}
		}
	}
	for what, cmd := range map[string]*exec.Cmd{
		"(trunklog itself)":            exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/trunklog/trunklog"),
		"(the standard library of Go)": exec.Command("go", "env", "GOROOT"),
	} {
		dir, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cmd, err)
		}
		found[what] = []string{strings.TrimSpace(string(dir))}
	}
	return found, nil
}

// legalFiles returns the files with licenses and notices in folders.
func legalFiles(folders []string) (files []string, err error) {
	slices.Sort(folders)
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			switch {
			case !legal.MatchString(e.Name()), strings.HasSuffix(e.Name(), ".go"):
			case e.IsDir():
				below, err := filepath.Glob(filepath.Join(path, "*"))
				if err != nil {
					return nil, err
				}
				files = append(files, below...)
			default:
				files = append(files, path)
			}
		}
	}
	if len(files) == 0 {
		return nil, errors.Join(fs.ErrNotExist, fmt.Errorf("no license in %s", strings.Join(folders, ", ")))
	}
	return files, nil
}
