package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/trunklog/trunklog/call"
)

// Listen opens the socket at path. Only the user that this process runs as can use it: its mode is
// 0600, and on Linux the listener also turns away every user but that one and root. It admits root
// because root could become that user.
//
// Listen removes a socket that a dead server has left behind. If a server answers there the error
// wraps [call.ErrInUse]; Listen leaves any other file alone and fails. It does not keep apart two
// servers that start at the same moment: in the data folder the engine's lock does.
//
// Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) {
	if err := tooLong(path); err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	config := net.ListenConfig{Control: private}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("admin socket: %w", err), l.Close())
	}
	return &listener{Listener: l, uid: os.Geteuid()}, nil
}

// removeStale removes the socket at path if no server answers on it.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and not a socket: move it away", path)
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("a server answers on %s: %w", path, call.ErrInUse)
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// A listener turns away all users but uid and root.
type listener struct {
	net.Listener
	uid int
}

// refusal is the answer to any other user.
const refusal = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 32\r\n\r\n" +
	"the server runs as another user\n"

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, ok := peer(conn); !ok || uid == l.uid || uid == 0 {
			return conn, nil
		}
		_, _ = conn.Write([]byte(refusal)) // it fits into the socket's buffer
		_ = conn.Close()
	}
}
