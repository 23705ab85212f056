package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadOnlyFileSystem: a data folder on a file system that is mounted to be
// read only can be looked at, and whoever wants to write is told why not.
func TestReadOnlyFileSystem(t *testing.T) {
	if os.Geteuid() != 0 {
		notMounted(t, "only root may mount")
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	newTenant(t, data, "contoso", contosoID)
	rows := must(t, "", "gen", "--rows", "50", "--from", "2026-10-01", "--to", "2026-11-01")
	must(t, rows, "import", "graph", "--tenant", "contoso", "--data", data, "-")
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		notMounted(t, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		notMounted(t, err)
	}
	const note = " cannot be written: it can only be looked at\n"
	for _, args := range [][]string{{"calls", "list"}, {"calls", "count", "--from", "2026-10"}, {"tenant", "list"}, {"db", "stats"}, {"db", "check"}} {
		out, errs, code := command(t, "", append(args, "--data", data)...)
		if code != 0 || !strings.HasPrefix(errs, data+note) || args[1] != "check" && out == "" {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	for _, args := range [][]string{
		{"import", "graph", "--tenant", "contoso", "-"},
		{"import", "graph", "--tenant", "contoso", "--rejects", filepath.Join(t.TempDir(), "rejects"), "-"},
		{"client", "create", "x"},
	} {
		out, errs, code := command(t, rows, append(args, "--data", data)...)
		if code != 1 || !strings.HasPrefix(errs, data+note) || !strings.Contains(errs, "read-only file system") && !strings.Contains(errs, "for reading only") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errs)
		}
	}
}

// notMounted says that the test proves nothing here; in CI that is a failure.
func notMounted(t *testing.T, why any) {
	t.Helper()
	text := fmt.Sprintf("a folder cannot be mounted to be read only, so that a read-only file system is not proven: %v", why)
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}
