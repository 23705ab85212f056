package pebble

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// logsOf returns the write-ahead logs in the folder.
func logsOf(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	names, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return roleOf(name) != vital || name == "server.log" })
}

// writeAll writes rows in batches that fill several write buffers.
func writeAll(t *testing.T, s *Store, rows []call.Row) {
	t.Helper()
	for batch := range slices.Chunk(rows, 100) {
		if _, err := s.Write(t.Context(), call.Batch{Rows: batch}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCloseLeavesNoLog closes a store in order: everything is in tables, which
// no loss of power takes away, and no log is left on the disk.
func TestCloseLeavesNoLog(t *testing.T) {
	rows := storetest.Rows(70, 3000)
	disk := vfs.NewCrashableMem()
	o := testOptions(t, disk)
	o.memTable = 64 << 10
	// The store must not remove a file that it has not made.
	if err := errors.Join(disk.MkdirAll("store", 0o700), writeFile(disk, "store", "server.log", []byte("not ours"))); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string][]call.Row{"first": rows[:1500], "second": rows[1500:], "nothing written": nil} {
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		writeAll(t, s, write)
		if logs := logsOf(t, disk); len(logs) == 0 {
			t.Fatal("an open store has no log")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if logs := logsOf(t, disk); len(logs) > 0 {
			t.Errorf("%s: %v are left", name, logs)
		}
	}
	if _, err := disk.Stat("store/server.log"); err != nil {
		t.Error(err)
	}
	for _, fs := range []vfs.FS{disk, disk.CrashClone(vfs.CrashCloneCfg{})} {
		o.FS = fs
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := dump(t, s); err != nil || len(got) != len(rows) {
			t.Errorf("%d rows, %v; want %d", len(got), err, len(rows))
		}
		verifyCheck(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCloseKeepsLogs: if the store can write no tables, the contents of memory must stay in the
// logs.
func TestCloseKeepsLogs(t *testing.T) {
	rows := storetest.Rows(71, 3000)
	disk := vfs.NewMem()
	var full atomic.Bool
	o := tableless(t, disk, func(string) bool { return full.Load() })
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, s, rows[:2000])
	full.Store(true)
	writeAll(t, s, rows[2000:])
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if len(logsOf(t, disk)) == 0 {
		t.Error("no log is left, though the tables could not be written")
	}
	if s, err = Open("store", testOptions(t, disk)); err != nil {
		t.Fatal(err)
	}
	if got, err := dump(t, s); err != nil || len(got) != len(rows) {
		t.Errorf("%d rows, %v; want %d", len(got), err, len(rows))
	}
	verifyCheck(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if logs := logsOf(t, disk); len(logs) > 0 {
		t.Errorf("%v are left once there is room", logs)
	}
}
