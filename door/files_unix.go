//go:build unix

package door

import "syscall"

// Files returns how many files the process may have open at once; 0 if unknown. Go raises its own
// limit as far as it may.
func Files() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), 1<<30)) //nolint:unconvert // it is signed on some systems
}
