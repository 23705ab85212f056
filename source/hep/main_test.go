package hep

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scale multiplies a test's number of tries; see TRUNKLOG_SCALE.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}
