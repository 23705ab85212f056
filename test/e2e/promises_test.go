package e2e

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testDeclared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	caseDeclared = regexp.MustCompile(`(?m)(?:t\.Run\(|^\s*\{)"([A-Z]\w+)", `)
	testNamed    = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)")
	inBackticks  = regexp.MustCompile("`([^`]+)`")
	caseNames    = regexp.MustCompile("^`(?: in [^(|]*)? \\(([A-Z]\\w+(?:, [A-Z]\\w+)*)\\)")
	testsPlaces  = regexp.MustCompile("^`(?: \\([^)]*\\))?( in `[a-z][a-z/]*`(?:(?: and |, )`[a-z][a-z/]*`)*)")
)

// proofs is what there is to prove a promise with.
type proofs struct {
	tests map[string][]string // the folders of each test
	cases map[string]bool     // the names of tests within tests
	rooms map[string]bool     // folders with tests, by their path and its last name
	goals map[string]bool     // what the Makefile can make
}

// TestPromises: whatever the page of promises gives as a proof is there, and each test
// that a decision names, so that no promise is kept by a name alone.
func TestPromises(t *testing.T) {
	t.Chdir(repository)
	there := findProofs(t, ".")
	pages, err := filepath.Glob("docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		for _, m := range testNamed.FindAllStringSubmatch(read(t, page), -1) {
			if there.tests[m[1]] == nil {
				t.Errorf("%s names %s, which there is not", page, m[1])
			}
		}
	}
	promises := 0
	for line := range strings.Lines(read(t, "docs/promises.md")) {
		if cells := strings.Split(line, " | "); len(cells) > 1 && strings.HasPrefix(line, "| **") {
			promises++
			for _, f := range there.faults(cells[len(cells)-1]) {
				t.Errorf("docs/promises.md: %.60s…: %s", line, f)
			}
		}
	}
	if promises < 20 {
		t.Errorf("docs/promises.md has %d promises", promises)
	}
}

// TestPromisesBite: each way in which a proof can be missing is seen.
func TestPromisesBite(t *testing.T) {
	p := &proofs{
		tests: map[string][]string{"TestKill": {"."}, "TestStore": {"store/pebble", "store/socket"}},
		cases: map[string]bool{"RowsMove": true},
		rooms: map[string]bool{"store/pebble": true, "pebble": true, "store/socket": true},
		goals: map[string]bool{"torture": true},
	}
	for proof, want := range map[string]string{
		"`TestKill` (the real server, under load)":                           "",
		"`TestStore` in `store/pebble` and `store/socket`":                   "",
		"`TestStore` in `store/pebble` (RowsMove)":                           "",
		"random operations in `pebble`, `make torture`":                      "",
		"the long tier (`TestStore` and others), `promises_test.go`, `docs`": "docs is neither a test, a file, a folder with tests nor a goal of make",
		"`TestKilled`":                             "there is no TestKilled",
		"`TestStore` (RowsMove, RowsStay)":         "TestStore has no RowsStay",
		"`TestKill`, `TestKill` in `store/socket`": "TestKill is not in store/socket",
		"`testdata/none.txtar`":                    "testdata/none.txtar is neither a test, a file, a folder with tests nor a goal of make",
		"`make money`":                             "make money is neither a test, a file, a folder with tests nor a goal of make",
		"it is so, believe me":                     "nothing is named that proves it",
	} {
		if got := strings.Join(p.faults(proof), "; "); got != want {
			t.Errorf("%s: %q, want %q", proof, got, want)
		}
	}
}

// faults says what of a proof is not there.
func (p *proofs) faults(text string) (faults []string) {
	names := inBackticks.FindAllStringSubmatchIndex(text, -1)
	for _, at := range names {
		name, rest := text[at[2]:at[3]], text[at[3]:]
		if !testNamed.MatchString("`" + name) {
			if !p.has(name) {
				faults = append(faults, name+" is neither a test, a file, a folder with tests nor a goal of make")
			}
			continue
		}
		if p.tests[name] == nil {
			faults = append(faults, "there is no "+name)
			continue
		}
		if m := caseNames.FindStringSubmatch(rest); m != nil {
			for _, c := range strings.Split(m[1], ", ") {
				if !p.cases[c] {
					faults = append(faults, name+" has no "+c)
				}
			}
		}
		if m := testsPlaces.FindStringSubmatch(rest); m != nil {
			for _, place := range inBackticks.FindAllStringSubmatch(m[1], -1) {
				if !slices.Contains(p.tests[name], place[1]) && !slices.ContainsFunc(p.tests[name], func(f string) bool { return path.Base(f) == place[1] }) {
					faults = append(faults, name+" is not in "+place[1])
				}
			}
		}
	}
	if len(names) == 0 {
		faults = append(faults, "nothing is named that proves it")
	}
	return faults
}

// has reports whether a name that is no test's is a file, a folder with tests or a
// goal of make.
func (p *proofs) has(name string) bool {
	if goal, ok := strings.CutPrefix(name, "make "); ok {
		return p.goals[goal]
	}
	at, err := os.Stat(name)
	return p.rooms[name] || err == nil && (!at.IsDir() || path.Base(name) == "testdata")
}

// findProofs looks for tests in a folder and below, also in modules of their own.
func findProofs(t *testing.T, root string) *proofs {
	t.Helper()
	p := &proofs{tests: map[string][]string{}, cases: map[string]bool{}, rooms: map[string]bool{}, goals: map[string]bool{}}
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || strings.HasPrefix(e.Name(), ".") && file != root) {
			return fs.SkipDir
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		if test := strings.HasSuffix(file, "_test.go"); test || strings.HasPrefix(file, "store/storetest/") && strings.HasSuffix(file, ".go") {
			text := read(t, file)
			for _, m := range testDeclared.FindAllStringSubmatch(text, -1) {
				p.tests[m[1]] = append(p.tests[m[1]], folder)
			}
			for _, m := range caseDeclared.FindAllStringSubmatch(text, -1) {
				p.cases[m[1]] = true
			}
			p.rooms[folder], p.rooms[path.Base(folder)] = true, true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^(\w+):`).FindAllStringSubmatch(read(t, filepath.Join(root, "Makefile")), -1) {
		p.goals[m[1]] = true
	}
	return p
}
