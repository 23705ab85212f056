package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/trunklog/trunklog/test/kit"
)

// TestDocs runs the commands of README.md and of docs, page by page and in their
// order, in a folder of its own with the real program. What a page takes for
// granted, the files that it names and programs of other machines, is in
// testdata/docs: shell commands that are run before, and files.
//
// What is printed is not compared: each command has to end with exit code 0, and a
// server runs until the page starts another one or ends. Ports are free ones instead
// of those on the page, and /var is a folder of the test's own. Of commands that cannot be run as they stand, because FILE or
// … stands for something, and of parts of commands in a text, words and flags have to
// exist.
func TestDocs(t *testing.T) {
	kit.Long(t)
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	t.Chdir(repository) // pages are named by their place
	pages := []string{"README.md"}
	for _, p := range []string{"docs/*.md", "docs/sources/*.md"} {
		found, err := filepath.Glob(p)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	all := readHelp(t)
	var ran, looked, left atomic.Int64
	t.Run("pages", func(t *testing.T) {
		for _, page := range pages {
			t.Run(page, func(t *testing.T) {
				t.Parallel()
				commands, faults := readPage(read(t, page), all.names(""))
				for _, f := range faults {
					t.Errorf("%s:%s", page, f)
				}
				var run []docCommand
				for _, c := range commands {
					switch {
					case c.left != "":
						left.Add(1)
						t.Logf("%s:%d: not run, %s: %s", page, c.line, c.left, c.text)
					case c.whole:
						run = append(run, c)
					default:
						looked.Add(1)
						if fault := all.fault(c.text); fault != "" {
							t.Errorf("%s:%d: %s: %s", page, c.line, c.text, fault)
						}
					}
				}
				ran.Add(int64(len(run)))
				runPage(t, page, run)
			})
		}
	})
	t.Logf("of the commands in %d pages %d ran, of %d the flags were looked up, %d were left out", len(pages), ran.Load(), looked.Load(), left.Load())
	for _, prelude := range preludes(t) {
		if page := strings.TrimSuffix(strings.TrimPrefix(prelude, docsPreludes+"/"), ".txtar") + ".md"; !slices.Contains(pages, page) && !slices.Contains(pages, "docs/"+page) {
			t.Errorf("%s is for no page", prelude)
		}
	}
}

// docsPreludes has what pages take for granted.
const docsPreludes = "test/e2e/testdata/docs"

// docShell runs servers beside the other commands of a page, and tells them to end.
const docShell = `set -e -o pipefail
serving=
settle() {
	[ -n "$serving" ] || return 0
	kill -TERM "$serving"
	wait "$serving" || { echo "the server has ended with $?:" >&2; cat serve.log >&2; exit 1; }
	serving=
}
trunklog() {
	[ "$1" = serve ] || { command trunklog "$@"; return; }
	settle
	: >serve.log # what the last server said must not be taken for this one's
	(exec trunklog "$@") 2>serve.log &
	serving=$!
	until grep -q 'trunklog is ready' serve.log; do
		if ! kill -0 "$serving" 2>/dev/null; then
			ended=0
			wait "$serving" || ended=$?
			serving=
			cat serve.log >&2
			return "$ended"
		fi
		sleep 0.05
	done
}
trap '[ -z "$serving" ] || kill -KILL "$serving" 2>/dev/null' EXIT
`

// runPage runs the commands of a page in one shell.
func runPage(t *testing.T, page string, commands []docCommand) {
	t.Helper()
	if len(commands) == 0 {
		return
	}
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString(docShell)
	prelude := filepath.Join(docsPreludes, strings.TrimSuffix(strings.TrimPrefix(page, "docs/"), ".md")+".txtar")
	if archive, err := txtar.ParseFile(prelude); err == nil {
		script.Write(archive.Comment)
		if err := txtar.Write(archive, dir); err != nil {
			t.Fatal(err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, c := range commands {
		fmt.Fprintf(&script, "echo '%s:%d: '%s >&2\n%s\n", page, c.line, shellQuoted(c.text), c.text)
	}
	script.WriteString("settle\n")
	ports := map[string]string{}
	text := strings.ReplaceAll(script.String(), " /var/", " var/")
	text = regexp.MustCompile(`:(8443|9060|9061|9464)\b`).ReplaceAllStringFunc(text, func(p string) string {
		if ports[p] == "" {
			ports[p] = ":" + strconv.Itoa(kit.FreePort(t))
		}
		return ports[p]
	})
	if ports[":8443"] == "" {
		ports[":8443"] = ":" + strconv.Itoa(kit.FreePort(t))
	}
	// curl ends with 0 whatever the answer, unless it is told.
	if err := os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("fail-with-body\nsilent\nshow-error\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cmd := kit.Command(t.Context(), "bash", "-c", text)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "HOUSE="+root, "HOME="+dir, "CURL_HOME="+dir, "TZ=UTC", "TRUNKLOG_LISTEN=127.0.0.1"+ports[":8443"])
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", page, err, tailOf(out.String()))
	}
}

// shellQuoted writes a text so that a shell takes it as it is.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// tailOf is the end of an output.
func tailOf(s string) string { return s[max(0, len(s)-2000):] }

// help is what the program prints for each command with --help, by the command's
// words; "" is the program itself.
type help map[string]string

var (
	subcommands  = regexp.MustCompile(`(?m)^  ([a-z]+)  +\S`)
	commandWords = regexp.MustCompile(`^trunklog((?: [a-z]+)*)`)
	flagNames    = regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*)`)
)

// readHelp asks for the help of each command.
func readHelp(t *testing.T) help {
	t.Helper()
	h := help{}
	for next := []string{""}; len(next) > 0; next = next[1:] {
		h[next[0]] = must(t, "", append(strings.Fields(next[0]), "--help")...)
		for _, name := range h.names(next[0]) {
			next = append(next, strings.TrimSpace(next[0]+" "+name))
		}
	}
	return h
}

// names are those of the commands below one.
func (h help) names(of string) (names []string) {
	_, list, _ := strings.Cut(h[of], "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for _, m := range subcommands.FindAllStringSubmatch(list, -1) {
		if m[1] != "help" {
			names = append(names, m[1])
		}
	}
	return names
}

// fault says which word or flag of a command there is not. Flags alone may be those
// of any command.
func (h help) fault(text string) string {
	words := strings.Fields(commandWords.FindStringSubmatch(text)[1])
	known := len(words)
	for ; h[strings.Join(words[:known], " ")] == ""; known-- {
	}
	key := strings.Join(words[:known], " ")
	if known < len(words) && !regexp.MustCompile(`(?m)^  trunklog `+key+` \[?[A-Z]`).MatchString(h[key]) {
		return fmt.Sprintf("there is no command %q", strings.Join(words, " "))
	}
	says := h[key]
	if len(words) == 0 {
		says = strings.Join(slices.Collect(maps.Values(h)), "")
	}
	for _, m := range flagNames.FindAllStringSubmatch(text, -1) {
		if !regexp.MustCompile(`(?m)^ +(?:-\w, )?` + m[1] + `(?: |$)`).MatchString(says) {
			return fmt.Sprintf("there is no flag %s", m[1])
		}
	}
	return ""
}

// preludes are the files in testdata/docs.
func preludes(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(docsPreludes, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
