//go:build unix

package cli

import "syscall"

// private sets the umask so that only its owner can read each file of this process, whatever umask
// it started with: the files hold telephone numbers and keys, and libraries make some of them.
func private() { syscall.Umask(0o077) }
