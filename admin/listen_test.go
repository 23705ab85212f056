package admin

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

func TestListenIsPrivate(t *testing.T) {
	path := place(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after close: %v", err)
	}
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := place(t)
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	unix, _ := dead.(*net.UnixListener)
	unix.SetUnlinkOnClose(false)
	_ = dead.Close()
	if _, err := Dial(t.Context(), path, testVersion); !errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, call.ErrClosed) {
		t.Errorf("dial of a socket without a server: %v", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestListenLeavesOthersAlone(t *testing.T) {
	s := start(t, Handler(nodeOf(storetest.NewModel())))
	if _, err := Listen(s.path); !errors.Is(err, call.ErrInUse) {
		t.Errorf("a server answers: %v", err)
	}
	s.dial(t) // it still does

	dir := filepath.Dir(place(t))
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(s.path, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, dir} {
		if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := Listen(filepath.Join(dir, "none", "admin.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestPathTooLong(t *testing.T) {
	dir := filepath.Dir(place(t))
	path := filepath.Join(dir, strings.Repeat("x", maxPath-len(dir)-1))
	l, err := Listen(path)
	if err != nil {
		t.Fatalf("the longest path: %v", err)
	}
	_ = l.Close()
	path += "x"
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "shorter name") {
		t.Errorf("listen: %v", err)
	}
	// There can be no server, so that the caller opens the folder itself.
	if _, err := Dial(t.Context(), path, testVersion); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "shorter name") {
		t.Errorf("dial: %v", err)
	}
}

func TestDialWithoutServer(t *testing.T) {
	path := place(t)
	if _, err := Dial(t.Context(), path, testVersion); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, call.ErrClosed) {
		t.Errorf("no socket: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), path, testVersion); err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a file: %v", err)
	}
}

func TestVersions(t *testing.T) {
	s := start(t, Handler(Node{Version: "2.0.0", Log: storetest.NewModel()}))
	_, err := Dial(t.Context(), s.path, testVersion)
	for _, part := range []string{"2.0.0", testVersion, "restart"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("another version: %v, want %q", err, part)
		}
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("another version looks like no server: %v", err)
	}
	// So does one whose program has the same version, and other words.
	h := &handler{stamp: "5 " + testVersion, limit: maxRequest, patience: patience}
	_, err = Dial(t.Context(), start(t, h.routes()).path, testVersion)
	for _, part := range []string{"admin protocol 5", "admin protocol " + protocol, "restart"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("another protocol: %v, want %q", err, part)
		}
	}
	// The server does nothing for who does not say the right one.
	conn := connect(t, s.path)
	_, _ = conn.Write(request(pathAsk, appendText([]byte{askState}, "")))
	b := make([]byte, 12)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "HTTP/1.1 409" {
		t.Errorf("answer %q, %v", b, err)
	}
}

// What is there may be anything.
func TestDialSomethingElse(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"another program": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) },
		"not found":       http.NotFound,
		"no frames":       func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(header, stamp(testVersion)) },
		"other status": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, stamp(testVersion))
			w.WriteHeader(http.StatusTeapot)
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, stamp(testVersion))
			_, _ = w.Write([]byte("garbage, and more of it"))
		},
		"more than an end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, stamp(testVersion))
			_, _ = w.Write([]byte(".\x00\x00\x00\x00.\x00\x00\x00\x00"))
		},
		"a row in place of an end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, stamp(testVersion))
			_, _ = w.Write([]byte("r\x00\x00\x00\x00.\x00\x00\x00\x00"))
		},
	} {
		s := start(t, h)
		_, err := Dial(t.Context(), s.path, testVersion)
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", name, err)
		}
		if (name == "another program" || name == "not found") && !strings.Contains(err.Error(), "is not trunklog") {
			t.Errorf("%s: %v", name, err)
		}
		s.kill()
	}
	// Something that speaks no HTTP.
	path := place(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte("SSH-2.0-x\r\n"))
			_ = conn.Close()
		}
	}()
	if _, err := Dial(t.Context(), path, testVersion); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not HTTP: %v", err)
	}
	<-done
	_ = l.Close()
}
