//go:build !linux

package kit

import "net"

// Reserve returns a port on loopback that nobody listens on now. Only Linux can
// keep it for the caller.
func Reserve() (port int, release func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
