//go:build !linux

package admin

import (
	"net"
	"syscall"
)

// maxPath is the size of sun_path on the BSDs and macOS without the zero byte; others have more.
const maxPath = 103

// peer returns false: on these systems only the mode of the socket keeps other users out.
func peer(net.Conn) (uid int, ok bool) { return 0, false }

func private(_, _ string, _ syscall.RawConn) error { return nil }
