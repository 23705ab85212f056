package pebble

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// openLived returns an open store with logs, tables and a list of tables that
// has more than one record.
func openLived(t *testing.T) (*Store, vfs.FS) {
	t.Helper()
	disk := vfs.NewMem()
	o := testOptions(t, disk)
	o.memTable, o.CacheBytes = 64<<10, 1<<20
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, s, storetest.Rows(70, 600))
	for _, r := range storetest.Rows(71, 3) { // into a log that has just begun, if so
		writeAll(t, s, []call.Row{r})
	}
	return s, disk
}

func problemsOf(t *testing.T, s *Store) string {
	t.Helper()
	var problems []string
	if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
		t.Errorf("check: %v", err)
	}
	return strings.Join(problems, "\n")
}

// TestCheckSeesLostFiles removes each file of an open store in turn, and changes those that Pebble
// does not read again: a check names it.
func TestCheckSeesLostFiles(t *testing.T) {
	s, disk := openLived(t)
	if found := problemsOf(t, s); found != "" {
		t.Fatalf("before: %s", found)
	}
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	current := ""
	for _, m := range s.guard.marks.list() {
		if m.kind == manifestMark {
			current = m.file()
		}
	}
	kinds := map[string]int{}
	for _, name := range names {
		switch name {
		case "LOCK", ownerName, ballastName, formatName:
			continue // they hold nothing that is needed
		}
		if strings.HasPrefix(name, manifestPrefix) && name != current {
			continue // Pebble keeps the one before
		}
		data, err := readFile(disk, "store/"+name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was merged into another meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		harms := []func() error{func() error { return disk.Remove("store/" + name) }}
		if len(data) > 20 {
			harms = append(harms, func() error { return writeFile(disk, "store", name, bytes.Clone(data[:20])) })
		}
		for i, harm := range harms {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			if found := problemsOf(t, s); !strings.Contains(found, name) {
				t.Errorf("%s, harm %d: check says %q", name, i, found)
			}
			if err := writeFile(disk, "store", name, bytes.Clone(data)); err != nil {
				t.Fatal(err)
			}
		}
		kinds[kindOfFile(name)]++
		if found := problemsOf(t, s); found != "" {
			t.Fatalf("%s is back: %s", name, found)
		}
	}
	t.Logf("%v", kinds)
	if kinds[".log"] == 0 || kinds[".sst"] == 0 || kinds["MANIFEST"] == 0 || kinds["OPTIONS"] == 0 {
		t.Errorf("files %v", kinds)
	}
	// The list of tables was replaced, and Pebble wrote to the old file.
	if err := s.Close(); err == nil {
		t.Error("close seals what it has not written")
	}
}

// TestDamageIsNotSealed changes the list of tables of an open store: neither Close nor a backup
// accepts it, and the next start names it.
func TestDamageIsNotSealed(t *testing.T) {
	s, disk := openLived(t)
	found, err := newest(disk, "store")
	if err != nil {
		t.Fatal(err)
	}
	name := found[manifestMark].file()
	harmLastRecord(t, disk, name, newRand(1))
	var corrupt *call.CorruptError
	if err := s.Backup(t.Context(), "copy"); !errors.As(err, &corrupt) || corrupt.File != name {
		t.Errorf("backup: %v", err)
	}
	// The flush of Close may write to the old file, which has no name any more.
	if err := s.Close(); !errors.As(err, &corrupt) || corrupt.File != name {
		t.Errorf("close: %v", err)
	}
	_, err = Open("store", testOptions(t, disk))
	saysWhere(t, err, name, "")
}
