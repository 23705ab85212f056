package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// law says which packages each package of the house may import besides the
// standard library: a name without a dot is a package of the house, any other
// a module's path, with all below it. A package that is not listed may not
// exist.
//
// Data flows one way: whoever serves calls cannot write them, auth does not
// know that there are calls, leaves do not know each other, and a heavy library
// lives in one folder.
var law = map[string][]string{
	"call":             {},
	"tenant":           {"call"},
	"odata":            {"call"},
	"gen":              {"call"},
	"cert":             {},
	"door":             {},
	"auth":             {"github.com/go-jose/go-jose/v4", "golang.org/x/time", "golang.org/x/sync"},
	"graph":            {"call", "odata", "github.com/klauspost/compress", "golang.org/x/time", "share"},
	"ingest":           {"call", "share", "golang.org/x/sync"},
	"ladder":           {"call"},
	"format":           {"call", "format/archive", "format/graphjson", "format/teams", "format/csv", "format/xlsx", "golang.org/x/text"},
	"format/archive":   {"call", "github.com/klauspost/compress"},
	"format/xlsx":      {"call"},
	"format/graphjson": {"call", "github.com/go-json-experiment/json"},
	"format/teams":     {"call"},
	"format/csv":       {"call", "github.com/goccy/go-yaml", "go.yaml.in/yaml/v3", "golang.org/x/text"},
	"metrics":          {"call", "github.com/prometheus/client_golang"},
	"share":            {"golang.org/x/sync"},
	"sip":              {"call"},
	"sip/siptest":      {"call", "github.com/rogpeppe/go-internal"},
	"source":           {"call", "share", "source/hep", "source/pcap", "source/push"},
	"source/hep":       {"call", "sip", "golang.org/x/net", "golang.org/x/sys"},
	"source/push":      {"call", "github.com/klauspost/compress", "share"},
	"source/pcap":      {"call", "sip"},
	"store":            {"call", "store/pebble"},
	"store/pebble":     {"call", "github.com/cockroachdb/pebble/v2", "github.com/cockroachdb/errors", "github.com/cockroachdb/redact", "golang.org/x/sys"},
	"store/socket":     {"call", "golang.org/x/sys"},
	"store/storetest":  {"call", "pgregory.net/rapid"},
}

const module = "github.com/trunklog/trunklog"

func TestImportLaw(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath, Name string
			Imports          []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Name == "main" {
			continue // commands see everything
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		seen[name] = true
		allowed, listed := law[name]
		if !listed {
			t.Errorf("package %s is not in the law: say what it may import", name)
			continue
		}
		for _, i := range p.Imports {
			if !lawful(i, allowed) {
				t.Errorf("%s must not import %s", name, i)
			}
		}
	}
	for name := range law {
		if !seen[name] {
			t.Errorf("the law names package %s, which does not exist", name)
		}
	}
}

// lawful reports whether an import is of the standard library or allowed.
func lawful(path string, allowed []string) bool {
	if name, ours := strings.CutPrefix(path, module+"/"); ours {
		return slices.Contains(allowed, name)
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return path != module
	}
	return slices.ContainsFunc(allowed, func(a string) bool {
		return path == a || strings.HasPrefix(path, a+"/")
	})
}
