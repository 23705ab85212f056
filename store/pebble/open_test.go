package pebble

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// refuses checks that Open refuses the store, with the given error and words.
func refuses(t *testing.T, dir string, o Options, target error, words ...string) {
	t.Helper()
	s, err := Open(dir, o)
	if err == nil {
		_ = s.Close()
		t.Fatal("the store was opened")
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("%v, want %v", err, target)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestTwoOwners(t *testing.T) {
	for name, o := range map[string]Options{"memory": testOptions(t, vfs.NewMem()), "disk": testOptions(t, nil)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/store"
			if name == "memory" {
				dir = "store"
			}
			s, err := Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			refuses(t, dir, o, call.ErrInUse, "in use by another process", fmt.Sprint("pid ", os.Getpid()), dir)
			ro := o
			ro.ReadOnly = true
			refuses(t, dir, ro, call.ErrInUse)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = Open(dir+"/", o); err != nil {
				t.Fatalf("open after close: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNewerVersions(t *testing.T) {
	disk := vfs.NewMem()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set([]byte{kindFormat}, []byte("7"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refuses(t, "store", testOptions(t, disk), call.ErrNewer, "format 7", fmt.Sprintf("up to %d", formatVersion), "backup")
	// Opening does not touch such a store, because the file tells of it.
	f, err := disk.Create("store/"+formatName, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(formatText(7))); err != nil {
		t.Fatal(err)
	}
	before := disk.String()
	refuses(t, "store", testOptions(t, disk), call.ErrNewer, "format 7", fmt.Sprintf("up to %d", formatVersion), "backup")
	if now := disk.String(); now != before {
		t.Errorf("a newer store was changed from\n%s\nto\n%s", before, now)
	}
	ro := testOptions(t, disk)
	ro.ReadOnly = true
	refuses(t, "store", ro, call.ErrNewer)

	// A newer Pebble.
	disk = closedStore(t, storetest.Rows(1, 10))
	names, _ := disk.List("store")
	for _, name := range names {
		if strings.HasPrefix(name, "marker.format-version.") {
			if err := disk.Rename("store/"+name, "store/marker.format-version.000099.099"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := disk.Remove("store/" + sealName); err != nil {
		t.Fatal(err)
	}
	refuses(t, "store", testOptions(t, disk), call.ErrNewer, "use that version")

	// A row and a value of a newer version.
	s, err = Open("store", testOptions(t, vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.db.Set(appendRowKey(nil, call.GUID{}, 1, call.GUID{1}), []byte{99}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set(appendStateKey(nil, "x"), []byte{99}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := dump(t, s); !errors.Is(err, call.ErrNewer) {
		t.Errorf("a newer row: %v", err)
	}
	if _, err := call.Values(t.Context(), s, ""); !errors.Is(err, call.ErrNewer) {
		t.Errorf("a newer state: %v", err)
	}
}

func TestStrangeFolders(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refuses(t, dir+"/file", testOptions(t, nil), nil, "it is a file", dir+"/file")
	refuses(t, dir+"/file/below", testOptions(t, nil), nil, "file/below")
	refuses(t, "", testOptions(t, nil), call.ErrInvalid)
	for name, o := range map[string]*pebble.Options{"other merger": {}, "our merger": {Merger: sumMerger()}} {
		other := dir + "/" + name
		o.Logger = &logger{fault: &fault{over: make(chan struct{})}}
		db, err := pebble.Open(other, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Set([]byte("key"), []byte("value"), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		refuses(t, other, testOptions(t, nil), call.ErrInvalid, "another program")
	}
}

// TestFolderTroubles makes the system refuse what opening needs.
func TestFolderTroubles(t *testing.T) {
	for _, c := range []struct {
		err    error
		target error
		words  string
	}{
		{syscall.EROFS, nil, "cannot be written"},
		{syscall.EACCES, nil, "give it to the user"},
		{syscall.ENOSPC, call.ErrFull, "the disk is full; make some room"},
	} {
		refuse := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpMkdirAll {
				return &os.PathError{Op: "open", Path: op.Path, Err: c.err}
			}
			return nil
		})
		refuses(t, "store", testOptions(t, errorfs.Wrap(vfs.NewMem(), refuse)), c.target, c.words, c.err.Error())
	}
}

func TestReadOnly(t *testing.T) {
	rows := storetest.Rows(60, 100)
	disk := closedStore(t, rows)
	o := testOptions(t, disk)
	o.ReadOnly = true
	before := disk.String()
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dump(t, s)
	if err != nil || len(got) != len(rows) {
		t.Errorf("%d rows, %v", len(got), err)
	}
	verifyCheck(t, s)
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows}); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Trim(t.Context(), rows[0].Tenant, rows[0].Start); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("trim: %v", err)
	}
	if err := s.Compact(t.Context()); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("compact: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if now := disk.String(); now != before {
		t.Errorf("a store that was only read has changed from\n%s\nto\n%s", before, now)
	}
	o.FS = vfs.NewMem()
	refuses(t, "store", o, call.ErrNotFound)
}

// A sealedFS is a file system that is mounted to be read only.
type sealedFS struct{ vfs.FS }

func (sealedFS) Lock(name string) (io.Closer, error) {
	return nil, &os.PathError{Op: "open", Path: name, Err: syscall.EROFS}
}

// TestReadOnlyDisk: a store on a read-only disk can be read without a lock, closed in order or not;
// writing is refused with a clear error.
func TestReadOnlyDisk(t *testing.T) {
	rows := storetest.Rows(61, 100)
	running := vfs.NewCrashableMem()
	s, err := Open("store", testOptions(t, running))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	killed := running.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, disk := range map[string]vfs.FS{"closed": running, "killed": killed} {
		refuse := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				return &os.PathError{Op: "open", Path: op.Path, Err: syscall.EROFS}
			}
			return nil
		})
		o := testOptions(t, sealedFS{errorfs.Wrap(disk, refuse)})
		refuses(t, "store", o, syscall.EROFS, "cannot be written")
		o.ReadOnly = true
		s, err := Open("store", o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := dump(t, s); err != nil || len(got) != len(rows) {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpenAfterUncleanCreate opens a folder in which making the store was cut
// off before the format was written.
func TestOpenAfterUncleanCreate(t *testing.T) {
	disk := vfs.NewMem()
	db, err := pebble.Open("store", &pebble.Options{FS: disk, Merger: sumMerger(), Logger: &logger{fault: &fault{over: make(chan struct{})}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

var _ io.Writer = (*syncWriter)(nil)
