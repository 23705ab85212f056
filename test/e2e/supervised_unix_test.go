//go:build unix

package e2e

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// A boss is a service manager, as far as it is told how a service is.
type boss struct{ *net.UnixConn }

func newBoss(t *testing.T) boss {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", socket)
	return boss{c}
}

// told waits for the next message and checks how it begins and what else it says.
func (b boss) told(t *testing.T, first string, parts ...string) {
	t.Helper()
	_ = b.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatalf("waiting for %s: %v", first, err)
	}
	text := string(buf[:n])
	if !strings.HasPrefix(text, first+"\n") {
		t.Errorf("told %q, want %s first", text, first)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("told %q, want %q in it", text, part)
		}
	}
}

// TestSupervised is a service manager: it is told that the server is ready when it answers, has
// it read its certificates again, is told what is wrong with them, and that it stops.
func TestSupervised(t *testing.T) {
	b := newBoss(t)
	dir := t.TempDir()
	file, key := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	put := func(name string) {
		t.Helper()
		p, err := kit.NewKeyPair(name, nil)
		if err == nil {
			err = p.Write(file, key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("one.example")
	s, err := tryStart(t, filepath.Join(dir, "data"), "--tls-cert", file, "--tls-key", key)
	if err != nil {
		t.Fatal(err)
	}
	b.told(t, "READY=1", "STATUS=serving https://")
	served := func(want string) {
		t.Helper()
		c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at, and nothing is sent
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("serves the certificate of %s, want %s", got, want)
		}
	}
	served("one.example")
	reload := func(parts ...string) {
		t.Helper()
		if err := s.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		b.told(t, "RELOADING=1")
		b.told(t, "READY=1", parts...)
	}
	put("two.example")
	reload("STATUS=serving https://")
	served("two.example")
	if err := os.WriteFile(file, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	reload("reload failed: certificate: the old one stays in use", file)
	served("two.example")
	if err := s.stop(t); err != nil {
		t.Error(err)
	}
	b.told(t, "STOPPING=1")
	for _, said := range []string{"reloaded", `"level":"ERROR","msg":"reload"`} {
		if !strings.Contains(s.Log.String(), said) {
			t.Errorf("the log does not say %s:\n%s", said, s.Log)
		}
	}
}
