//go:build !unix

package pebble

import (
	"os"
	"time"
)

// cpu is not known here: the benchmarks are for Unix.
func cpu() time.Duration { return 0 }

// taken is how long a file is, where its blocks are not known.
func taken(file string) (int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
