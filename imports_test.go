package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// law says which packages each package of the house may import besides the
// standard library: a name without a dot is a package of the house, any other
// a module's path, with all below it. A package that is not listed may not
// exist, and a permission that no file uses goes.
//
// Data flows one way: whoever serves calls cannot write them, auth does not
// know that there are calls, leaves do not know each other, and a heavy library
// lives in one folder.
var law = map[string][]string{
	"admin":            {"call", "golang.org/x/sys"},
	"call":             {},
	"tenant":           {"call", "golang.org/x/sync"},
	"odata":            {"call"},
	"gen":              {"call"},
	"cert":             {},
	"datadir":          {},
	"door":             {},
	"auth":             {"github.com/go-jose/go-jose/v4", "refuse"},
	"refuse":           {},
	"graph":            {"call", "graph/pack", "odata", "refuse", "github.com/klauspost/compress", "golang.org/x/time", "share"},
	"graph/pack":       {},
	"ingest":           {"call", "ingest/leg", "share", "golang.org/x/sync"},
	"ingest/leg":       {"call"},
	"ladder":           {"call", "sip"},
	"format":           {"call", "format/archive", "format/graphjson", "format/teams", "format/csv", "format/xlsx", "golang.org/x/text"},
	"format/archive":   {"call", "github.com/klauspost/compress"},
	"format/xlsx":      {"call"},
	"format/graphjson": {"call", "github.com/go-json-experiment/json"},
	"format/teams":     {"call"},
	"format/csv":       {"call", "go.yaml.in/yaml/v3", "golang.org/x/text"},
	"metrics":          {"call", "github.com/prometheus/client_golang"},
	"share":            {"golang.org/x/sync"},
	"sip":              {"call"},
	"sip/siptest":      {"call", "github.com/rogpeppe/go-internal"},
	"source":           {"call", "share", "source/hep", "source/pcap", "source/push"},
	"source/hep":       {"call", "sip", "golang.org/x/net", "golang.org/x/sys"},
	"source/push":      {"call", "github.com/klauspost/compress", "refuse", "share"},
	"source/pcap":      {"call", "sip"},
	"store":            {"call", "store/pebble"},
	"store/pebble":     {"call", "github.com/cockroachdb/pebble/v2", "github.com/cockroachdb/redact"},
	"store/storetest":  {"call"},
	"test/kit":         {},
}

// commands says what stands above all rooms and sees them all, so that a list of what it
// uses would say nothing, and which libraries it imports. Cli has to be named, and only
// those below test/ see what tests share.
var commands = map[string][]string{
	".":    {"cli"},
	"node": {"golang.org/x/sync"},
	"cli": {
		"github.com/knadh/koanf", "github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/vbauerster/mpb/v8",
		"golang.org/x/sync", "golang.org/x/term",
	},
	"packaging/notices": {},
	"test/bench":        {"golang.org/x/sync"},
	"test/dist":         {},
	"test/e2e":          {},
	"test/lab":          {},
}

// lawOfTests says what the tests of a package may import besides what the
// package itself may, the package, and the libraries that are for tests.
var lawOfTests = map[string][]string{
	"admin":        {"store/pebble", "store/storetest", "test/kit"}, // the suite, through the socket
	"cli":          {"test/kit"},
	"test/e2e":     {"cli", "golang.org/x/sys"},                                              // is the program itself; mounts, and sets limits
	"format":       {"github.com/klauspost/compress"},                                        // packs what is to be unpacked
	"graph":        {"gen", "store/storetest"},                                               // serves the model's rows
	"graph/pack":   {"call", "gen", "graph"},                                                 // packs pages of calls
	"ingest":       {"format", "gen", "sip", "sip/siptest", "source/hep", "store/storetest"}, // hears and imports whole calls
	"ingest/leg":   {"sip", "sip/siptest"},                                                   // reads calls as they are signalled
	"ladder":       {"store/storetest"},                                                      // draws the model's messages
	"sip":          {"sip/siptest"},
	"source/hep":   {"sip/siptest"},
	"source/push":  {"format/graphjson"}, // posts what a page of Graph's holds
	"store":        {"store/storetest"},  // knows the model from an engine
	"store/pebble": {"store/storetest"},
	"tenant":       {"store/storetest"},
}

// testLibraries are for tests alone: every test may use them, and no program has
// them.
var testLibraries = []string{
	"github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "go.uber.org/goleak", "pgregory.net/rapid",
}

// heavy names the one folder through which each heavy library comes into a
// program. What such a library brings along is its own affair; what any other
// brings must be named in the law.
var heavy = map[string]string{
	"github.com/cockroachdb/pebble/v2":    "store/pebble",
	"github.com/cockroachdb/redact":       "store/pebble",
	"github.com/go-jose/go-jose/v4":       "auth",
	"github.com/go-json-experiment/json":  "format/graphjson",
	"github.com/knadh/koanf":              "cli",
	"github.com/prometheus/client_golang": "metrics",
	"github.com/rogpeppe/go-internal":     "sip/siptest",
	"github.com/spf13/cobra":              "cli",
	"github.com/vbauerster/mpb/v8":        "cli",
	"go.yaml.in/yaml/v3":                  "format/csv",
}

const module = "github.com/trunklog/trunklog"

// laws are the tables above, or what a test puts in their place.
type laws struct {
	code, commands, tests map[string][]string
	testing               []string
	heavy                 map[string]string
}

// folder is a package of the house: what its files import, on whatever system
// they are built, and what its tests import.
type folder struct {
	main        bool
	code, tests map[string]bool
}

func TestImportLaw(t *testing.T) {
	house, err := readHouse(".")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := importGraph(t)
	if err != nil {
		t.Fatal(err)
	}
	all := laws{law, commands, lawOfTests, testLibraries, heavy}
	for _, b := range append(all.breaches(house), all.byways(graph)...) {
		t.Error(b)
	}
}

// TestImportLawBites: each way to break the law is seen, in a house of a leaf that
// has a heavy library, a light one, and a command.
func TestImportLawBites(t *testing.T) {
	for _, c := range []struct {
		what  string
		spoil func(laws, map[string]*folder, map[string][]string)
		want  string
	}{
		{"nothing", func(laws, map[string]*folder, map[string][]string) {}, ""},
		{"code", func(_ laws, h map[string]*folder, _ map[string][]string) { h["leaf"].code["l.org/light"] = true }, "leaf must not import l.org/light"},
		{"tests", func(_ laws, h map[string]*folder, _ map[string][]string) { h["leaf"].tests[module+"/share"] = true }, "the tests of leaf must not import " + module + "/share"},
		{"a command", func(_ laws, h map[string]*folder, _ map[string][]string) { h["."].code["h.org/heavy/v2"] = true }, ". must not import h.org/heavy/v2"},
		{"a command, of what tests share", func(_ laws, h map[string]*folder, _ map[string][]string) { h["."].code[module+"/test/kit"] = true }, ". must not import " + module + "/test/kit"},
		{"a library of tests", func(_ laws, h map[string]*folder, _ map[string][]string) { h["share"].code["t.org/leaks"] = true }, "share must not import t.org/leaks"},
		{"a new package", func(_ laws, h map[string]*folder, _ map[string][]string) { h["new"] = &folder{} }, "package new is not in the law: say what it may import"},
		{"an old package", func(l laws, _ map[string]*folder, _ map[string][]string) { l.tests["old"] = nil }, "the law names package old, which does not exist"},
		{"an idle permission", func(l laws, _ map[string]*folder, _ map[string][]string) {
			l.code["leaf"] = append(l.code["leaf"], "share")
		}, "the law lets leaf import share, and no file does: take that permission away"},
		{"an idle one of tests", func(_ laws, h map[string]*folder, _ map[string][]string) { delete(h["leaf"].tests, module+"/gen") }, "the law lets tests of leaf import gen, and no file does: take that permission away"},
		{"a byway", func(_ laws, _ map[string]*folder, g map[string][]string) {
			g["l.org/light"] = []string{"h.org/heavy/v2/part"}
		}, "h.org/heavy/v2 comes in by " + module + "/share → l.org/light, and not by leaf alone"},
		{"a companion", func(_ laws, _ map[string]*folder, g map[string][]string) { g["l.org/light"] = []string{"n.org/more"} }, "n.org/more comes in by " + module + "/share → l.org/light, and the law does not name it"},
		{"no gate", func(_ laws, _ map[string]*folder, g map[string][]string) { g[module+"/leaf"] = nil }, "h.org/heavy/v2 is to come in by leaf, which does not import it"},
	} {
		l := laws{
			code:     map[string][]string{"leaf": {"h.org/heavy/v2"}, "share": {"l.org/light"}, "gen": {}},
			commands: map[string][]string{".": {}},
			tests:    map[string][]string{"leaf": {"gen"}},
			testing:  []string{"t.org/leaks"},
			heavy:    map[string]string{"h.org/heavy/v2": "leaf"},
		}
		h := map[string]*folder{
			".":     {main: true, code: map[string]bool{module + "/leaf": true}},
			"leaf":  {code: map[string]bool{"h.org/heavy/v2/part": true}, tests: map[string]bool{module + "/gen": true, module + "/leaf": true, "t.org/leaks": true}},
			"share": {code: map[string]bool{"l.org/light": true}},
			"gen":   {},
		}
		g := map[string][]string{
			module:                {module + "/leaf", module + "/share"},
			module + "/leaf":      {"h.org/heavy/v2/part"},
			module + "/share":     {"l.org/light"},
			"h.org/heavy/v2/part": {"its.own/affair"},
		}
		c.spoil(l, h, g)
		if got := strings.Join(append(l.breaches(h), l.byways(g)...), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// breaches says what files import against the law, and which permissions nobody
// uses.
func (l laws) breaches(house map[string]*folder) (found []string) {
	say := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	used := map[string]bool{}
	judge := func(whose, p string, permissions []string) bool {
		by, ok := permission(permissions, p)
		used[whose+by] = used[whose+by] || ok
		return ok
	}
	for _, name := range slices.Sorted(maps.Keys(house)) {
		f := house[name]
		permissions, command := l.commands[name]
		listed := command
		if !command && !f.main {
			permissions, listed = l.code[name]
		}
		free := func(p string) bool {
			return command && ours(p) && p != module+"/cli" && (below("test", name) || !below("test", p))
		}
		if !listed {
			say("package %s is not in the law: say what it may import", name)
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(f.code)) {
			if !judge(name+" ", p, permissions) && !free(p) {
				say("%s must not import %s", name, p)
			}
		}
		for _, p := range slices.Sorted(maps.Keys(f.tests)) {
			if !allows(permissions, p) && p != path.Join(module, name) && !free(p) && !judge("", p, l.testing) && !judge("tests of "+name+" ", p, l.tests[name]) {
				say("the tests of %s must not import %s", name, p)
			}
		}
	}
	idle := func(whose string, permissions []string) {
		for _, p := range permissions {
			if !used[whose+p] {
				say("the law lets %s import %s, and no file does: take that permission away", cmp.Or(strings.TrimSpace(whose), "tests"), p)
			}
		}
	}
	idle("", l.testing)
	for prefix, tables := range map[string][]map[string][]string{"": {l.code, l.commands}, "tests of ": {l.tests}} {
		for _, table := range tables {
			for name, permissions := range table {
				if house[name] == nil {
					say("the law names package %s, which does not exist", name)
					continue
				}
				idle(prefix+name+" ", permissions)
			}
		}
	}
	slices.Sort(found)
	return found
}

// byways says which heavy library comes into a program otherwise than through its
// folder, and what a light one brings along without a word in the law. The graph
// has what each package of any program imports.
func (l laws) byways(graph map[string][]string) (found []string) {
	say := func(format string, a ...any) { found = append(found, fmt.Sprintf(format, a...)) }
	libraries := slices.Sorted(maps.Keys(l.heavy))
	for _, library := range libraries {
		gate, self := l.heavy[library], []string{library}
		if !slices.ContainsFunc(graph[path.Join(module, gate)], func(i string) bool { return allows(self, i) }) {
			say("%s is to come in by %s, which does not import it", library, gate)
		}
		others := slices.DeleteFunc(slices.Clone(libraries), func(a string) bool { return a == library })
		came := walk(graph, func(p string) bool { return p == path.Join(module, gate) || allows(others, p) })
		for _, p := range slices.Sorted(maps.Keys(came)) {
			if allows(self, p) && !allows(self, came[p]) {
				say("%s comes in by %s, and not by %s alone", library, way(came, p), gate)
			}
		}
	}
	named := slices.Concat(slices.Collect(maps.Values(l.code))...)
	named = append(named, slices.Concat(slices.Collect(maps.Values(l.commands))...)...)
	came := walk(graph, func(p string) bool { return allows(libraries, p) })
	for _, p := range slices.Sorted(maps.Keys(came)) {
		if !ours(p) && !allows(named, p) {
			say("%s comes in by %s, and the law does not name it", p, way(came, p))
		}
	}
	return found
}

// walk goes from all packages of the house along what they import, and says from
// where each package was met. It does not go on behind one at which stop is true.
func walk(graph map[string][]string, stop func(string) bool) (from map[string]string) {
	from = map[string]string{}
	var next []string
	for _, p := range slices.Sorted(maps.Keys(graph)) {
		if ours(p) {
			from[p], next = "", append(next, p)
		}
	}
	for ; len(next) > 0; next = next[1:] {
		if stop(next[0]) {
			continue
		}
		for _, i := range graph[next[0]] {
			if _, met := from[i]; !met {
				from[i], next = next[0], append(next, i)
			}
		}
	}
	return from
}

// way says over which packages a walk came to p.
func way(from map[string]string, p string) string {
	steps := []string{p}
	for p = from[p]; p != ""; p = from[p] {
		steps = append(steps, p)
	}
	slices.Reverse(steps)
	return strings.Join(steps[:len(steps)-1], " → ")
}

// ours reports whether a package is one of the house.
func ours(p string) bool { return p == module || strings.HasPrefix(p, module+"/") }

// below reports whether a package of the house, by its folder or its path, stands in
// a folder.
func below(folder, p string) bool {
	return strings.HasPrefix(strings.TrimPrefix(p, module+"/"), folder+"/")
}

// allows reports whether one of the permissions is for a package.
func allows(permissions []string, p string) bool {
	_, ok := permission(permissions, p)
	return ok
}

// permission finds that by which a package may be imported: its own name for one of
// the house, its module or a folder of that for any other.
func permission(permissions []string, p string) (by string, ok bool) {
	if ours(p) {
		by = strings.TrimPrefix(strings.TrimPrefix(p, module), "/")
		return by, slices.Contains(permissions, by)
	}
	for _, a := range permissions {
		if p == a || strings.HasPrefix(p, a+"/") {
			return a, true
		}
	}
	return "", false
}

// readHouse reads what the packages in a folder and below import, but for those
// that are modules of their own.
func readHouse(root string) (map[string]*folder, error) {
	house := map[string]*folder{}
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && file != root {
			_, none := os.Stat(filepath.Join(file, "go.mod"))
			if n := e.Name(); n == "testdata" || n == "node_modules" || strings.ContainsAny(n[:1], "._") || none == nil {
				return fs.SkipDir
			}
		}
		if e.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Dir(file))
		f := house[name]
		if f == nil {
			f = &folder{code: map[string]bool{}, tests: map[string]bool{}}
			house[name] = f
		}
		into := f.code
		if strings.HasSuffix(file, "_test.go") {
			into = f.tests
		} else {
			f.main = parsed.Name.Name == "main"
		}
		for _, i := range parsed.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
				into[p] = true
			}
		}
		return nil
	})
	return house, err
}

// importGraph asks Go what each package of the programs imports, besides the
// standard library.
func importGraph(t *testing.T) (map[string][]string, error) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Standard,Imports", "./...").Output()
	if err != nil {
		return nil, err
	}
	graph := map[string][]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Standard   bool
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return graph, nil
		} else if err != nil {
			return nil, err
		}
		if !p.Standard {
			graph[p.ImportPath] = slices.DeleteFunc(p.Imports, func(i string) bool {
				first, _, _ := strings.Cut(i, "/")
				return !strings.Contains(first, ".")
			})
		}
	}
}
