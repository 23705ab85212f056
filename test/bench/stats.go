package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// median returns the middle of v, or the mean of the two in the middle; 0 of
// nothing. It leaves v as it is.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// percentile returns the least value of v that is not exceeded by p percent of
// v (nearest rank); 0 of nothing. It leaves v as it is.
func percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	rank := int(math.Ceil(p * float64(len(s)) / 100))
	return s[min(max(rank, 1), len(s))-1]
}

// ratios returns a[i]/b[i] for every round that both have.
func ratios(a, b []float64) []float64 {
	var out []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			out = append(out, a[i]/b[i])
		}
	}
	return out
}

// perSecond returns n per second of d.
func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// number writes v with three significant digits or as a whole number with
// commas, whichever has more digits.
func number(v float64) string {
	digits := 3
	for _, edge := range []float64{0.9995, 9.995, 99.95} {
		if math.Abs(v) >= edge {
			digits--
		}
	}
	if digits == 0 {
		return commas(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// span writes the median of v with its least and greatest value.
func span(v []float64, unit string) string {
	switch len(v) {
	case 0:
		return "not measured"
	case 1:
		return strings.TrimSpace(number(v[0]) + " " + unit)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", number(median(v)), unit)) + fmt.Sprintf(" (%s–%s)", number(slices.Min(v)), number(slices.Max(v)))
}

func percent(share float64) string {
	if share == 0 {
		return "–"
	}
	return number(share*100) + " %"
}

// sum adds v up.
func sum(v []float64) (all float64) {
	for _, x := range v {
		all += x
	}
	return all
}

// floats returns the numbers of v.
func floats(v []int) []float64 {
	out := make([]float64, len(v))
	for i, n := range v {
		out[i] = float64(n)
	}
	return out
}

// milliseconds returns d with its fraction.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
