package main

import (
	"bytes"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

func TestReport(t *testing.T) {
	var r report
	r.fact("date", "2026-11-23")
	r.add(result{work: "a page", target: "≥ 55 %", measured: "9", yardstick: "a | b", share: "60 %", met: judge(true)})
	r.add(result{work: "another", met: judge(false)})
	r.add(result{work: "a third", met: noClaim})
	r.note("It took %d s.", 5)
	r.missing("nginx", "it is\n\tnot installed")
	r.figures(figures{title: "Rounds", columns: []string{"", "1", "2"}, lines: [][]string{{"x", "1", "2"}, {"y", "3", "4"}}, note: "In seconds."})
	var got bytes.Buffer
	if err := r.write(&got); err != nil {
		t.Fatal(err)
	}
	kit.Golden(t, "testdata/report.md", got.Bytes())
}

func TestPageResult(t *testing.T) {
	m := mode{name: "identity", goal: "≥ 55 %", against: netHTTP, first: 0.55, then: 0.75}
	of := func(rates ...float64) (s []score) {
		for _, r := range rates {
			s = append(s, score{rate: r, p50: 1, p99: 2})
		}
		return s
	}
	r := pageResult(m, 8, map[string][]score{"trunklog": of(50, 60, 70), netHTTP: of(100, 100, 100), nginxName: of(200, 200, 100)})
	if want := "60.0 % of net/http; 30.0 % of nginx"; r.share != want {
		t.Errorf("the share is %q, want %q", r.share, want)
	}
	if want := verdict("first yes, then **no**"); r.met != want {
		t.Errorf("met: %q, want %q", r.met, want)
	}
	if r := pageResult(m, 8, map[string][]score{"trunklog": of(50)}); r.met != noClaim || r.yardstick != "" {
		t.Errorf("without a yardstick: met %q by %q", r.met, r.yardstick)
	}
}
