package main

import (
	"slices"
	"testing"
	"time"
)

func TestMedianAndPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		v             []float64
		median        float64
		p50, p99, p0  float64
		p100, seventh float64
	}{
		{nil, 0, 0, 0, 0, 0, 0},
		{[]float64{7}, 7, 7, 7, 7, 7, 7},
		{[]float64{3, 1}, 2, 1, 3, 1, 3, 1},
		{[]float64{3, 1, 2}, 2, 2, 3, 1, 3, 1},
		{[]float64{4, 1, 3, 2}, 2.5, 2, 4, 1, 4, 1},
		{hundred, 50.5, 50, 99, 1, 100, 7},
	} {
		before := slices.Clone(c.v)
		for name, p := range map[string][2]float64{
			"median": {median(c.v), c.median},
			"p50":    {percentile(c.v, 50), c.p50},
			"p99":    {percentile(c.v, 99), c.p99},
			"p0":     {percentile(c.v, 0), c.p0},
			"p100":   {percentile(c.v, 100), c.p100},
			"p7":     {percentile(c.v, 7), c.seventh},
		} {
			if p[0] != p[1] {
				t.Errorf("%s of %v is %v, want %v", name, c.v, p[0], p[1])
			}
		}
		if !slices.Equal(before, c.v) {
			t.Errorf("%v was changed to %v", before, c.v)
		}
	}
}

func TestRatios(t *testing.T) {
	if got, want := ratios([]float64{1, 6, 5, 9}, []float64{2, 3, 0}), []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPerSecond(t *testing.T) {
	if got := perSecond(300, 1500*time.Millisecond); got != 200 {
		t.Errorf("300 in 1.5 s are %v a second", got)
	}
	if got := perSecond(300, 0); got != 0 {
		t.Errorf("300 in no time are %v a second", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.000", 0.0004: "0.000", 0.25: "0.250", 0.9996: "1.00", 1.234: "1.23", 9.996: "10.0", 12.34: "12.3", 99.96: "100",
		123.4: "123", 999.6: "1,000", 1234567: "1,234,567", -1234.5: "-1,235", -123456: "-123,456", 0.9993: "0.999", -0.5: "-0.500",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for want, v := range map[string][]float64{
		"not measured":        nil,
		"5.00 ms":             {5},
		"20.0 ms (10.0–40.0)": {20, 10, 40},
	} {
		if got := span(v, "ms"); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
	if got := span([]float64{1, 3}, ""); got != "2.00 (1.00–3.00)" {
		t.Errorf("without a unit: %q", got)
	}
}
