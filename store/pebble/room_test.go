package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A small disk has so many bytes and no more.
type smallDisk struct {
	vfs.FS
	mu   sync.Mutex
	size int64
	hide bool // GetDiskUsage says that there is plenty
}

func (d *smallDisk) used() (sum int64) {
	names, _ := d.FS.List("store")
	for _, name := range names {
		if info, err := d.FS.Stat("store/" + name); err == nil && !info.IsDir() {
			sum += info.Size()
		}
	}
	return sum
}

func (d *smallDisk) resize(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.size = size
}

func (d *smallDisk) room() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.size-d.used(), 0)
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free := uint64(d.room())
	if d.hide {
		free = 1 << 40
	}
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: 1 << 40}, nil
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.file(f), err
}

func (d *smallDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(from, to, c)
	return d.file(f), err
}

func (d *smallDisk) file(f vfs.File) vfs.File {
	if f == nil {
		return nil
	}
	return &smallFile{f, d}
}

type smallFile struct {
	vfs.File
	disk *smallDisk
}

func (f *smallFile) Write(p []byte) (int, error) {
	if f.disk.room() < int64(len(p)) {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func (f *smallFile) Preallocate(int64, int64) error { return syscall.EOPNOTSUPP }

// fillUp writes until there is no room or the store ends, and returns the
// batches that were confirmed.
func fillUp(t *testing.T, s *Store, rows []call.Row, from int) (next int) {
	t.Helper()
	for n := from; n < from+100_000; n++ {
		res, err := s.Write(t.Context(), fillBatch(rows, n))
		if (errors.Is(err, call.ErrFull) || s.fault.cause.Load() != nil) && len(res.Rows) == 0 {
			return n
		}
		if err != nil {
			t.Fatalf("batch %d: %v", n, err)
		}
	}
	t.Fatal("the disk does not get full")
	return 0
}

// fillBatch is batchOf with 32 KiB that cannot be compressed.
func fillBatch(rows []call.Row, n int) call.Batch {
	b := batchOf(rows, n)
	v := make([]byte, 32<<10)
	noise := newRand(uint64(n))
	for i := 0; i < len(v); i += 8 {
		binary.LittleEndian.PutUint64(v[i:], noise.Uint64())
	}
	b.State["fill/"+fmt.Sprint(n)] = v
	return b
}

func TestDiskFull(t *testing.T) {
	rows := storetest.Rows(90, 300)
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("hidden=%v", hidden), func(t *testing.T) {
			mem := vfs.NewMem()
			disk := &smallDisk{FS: mem, size: 6 << 20, hide: hidden}
			o := testOptions(t, disk)
			o.Reserve = 2 << 20
			o.memTable = 256 << 10
			if hidden {
				o.Fatal = func(err error) { t.Logf("the store has ended: %v", err) }
			}
			s, err := Open("store", o)
			if err != nil {
				t.Fatal(err)
			}
			n := fillUp(t, s, rows, 0)
			if hidden && s.fault.cause.Load() != nil {
				// If the file system does not say how much is free, a compaction may take the
				// ballast's space before the log does. Then the store ends, and nothing confirmed
				// is lost.
				_ = s.Close() // it says why
				disk.resize(24 << 20)
				if s, err = Open("store", o); err != nil {
					t.Fatalf("open: %v", err)
				}
				verifyFull(t, s, rows, n)
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				return
			}
			verifyFull(t, s, rows, n)
			// Others give space back: writes go on by themselves.
			disk.resize(12 << 20)
			m := fillUp(t, s, rows, n)
			if s.fault.cause.Load() != nil {
				_ = s.Close()
				return // as above, and the first time was looked at
			}
			if m <= n+5 {
				t.Errorf("with twice the space there was room for %d batches more", m-n)
			}
			verifyFull(t, s, rows, m)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			// A full disk can be opened and read.
			if s, err = Open("store", o); err != nil {
				t.Fatalf("open: %v", err)
			}
			verifyFull(t, s, rows, m)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// verifyFull checks that a full store still has all confirmed batches, and answers.
func verifyFull(t *testing.T, s *Store, rows []call.Row, n int) {
	t.Helper()
	acked := make([]int, n)
	for i := range acked {
		acked[i] = i
	}
	verifyBatches(t, s, rows, n, acked)
	if _, err := dump(t, s); err != nil {
		t.Errorf("a full store is read: %v", err)
	}
}

// tmpfs mounts a file system of 48 MB and returns its folder.
func tmpfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", dir).CombinedOutput(); err != nil {
		why := fmt.Sprintf("a file system of 48 MB cannot be mounted here: %v %s", err, bytes.TrimSpace(out))
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", dir).Run(); err != nil {
			t.Errorf("umount: %v", err)
		}
	})
	return dir
}

// takeAll is another program that fills the disk up to the last byte. What it
// returns gives the space back.
func takeAll(t *testing.T, dir string) (giveBack func()) {
	t.Helper()
	hog, err := os.Create(dir + "/hog")
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for {
		if _, err := hog.Write(block); err != nil {
			break
		}
	}
	return func() {
		t.Helper()
		if err := errors.Join(hog.Close(), os.Remove(dir+"/hog")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRealDiskFull does the same on a real file system of 48 MB.
func TestRealDiskFull(t *testing.T) {
	dir := tmpfs(t)
	o := testOptions(t, nil)
	o.Reserve = 8 << 20
	s, err := Open(dir+"/store", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // before the file system goes
	rows := storetest.Rows(91, 300)
	n := fillUp(t, s, rows, 0)
	giveBack := takeAll(t, dir)
	if _, err := s.Write(t.Context(), fillBatch(rows, n)); !errors.Is(err, call.ErrFull) {
		t.Errorf("write to a disk without a byte: %v", err)
	}
	verifyFull(t, s, rows, n)
	giveBack()
	state := map[string][]byte{}
	for i := range n {
		state[fmt.Sprintf("fill/%d", i)] = nil
	}
	b := s.db.NewBatch() // the operator deletes something, past the reserve
	if err := setState(b, state); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(nil); err != nil {
		t.Fatal(err)
	}
	// What was compacted in the background before the deletion may take the
	// room that is left, and gives it back: then the operator tries again.
	eventually(t, func() bool {
		return s.Compact(t.Context()) == nil
	}, "what was deleted cannot be compacted")
	eventually(t, func() bool {
		_, err := s.Write(t.Context(), fillBatch(rows, n))
		return err == nil
	}, "writes do not go on when there is room again")
	verifyFull(t, s, rows, n+1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenOnFullDisk checks that a disk that was filled while the store was closed does not keep it
// from being read, and that it accepts writes when there is room again.
func TestOpenOnFullDisk(t *testing.T) {
	dir := tmpfs(t)
	o := testOptions(t, nil)
	o.Reserve = 8 << 20
	rows := storetest.Rows(93, 300)
	const n = 5
	s, err := Open(dir+"/store", o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := s.Write(t.Context(), fillBatch(rows, i)); err != nil {
			t.Fatal(err)
		}
	}
	giveBack := func() {}
	for range 3 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		giveBack()
		giveBack = takeAll(t, dir)
		if s, err = Open(dir+"/store", o); err != nil {
			t.Fatalf("open: %v", err)
		}
		verifyFull(t, s, rows, n)
		if _, err := s.Write(t.Context(), fillBatch(rows, n)); !errors.Is(err, call.ErrFull) {
			t.Errorf("write to a disk without a byte: %v", err)
		}
		giveBack()
		giveBack = func() {}
		if _, err := s.Write(t.Context(), fillBatch(rows, n-1)); err != nil {
			t.Errorf("write when there is room again: %v", err)
		}
	}
	verifyFull(t, s, rows, n)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// eventually polls until ok is true.
func eventually(t *testing.T, ok func() bool, or string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal(or)
		}
	}
}

// TestBallast checks that the ballast takes space that is given up at once.
func TestBallast(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t, nil)
	o.Reserve = 8 << 20
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ballast := func() int64 {
		n, err := taken(dir + "/" + ballastName)
		if errors.Is(err, fs.ErrNotExist) {
			return 0
		}
		return n
	}
	if n := ballast(); n < 2<<20 {
		t.Errorf("the ballast takes %d bytes, want 2 MiB", n)
	}
	s.room.ranOut()
	if n := ballast(); n != 0 {
		t.Errorf("the ballast still takes %d bytes", n)
	}
	if _, err := s.Write(t.Context(), call.Batch{Rows: storetest.Rows(92, 1)}); err != nil {
		t.Errorf("write with space enough: %v", err)
	}
	if n := ballast(); n < 2<<20 {
		t.Errorf("the ballast takes %d bytes when there is room again", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := ballast(); n < restingBallast || n >= 2<<20 {
		t.Errorf("the ballast takes %d bytes of a store that is closed", n)
	}
	if s, err = Open(dir, o); err != nil {
		t.Fatal(err)
	}
	if n := ballast(); n < 2<<20 {
		t.Errorf("the ballast takes %d bytes when the store is open again", n)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Bytes > 1<<20 {
		t.Errorf("the ballast is counted as data: %+v, %v", st, err)
	}
	if !strings.Contains(errors.Join(s.room.check(1<<62)).Error(), "kept in reserve") {
		t.Error("a full store does not say what it keeps")
	}
}
