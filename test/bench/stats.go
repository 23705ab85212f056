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
	switch a := math.Abs(v); {
	case a >= 99.95:
		return commas(int64(math.Round(v)))
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

func commas(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	var parts []string
	for len(s) > 3 {
		parts = append(parts, s[len(s)-3:])
		s = s[:len(s)-3]
	}
	parts = append(parts, s)
	slices.Reverse(parts)
	return sign + strings.Join(parts, ",")
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
