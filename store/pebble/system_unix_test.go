//go:build unix

package pebble

import (
	"syscall"
	"time"
)

// cpu is the time that this process has used of the processor.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// taken is how many bytes of the disk a file takes.
func taken(file string) (int64, error) {
	var st syscall.Stat_t
	err := syscall.Stat(file, &st)
	return st.Blocks * 512, err
}
