package sdk

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestJSPages(t *testing.T) {
	t.Parallel()
	needJS(t)
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	s := h.serve(t)
	want := make(map[string]row, len(rows))
	for _, r := range rows {
		want[r.id] = r
	}
	tally := newTally(rows)
	w := s.runJS(t, s.job(h.reader), func(_ int, page []json.RawMessage) {
		for i, line := range page {
			r := parseRow(t, string(line))
			tally.saw(t, r)
			if i%100 == 0 && !reflect.DeepEqual(decode[map[string]any](t, line), want[r.id].properties(t)) {
				t.Errorf("row %s is\n%s, want\n%s", r.id, line, want[r.id].line)
			}
		}
	})
	if w.err != nil {
		t.Fatalf("%+v", *w.err)
	}
	tally.check(t)
	if w.pages != rowCount/pageSize || len(w.wire) != w.pages {
		t.Errorf("%d pages came in %d requests", w.pages, len(w.wire))
	}
	for _, e := range w.wire {
		if e.Status != 200 || e.Encoding == "" {
			t.Errorf("%s was answered by %d, encoding %q", e.URL, e.Status, e.Encoding)
		}
	}
}

func TestJSPagesWhileRowsArrive(t *testing.T) {
	t.Parallel()
	needJS(t)
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	s := h.serve(t)
	arrivals := newArrivals(t, h, rows)
	w := s.runJS(t, s.job(h.reader), func(page int, lines []json.RawMessage) {
		for _, line := range lines {
			arrivals.tally.saw(t, parseRow(t, string(line)))
		}
		arrivals.afterPage(t, page)
	})
	if w.err != nil {
		t.Fatalf("%+v", *w.err)
	}
	fresh := newTally(arrivals.finish(t))
	w = s.runJS(t, s.job(h.reader), func(_ int, lines []json.RawMessage) {
		for _, line := range lines {
			fresh.saw(t, parseRow(t, string(line)))
		}
	})
	if w.err != nil {
		t.Fatalf("%+v", *w.err)
	}
	fresh.check(t)
}

func TestJSCertificateAndBeta(t *testing.T) {
	t.Parallel()
	needJS(t)
	rows := generate(t, 50, 3)
	h := newHouse(t, rows)
	pair := newKeyPair(t)
	certified := h.newClient(t, "certified", "--cert", pair.pem)
	s := h.serve(t)
	j := s.job(certified)
	j.Secret, j.Certificate, j.Version = "", pair.both, "beta"
	var got []string
	w := s.runJS(t, j, func(_ int, lines []json.RawMessage) {
		for _, line := range lines {
			got = append(got, string(line))
		}
	})
	if w.err != nil {
		t.Fatalf("%+v", *w.err)
	}
	if len(got) != len(rows) {
		t.Fatalf("%d rows came, want %d", len(got), len(rows))
	}
	for i, line := range got {
		if !reflect.DeepEqual(decode[map[string]any](t, []byte(line)), decode[map[string]any](t, []byte(rows[i].line))) {
			t.Errorf("row %d is\n%s, want\n%s", i, line, rows[i].line)
		}
	}
}

// The lock files must work with any registry.
func TestLockFileNamesNoRegistry(t *testing.T) {
	for _, file := range []string{"package-lock.json", "m365/package-lock.json", "audiocodes/package-lock.json"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), `"resolved"`) {
			t.Errorf("%s says where packages come from: write it with the .npmrc of this folder", file)
		}
	}
}
