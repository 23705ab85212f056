package csv

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// FuzzMap gives any bytes to the reader of maps: each is a map or an error.
func FuzzMap(f *testing.F) {
	for _, pattern := range []string{"testdata/*.map", "maps/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := Open(in, nil); err != nil && !errors.Is(err, call.ErrInvalid) {
			t.Error(err)
		}
	})
}

// FuzzDuration gives any text to the reader of durations: each is a possible duration of a call, or
// an error.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"490", "1:02:03.5", "1.02:03:04", "1 day, 2:03:04", "PT1H2M3S", "1h 2m 3s", "5:07", "-1"} {
		f.Add(s, "")
		f.Add(s, "m:s")
	}
	f.Fuzz(func(t *testing.T, s, unit string) {
		if s == "" {
			return
		}
		if d, err := parseDuration(s, unit); err == nil && d < 0 {
			t.Errorf("%q in %q is %v", s, unit, d)
		}
	})
}
