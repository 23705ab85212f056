package admin

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trunklog/trunklog/store/storetest"
)

func TestPeer(t *testing.T) {
	path := place(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := connect(t, path)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if uid, ok := peer(conn); !ok || uid != os.Geteuid() {
		t.Errorf("the peer is %d, %v", uid, ok)
	}
	_ = client.Close()
	a, b := net.Pipe() // tells nothing
	if uid, ok := peer(a); ok {
		t.Errorf("the peer of a pipe is %d", uid)
	}
	_, _ = a.Close(), b.Close()
}

// The mode is there from the beginning: the system gives the socket's name the
// mode of the socket.
func TestPrivateFromTheBeginning(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := place(t)
	config := net.ListenConfig{Control: private}
	l, err := config.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// Even where the mode lets others in they are turned away. A server that runs
// as nobody stands for the other user; root can connect as nobody.
func TestOthersAreTurnedAway(t *testing.T) {
	const nobody = 65534
	path := place(t)
	inner, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	own, _ := inner.(*listener)
	connectAs := os.Geteuid()
	if connectAs == 0 {
		connectAs = nobody
	} else {
		own.uid = nobody
	}
	for _, name := range []string{path, filepath.Dir(path)} {
		if err := os.Chmod(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	srv := &http.Server{Handler: Handler(nodeOf(storetest.NewModel()))}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(own) }()
	if got := readAs(t, path, connectAs); !strings.HasPrefix(got, "HTTP/1.1 403 ") || !strings.HasSuffix(got, "\r\n\r\nthe server runs as another user\n") {
		t.Errorf("another user reads %q", got)
	}
	if os.Geteuid() != 0 {
		if _, err := Dial(t.Context(), path, testVersion); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run this as the user") {
			t.Errorf("dial: %v", err)
		}
		own.uid = os.Geteuid()
	}
	s, err := Dial(t.Context(), path, testVersion)
	if err != nil {
		t.Fatalf("the same user: %v", err)
	}
	_ = s.Close()
	_ = srv.Close()
	<-done
}

// readAs connects as another user and reads until the end.
func readAs(t *testing.T, path string, uid int) string {
	t.Helper()
	out := make(chan string, 1)
	go func() {
		// Who a thread is belongs to the thread. It ends with this goroutine,
		// because it is not unlocked.
		runtime.LockOSThread()
		got := ""
		defer func() { out <- got }()
		if uid != os.Geteuid() {
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
				got = errno.Error()
				return
			}
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			got = err.Error()
			return
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			got = err.Error()
			return
		}
		b := make([]byte, 4096)
		for {
			n, err := unix.Read(fd, b)
			if n <= 0 || err != nil {
				return
			}
			got += string(b[:n])
		}
	}()
	return wait(t, out, "an answer for another user")
}
