//go:build unix

package datadir

import "syscall"

// NoFollow is the flag with which the system refuses to open a link (open(2), O_NOFOLLOW).
const NoFollow = syscall.O_NOFOLLOW
