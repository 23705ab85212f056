package datadir

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

// TestDeleteRejects: what imports have left is deleted after thirty days, and
// nothing else.
func TestDeleteRejects(t *testing.T) {
	folder, dir := openTestFolder(t)
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	if n, err := DeleteRejects(folder, now); n != 0 || err != nil {
		t.Errorf("without the folder: %d, %v", n, err)
	}
	days := map[string]int{
		"import-20261001T000000Z-1.jsonl": 31, "import-20261031T000000Z-1.jsonl": 30, "import-20261101T000000Z-1.jsonl": 29,
		"source-sbc1.jsonl": 100, "mine.jsonl": 100, "import-notes.txt": 100, "import-folder.jsonl": 100,
	}
	for name, age := range days {
		path := filepath.Join(dir, Rejects, name)
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
	if n, err := DeleteRejects(folder, now); n != 2 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	for name, age := range days {
		_, err := folder.Stat(filepath.Join(Rejects, name))
		if gone := strings.HasPrefix(name, "import-2026") && age >= 30; gone != (err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
