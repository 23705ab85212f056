package main

import (
	"strings"
	"testing"
)

// What cannot be measured is said in words before anything is.
func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"-only page,look-ups":  "",
		"-only page,lookups":   `there is no "lookups"; known are postgres, page`,
		"-only page,,number":   `there is no ""`,
		"-rows 10":             "at least 5,000 rows",
		"-rows 5000 somewhere": "no arguments",
	} {
		var usage strings.Builder
		c, err := parse(strings.Fields(args), &usage)
		switch {
		case want == "" && (err != nil || len(c.only) != 2):
			t.Errorf("%s: %v, %v", args, c.only, err)
		case want != "" && (err == nil || !strings.Contains(usage.String(), want)):
			t.Errorf("%s: %v, %q; want %q", args, err, &usage, want)
		}
	}
}
