//go:build !linux

package hep

import "syscall"

// oobSize is 0: systems other than Linux do not tell what they drop.
func oobSize() int { return 0 }

// control leaves the socket as it is, and got at 0, which means unknown.
func control(*int) func(network, address string, c syscall.RawConn) error { return nil }

// A dropCounter counts nothing here.
type dropCounter struct{}

func (*dropCounter) note([]byte) uint64 { return 0 }
