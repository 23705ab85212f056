package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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

// TestRejectsReady: whether there can be a rejects file is found out before
// anything is imported, and leaves nothing behind.
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
	if err := folder.Mkdir(rejectsName, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.ready(); err != nil || left() != " /rejects" {
		t.Errorf("with the folder: %v, and there is %q", err, left())
	}
	// Nobody can write in what is no folder, root neither.
	if err := folder.Remove(rejectsName); err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteFile(rejectsName, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := r.ready()
	if err == nil || !strings.HasPrefix(words(err), "rejects file: there can be none in "+filepath.Join(dir, rejectsName)+": ") ||
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
	if err := folder.Remove(rejectsName); err != nil {
		t.Fatal(err)
	}
	if err := folder.Mkdir(rejectsName, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := r.ready(); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
}

// TestDeleteRejects: what imports have left is deleted after thirty days, and
// nothing else.
func TestDeleteRejects(t *testing.T) {
	folder, dir := openTestFolder(t)
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	if n, err := deleteRejects(folder, now); n != 0 || err != nil {
		t.Errorf("without the folder: %d, %v", n, err)
	}
	days := map[string]int{
		"import-20261001T000000Z-1.jsonl": 31, "import-20261031T000000Z-1.jsonl": 30, "import-20261101T000000Z-1.jsonl": 29,
		"source-sbc1.jsonl": 100, "mine.jsonl": 100, "import-notes.txt": 100, "import-folder.jsonl": 100,
	}
	for name, age := range days {
		path := filepath.Join(dir, rejectsName, name)
		var err error
		if strings.Contains(name, "folder") {
			err = os.MkdirAll(path, 0o700)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		at := now.AddDate(0, 0, -age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := deleteRejects(folder, now); n != 2 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	for name, age := range days {
		_, err := folder.Stat(filepath.Join(rejectsName, name))
		if gone := strings.HasPrefix(name, "import-2026") && age >= 30; gone != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
