//go:build !linux

package admin

import (
	"net"
	"syscall"
)

// maxPath is what the BSDs and macOS have room for; others have more.
const maxPath = 103

// peer knows nothing here: the mode of the socket has to do.
func peer(net.Conn) (uid int, ok bool) { return 0, false }

func private(_, _ string, _ syscall.RawConn) error { return nil }
