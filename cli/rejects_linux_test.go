package cli

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRejectsDevice: openDevice opens a pipe if it is still the one that was examined, and leaves
// alone a file that has taken its place.
func TestRejectsDevice(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	makePipe := func() os.FileInfo {
		t.Helper()
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // without a reader no process can open the pipe for writing
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { reader.Close() })
		info, err := os.Lstat(pipe)
		if err != nil || !isDevice(pipe, info) {
			t.Fatalf("%v, %v", info, err)
		}
		return info
	}
	info := makePipe()
	f, err := openDevice(pipe, info)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	precious := filepath.Join(dir, "precious")
	for name, put := range map[string]func() error{
		"a link to a file":     func() error { return os.Symlink(precious, pipe) },
		"a link to the device": func() error { return os.Symlink("moved", pipe) },
		"a file":               func() error { return os.Link(precious, pipe) },
		"another pipe":         func() error { makePipe(); return nil },
		"nothing":              func() error { return nil },
	} {
		if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(pipe, filepath.Join(dir, "moved")); err != nil {
			t.Fatal(err)
		}
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if f, err := openDevice(pipe, info); err == nil {
			f.Close()
			t.Errorf("%s in place of the pipe is opened", name)
		}
		if b, err := os.ReadFile(precious); err != nil || string(b) != "precious" {
			t.Errorf("%s: the file is %q, %v", name, b, err)
		}
		if err := os.RemoveAll(pipe); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "moved"), pipe); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || isDevice(link, info) {
		t.Errorf("a link outside of /dev counts as a device: %v", err)
	}
}
