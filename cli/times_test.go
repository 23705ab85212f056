package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestWhen: when reads all forms in the help. A time without a zone is in the zone in which the
// command shows times.
func TestWhen(t *testing.T) {
	berlin, err := location("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 10, 30, 0, 0, time.UTC) // the day on which summer time begins in Berlin
	for _, c := range []struct {
		in         string
		utc, local string // the result where the zone is UTC, and Berlin; "" for the same
	}{
		{"now", "2026-03-29T10:30:00Z", ""},
		{"today", "2026-03-29T00:00:00Z", "2026-03-28T23:00:00Z"},
		{"Yesterday", "2026-03-28T00:00:00Z", "2026-03-27T23:00:00Z"},
		{"2026-11-01", "2026-11-01T00:00:00Z", "2026-10-31T23:00:00Z"},
		{"2026-11", "2026-11-01T00:00:00Z", "2026-10-31T23:00:00Z"},
		{"2026-11-01T08:00Z", "2026-11-01T08:00:00Z", ""},
		{"2026-11-01t08:00z", "2026-11-01T08:00:00Z", ""},
		{"2026-11-01 08:00", "2026-11-01T08:00:00Z", "2026-11-01T07:00:00Z"},
		{"2026-07-01T08:00:30.5", "2026-07-01T08:00:30.5Z", "2026-07-01T06:00:30.5Z"},
		{"2026-11-01T08:00:00+05:30", "2026-11-01T02:30:00Z", ""},
		{"2026-11-01T08:00+0530", "2026-11-01T02:30:00Z", ""},
		{"2026-11-01 08:00:00+01", "2026-11-01T07:00:00Z", ""},
		{"2026-11-01 08:00 +01:00", "2026-11-01T07:00:00Z", ""},
		{"2026-11-01 08:00 America/New_York", "2026-11-01T13:00:00Z", ""},
		{"2026-11-01 08:00 UTC", "2026-11-01T08:00:00Z", ""},
		{"-24h", "2026-03-28T10:30:00Z", ""},
		{"-90min", "2026-03-29T09:00:00Z", ""},
		{"-1h30min", "2026-03-29T09:00:00Z", ""},
		{"-1m", "2026-03-29T10:29:00Z", ""},
		{"-1mo", "2026-03-01T10:30:00Z", ""}, // there is no 29 February in 2026
		{"-1d", "2026-03-28T10:30:00Z", "2026-03-28T11:30:00Z"},
		{"-2w", "2026-03-15T10:30:00Z", "2026-03-15T11:30:00Z"},
		{"-1y", "2025-03-29T10:30:00Z", "2025-03-29T11:30:00Z"},
	} {
		if c.local == "" {
			c.local = c.utc
		}
		for in, want := range map[*time.Location]string{time.UTC: c.utc, berlin: c.local} {
			if c.in == "-1mo" && in == berlin {
				want = "2026-03-01T11:30:00Z"
			}
			got, err := when(c.in, now, in)
			if err != nil || got.Format(time.RFC3339Nano) != want || got.Location() != time.UTC {
				t.Errorf("%q in %s is %v, %v, want %s", c.in, in, got, err, want)
			}
		}
	}
	if got, err := when("", now, berlin); err != nil || !got.IsZero() {
		t.Errorf("nothing is %v, %v", got, err)
	}
	for _, bad := range []string{"24h", "-", "--24h", "-forever", "2026", "2026-13", "2026-11-01T25:00", "1m", "noon", "2026-11-01 08:00 Mars/Base", "2026-11-01 UTC"} {
		_, err := when(bad, now, time.UTC)
		if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "yesterday") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := when("24h", now, time.UTC); err == nil || !strings.Contains(err.Error(), "did you mean -24h?") {
		t.Errorf("24h: %v", err)
	}
}

// TestLocation: the names of zones that --zone may have.
func TestLocation(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"UTC":           "12:00 UTC",
		"utc":           "12:00 UTC",
		"Europe/Berlin": "13:00 Europe/Berlin",
		"+05:30":        "17:30 +05:30",
		"-0800":         "04:00 -08:00",
		"+01":           "13:00 +01:00",
	} {
		in, err := location(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := at.In(in).Format("15:04 ") + in.String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, bad := range []string{"", "Berlin", "+25:00", "../etc/passwd", "MEZ"} {
		if in, err := location(bad); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%q is %v, %v", bad, in, err)
		}
	}
}

// TestSayM: sayM warns of an m alone, in a time and in a period.
func TestSayM(t *testing.T) {
	for _, c := range []struct{ value, meaning, want string }{
		{"-90m", "min", "warning: --x -90m: an m alone is a minute here, and a month where periods are given: write -90min, or -90mo for months\n"},
		{"6m", "mo", "warning: --x 6m: an m alone is a month here, and a minute where times are given: write 6mo\n"},
		{"6mo", "mo", ""},
		{"-6min", "min", ""},
		{"-1h5m", "min", ""},
		{"", "mo", ""},
	} {
		var b strings.Builder
		if sayM(&b, "--x", c.value, c.meaning); b.String() != c.want {
			t.Errorf("%q: %q", c.value, b.String())
		}
	}
}
