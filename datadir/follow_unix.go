//go:build unix

package datadir

import "syscall"

// NoFollow lets a file not be opened by way of a link.
const NoFollow = syscall.O_NOFOLLOW
