package hep

import (
	"encoding/binary"
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// oobSize is the size of the control message with the count of drops, in bytes.
func oobSize() int { return unix.CmsgSpace(4) }

// control asks the kernel for a large buffer, beyond net.core.rmem_max if we have the privilege,
// and for the count of datagrams that it drops. It sets got to the size that the kernel gave, in
// bytes.
func control(got *int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			s := int(fd)
			if unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, wantedBuffer) != nil {
				_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, wantedBuffer)
			}
			n, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF)
			// The kernel doubles the size that it is asked for, for its own needs.
			*got = n / 2
			failed = errors.Join(err, unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1))
		})
		return errors.Join(err, failed)
	}
}

// A dropCounter follows the socket's count of dropped datagrams, which the kernel sends along with
// each datagram that it delivers. The count wraps around.
type dropCounter struct{ last uint32 }

// note reads the control messages of a datagram and returns how many datagrams were dropped since
// the last one.
func (d *dropCounter) note(oob []byte) uint64 {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return 0
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL && len(data) >= 4 {
			now := binary.NativeEndian.Uint32(data)
			n := now - d.last
			d.last = now
			return uint64(n)
		}
		oob = rest
	}
	return 0
}
