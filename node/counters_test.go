package node

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/metrics"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/source/push"
)

// counted are the types that hold counts, and the metrics that monitoring reads of each.
var counted = map[string]struct {
	zero any
	show func(v any) metrics.Config
}{
	"auth.Stats": {auth.Stats{}, func(v any) metrics.Config {
		return metrics.Config{Auth: func() metrics.Auth { return authCounts(v.(auth.Stats)) }}
	}},
	"hep.Stats": {hep.Stats{}, func(v any) metrics.Config {
		return countedBy(v.(hep.Stats))
	}},
	"push.Stats": {push.Stats{}, func(v any) metrics.Config {
		return countedBy(v.(push.Stats))
	}},
	"graph.Stats": {graph.Stats{}, func(v any) metrics.Config {
		s := v.(graph.Stats)
		return metrics.Config{Limits: limiting{pages: s}.counts, Injected: func() map[string]uint64 { return injected(s.Injected) }}
	}},
	"door.Stats": {door.Stats{}, func(v any) metrics.Config {
		s := v.(door.Stats)
		return metrics.Config{Limits: limiting{door: s}.counts, Connections: func() int64 { return s.Open }}
	}},
	"ingest.Totals": {ingest.Totals{}, func(v any) metrics.Config {
		return metrics.Config{Rows: func() []metrics.Rows { return []metrics.Rows{rowsOf("x", v.(ingest.Totals))} }}
	}},
	"ingest.HearStats": {ingest.HearStats{}, func(v any) metrics.Config {
		return metrics.Config{Folding: func() metrics.Folding { return foldingCounts(v.(ingest.HearStats)) }}
	}},
}

func countedBy(c call.Counter) metrics.Config {
	return metrics.Config{Sources: func() []metrics.Source { return []metrics.Source{{Name: "x", Counter: c}} }}
}

// uncounted are the counts that monitoring does not read, and why.
var uncounted = map[string]string{
	"call.Stats":              "what is in the store, for db stats",
	"call.TenantStats":        "the same",
	"hep.Stats.Refused.0":     "no cause has this number",
	"hep.Stats.ReceiveBuffer": "a size, which the log tells at the start",
}

// TestEveryCounterHasAMetric sets one count after the other, in every type of the house whose name
// ends in Stats or Totals, and checks that the metrics change.
func TestEveryCounterHasAMetric(t *testing.T) {
	for name, c := range counted {
		v := reflect.New(reflect.TypeOf(c.zero)).Elem()
		before := shownMetrics(t, c.show(c.zero))
		n := 0
		eachCount(v, name, func(field string) {
			n++
			if uncounted[field] == "" && shownMetrics(t, c.show(v.Interface())) == before {
				t.Errorf("%s has no metric", field)
			}
		})
		if n == 0 {
			t.Errorf("%s holds no counts", name)
		}
	}
	for _, name := range countTypes(t) {
		if _, ok := counted[name]; !ok && uncounted[name] == "" {
			t.Errorf("no metrics are made of %s", name)
		}
	}
}

// eachCount sets each number in v to a few seconds or units, calls f, and resets it.
func eachCount(v reflect.Value, name string, f func(name string)) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.CanInt():
		v.SetInt(int64(7 * time.Second))
		f(name)
		v.SetInt(0)
	case v.CanUint():
		v.SetUint(7)
		f(name)
		v.SetUint(0)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			eachCount(v.Field(i), name+"."+v.Type().Field(i).Name, f)
		}
	case v.Kind() == reflect.Map:
		entry := reflect.New(v.Type().Elem()).Elem()
		eachCount(entry, name+".*", func(field string) {
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.Zero(v.Type().Key()), entry)
			f(field)
			v.SetZero()
		})
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			if strings.HasPrefix(name, "push.") && (name == "push.Stats.Rejected") != push.Cause(i).OfRecords() {
				continue // requests and records have causes of their own
			}
			if name == "hep.Stats.Unread" && !hep.Cause(i).Partial() {
				continue // if this fails, nothing of the message is readable
			}
			eachCount(v.Index(i), name+"."+strconv.Itoa(i), f)
		}
	}
}

func shownMetrics(t *testing.T, c metrics.Config) string {
	t.Helper()
	rec := httptest.NewRecorder()
	metrics.New(c).Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	var own strings.Builder
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "trunklog_") {
			own.WriteString(line)
		}
	}
	if rec.Code != http.StatusOK || own.Len() == 0 {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	return own.String()
}

// countTypes returns the types of the house that hold counts by their names, as package.Type.
func countTypes(t *testing.T) (names []string) {
	t.Helper()
	eachNode(t, func(dir string, n ast.Node) {
		s, ok := n.(*ast.TypeSpec)
		if ok && s.Name.IsExported() && (strings.HasSuffix(s.Name.Name, "Stats") || strings.HasSuffix(s.Name.Name, "Totals")) {
			names = append(names, filepath.Base(dir)+"."+s.Name.Name)
		}
	})
	if len(names) < 5 {
		t.Fatal(names)
	}
	return names
}

// eachNode calls f with each node of the program's source.
func eachNode(t *testing.T, f func(dir string, n ast.Node)) {
	t.Helper()
	err := filepath.WalkDir(repository, func(at string, d fs.DirEntry, err error) error {
		path, relErr := filepath.Rel(repository, at)
		err = cmp.Or(err, relErr)
		if err == nil && d.IsDir() && slices.Contains([]string{"gen", "test"}, path) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), at, nil, parser.SkipObjectResolution)
		if err == nil {
			ast.Inspect(file, func(n ast.Node) bool {
				f(filepath.Dir(path), n)
				return true
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// noCounts are atomic numbers that are not counts for monitoring, and why.
var noCounts = map[string]string{
	"cli.written":          "the progress of an import, which its user sees",
	"cli.wrong":            "the same",
	"source/hep.spare":     "how much memory may be taken",
	"store/pebble.durable": "a place in the log",
	"store/pebble.written": "the same",
	"ingest.pieces":        "numbers what the batches of an import have told",
	"tenant.told":          "compared, to see whether something has changed",
}

// TestEveryAtomicIsShown: the result of Stats has every atomic number that is a count.
func TestEveryAtomicIsShown(t *testing.T) {
	fields, shown := map[string]bool{}, map[string]bool{}
	eachNode(t, func(dir string, n ast.Node) {
		switch n := n.(type) {
		case *ast.Field:
			kind := n.Type
			if array, ok := kind.(*ast.ArrayType); ok {
				kind = array.Elt
			}
			if s, ok := kind.(*ast.SelectorExpr); ok && (s.Sel.Name == "Uint64" || s.Sel.Name == "Int64") {
				for _, name := range n.Names {
					fields[dir+"."+name.Name] = true
				}
			}
		case *ast.FuncDecl:
			if strings.HasSuffix(strings.ToLower(n.Name.Name), "stats") || n.Name.Name == "limits" {
				ast.Inspect(n, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						shown[dir+"."+s.Sel.Name] = true
					}
					return true
				})
			}
		}
	})
	if len(fields) < 20 {
		t.Errorf("there are %d", len(fields))
	}
	for name := range fields {
		if shown[name] == (noCounts[name] != "") {
			t.Errorf("%s: shown %v, %q", name, shown[name], noCounts[name])
		}
	}
}

// TestMetricsOfSources: the names, labels, kinds and help of the counts of the sources in the table
// are those in the metrics' golden file, on which dashboards rely.
func TestMetricsOfSources(t *testing.T) {
	golden := read(t, repository+"/metrics/testdata/metrics.txt")
	var measures []call.Measure
	for _, name := range []string{"hep.Stats", "push.Stats"} {
		c, ok := counted[name].zero.(call.Counter)
		if !ok {
			t.Fatalf("%s is no counter", name)
		}
		measures = append(measures, c.Measures()...)
		text := shownMetrics(t, metrics.Config{Sources: func() []metrics.Source { return []metrics.Source{{Name: "sbc1", Counter: c}} }})
		for line := range strings.Lines(golden) {
			series, _, _ := strings.Cut(line, " ")
			metric, _, _ := strings.Cut(series, "{")
			if strings.HasPrefix(metric, "trunklog_"+strings.TrimSuffix(name, ".Stats")) && !strings.Contains(series, "sbc2") && !strings.Contains(text, series+" ") {
				t.Errorf("%s is no more", series)
			}
		}
	}
	for _, m := range measures {
		kind := map[bool]string{true: "gauge", false: "counter"}[m.Gauge]
		if m.Name == "trunklog_hep_unread_total" { // the golden file has no value of it
			continue
		}
		if !strings.Contains(golden, "# HELP "+m.Name+" "+m.Help+"\n# TYPE "+m.Name+" "+kind+"\n") {
			t.Errorf("%s is not as in metrics.txt: %+v", m.Name, m)
		}
	}
}
