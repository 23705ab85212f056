package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
)

// TestRejectsReady: ready reports before the import whether a rejects file can be created, and
// leaves nothing behind.
func TestRejectsReady(t *testing.T) {
	folder, dir := openTestFolder(t)
	r := &rejectsFile{folder: folder, dir: dir}
	left := func() string {
		t.Helper()
		var names []string
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			names = append(names, strings.TrimPrefix(path, dir))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	if err := r.ready(); err != nil || left() != "" {
		t.Errorf("without the folder: %v, and there is %q", err, left())
	}
	if err := folder.Mkdir(datadir.Rejects, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.ready(); err != nil || left() != " /rejects" {
		t.Errorf("with the folder: %v, and there is %q", err, left())
	}
	// No user, not even root, can create a file in what is no folder.
	if err := folder.Remove(datadir.Rejects); err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteFile(datadir.Rejects, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.ready()
	if err == nil || !strings.HasPrefix(call.Words(err), "rejects file: there can be none in "+filepath.Join(dir, datadir.Rejects)+": ") ||
		!strings.Contains(err.Error(), "nothing was imported: name another place with --rejects FILE") {
		t.Error(err)
	}
	for _, without := range []*rejectsFile{{folder: folder, dry: true}, {folder: folder, path: "elsewhere"}} {
		if err := without.ready(); err != nil {
			t.Error(err)
		}
	}
	if os.Geteuid() == 0 {
		return
	}
	if err := folder.Remove(datadir.Rejects); err != nil {
		t.Fatal(err)
	}
	if err := folder.Mkdir(datadir.Rejects, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := r.ready(); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
}

func openTestFolder(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	folder, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return folder, dir
}
