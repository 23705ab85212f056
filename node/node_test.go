package node

import (
	"os"
	"testing"
	"time"
)

// patience is how long what was begun may take.
const patience = time.Minute

// repository is the root of the source.
const repository = ".."

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
