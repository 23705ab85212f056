package node

import (
	"os"
	"testing"
	"time"
)

// patience is how long a test waits for anything.
const patience = time.Minute

// repository is the path to the root of the source.
const repository = ".."

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
