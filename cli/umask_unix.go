//go:build unix

package cli

import "syscall"

// private lets all that this process makes belong to its user alone, whatever
// the mask is that it was started with: its files hold telephone numbers and
// keys, and not all of them are made by our own code.
func private() { syscall.Umask(0o077) }
