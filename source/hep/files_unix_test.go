//go:build unix

package hep

import (
	"syscall"
	"testing"
)

// openFiles returns how many files this process may have open.
func openFiles(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 1000 {
		t.Fatalf("only %d files may be open: %v", limit.Cur, err)
	}
	return int(min(limit.Cur, 1<<20))
}
