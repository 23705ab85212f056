package admin

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPath is the size of sun_path without the zero byte (unix(7)).
const maxPath = 107

// peer returns the user that the process at the other end ran as when it connected (unix(7),
// SO_PEERCRED).
func peer(conn net.Conn) (uid int, ok bool) {
	c, is := conn.(syscall.Conn)
	if !is {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, false
	}
	if err != nil {
		return 0, false
	}
	return int(cred.Uid), true
}

// private sets the mode of a socket before it has a name, so that other users can never connect.
// It ignores an error, because [Listen] sets the mode again.
func private(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
}
