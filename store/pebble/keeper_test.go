package pebble

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

func TestStats(t *testing.T) {
	rows := storetest.Rows(70, 400)
	s, err := Open(t.TempDir(), testOptions(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if st, err := s.Stats(t.Context()); err != nil || st.Rows != 0 || len(st.Per) != 0 || st.Format != formatVersion || st.Engine != "pebble" {
		t.Errorf("an empty store: %+v, %v", st, err)
	}
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Rows != 400 || len(st.Per) != 4 || st.Bytes < 400*100 || st.Bytes > 8<<20 {
		t.Errorf("%+v, %v", st, err)
	}
	for i, one := range st.Per {
		var want call.TenantStats
		for _, r := range rows {
			if r.Tenant != one.Tenant {
				continue
			}
			want.Tenant = r.Tenant
			want.Rows++
			if want.Oldest.IsZero() || r.Start.Before(want.Oldest) {
				want.Oldest = r.Start
			}
			if r.Start.After(want.Newest) {
				want.Newest = r.Start
			}
		}
		if one != want {
			t.Errorf("tenant %d: %+v, want %+v", i, one, want)
		}
	}
}

// TestBackup backs up during writes: the copy has everything confirmed before, no part of a batch,
// and is a store of its own.
func TestBackup(t *testing.T) {
	const batches = 60
	rows := storetest.Rows(71, 500)
	dir := t.TempDir()
	o := testOptions(t, nil)
	o.memTable = 64 << 10
	s, err := Open(dir+"/store", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var told ledger
	half := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range batches {
			if _, err := s.Write(t.Context(), batchOf(rows, n)); err != nil {
				t.Error(err)
			}
			told.ack(n)
			if n == batches/2 {
				close(half)
			}
		}
	})
	<-half
	if err := os.MkdirAll(dir+"/backup.partial/rest of one that was killed", 0o700); err != nil {
		t.Fatal(err)
	}
	acked := told.copy()
	if err := s.Backup(t.Context(), dir+"/backup"); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := s.Backup(t.Context(), dir+"/backup"); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("a second backup to the same folder: %v", err)
	}
	names, _ := os.ReadDir(dir)
	if len(names) != 2 {
		t.Errorf("beside store and backup there is more: %v", names)
	}
	if info, err := os.Stat(dir + "/backup"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the backup can be read by others: %v, %v", info.Mode(), err)
	}
	for _, readOnly := range []bool{true, false} {
		o := testOptions(t, nil)
		o.ReadOnly = readOnly
		b, err := Open(dir+"/backup", o)
		if err != nil {
			t.Fatal(err)
		}
		verifyBatches(t, b, rows, batches, acked)
		then, err := b.Latest(t.Context(), rows[0].Tenant)
		now, _ := s.Latest(t.Context(), rows[0].Tenant)
		if err != nil || then.Epoch == now.Epoch || then.Number == 0 || then.Number > now.Number {
			t.Errorf("the backup is at %v, %v; the store at %v", then, err, now)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	verifyBatches(t, s, rows, batches, told.copy())
}

// TestBackupAfterOpening copies a store that was closed in order and has not
// been written to since, also one that has no row.
func TestBackupAfterOpening(t *testing.T) {
	for _, n := range []int{0, 100} {
		fs := vfs.NewMem()
		var want []call.Row
		for _, dir := range []string{"store", "copy", "copy of the copy"} {
			s, err := Open(dir, testOptions(t, fs))
			if err != nil {
				t.Fatal(err)
			}
			if dir == "store" && n > 0 {
				if _, err := s.Write(t.Context(), call.Batch{Rows: storetest.Rows(storetest.Seed(t), n)}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := dump(t, s)
			if dir == "store" {
				want = got
			}
			if err != nil || len(got) != n || !slices.EqualFunc(got, want, func(a, b call.Row) bool { return a.Equal(&b) }) {
				t.Errorf("%s: %d rows of %d, %v", dir, len(got), n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if s, err = Open(dir, testOptions(t, fs)); err != nil {
				t.Fatal(err)
			}
			next := map[string]string{"store": "copy", "copy": "copy of the copy"}[dir]
			if next == "" {
				next = "the last"
			}
			if err := s.Backup(t.Context(), next); err != nil {
				t.Errorf("%s, %d rows: %v", dir, n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestBackupWithoutRoom makes a backup while the store cannot write tables: the copy includes the
// log.
func TestBackupWithoutRoom(t *testing.T) {
	rows := storetest.Rows(73, 300)
	var full atomic.Bool
	o := tableless(t, vfs.NewMem(), func(path string) bool { return full.Load() && strings.HasPrefix(path, "store/") })
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, s, rows[:200])
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	writeAll(t, s, rows[200:])
	done := make(chan error, 1)
	go func() { done <- s.Backup(t.Context(), "copy") }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("backup: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the backup does not end")
		full.Store(false)
		<-done
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = Open("copy", o); err != nil {
		t.Fatal(err)
	}
	if got, err := dump(t, s); err != nil || len(got) != len(rows) {
		t.Errorf("%d rows, %v; want %d", len(got), err, len(rows))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestBackupOfDamage makes no backup of an unreadable store.
func TestBackupOfDamage(t *testing.T) {
	disk := closedStore(t, storetest.Rows(72, 600))
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	tables, err := s.tables()
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	data, err := disk.UnsafeGetFileDataBuffer("store/" + tables[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	err = s.Backup(t.Context(), "backup")
	var corrupt *call.CorruptError
	if !errors.As(err, &corrupt) || corrupt.File != tables[0] {
		t.Errorf("backup of a damaged store: %v; want the file %s", err, tables[0])
	}
	for _, name := range []string{"backup", "backup.partial"} {
		if _, err := disk.Stat(name); err == nil {
			t.Errorf("%s was left", name)
		}
	}
}

// TestCompactGivesBack checks that Compact gives back the space of Trim's deletions.
func TestCompactGivesBack(t *testing.T) {
	rows := storetest.Rows(73, 4000)
	s, err := Open("store", testOptions(t, vfs.NewMem()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	full := s.db.Metrics().Total().TablesSize
	for _, tenant := range storetest.Tenants() {
		if _, err := s.Trim(t.Context(), tenant, call.TimeOf(endOfTime-1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.TrimChanges(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := s.db.Metrics().Total().TablesSize; left > full/50 {
		t.Errorf("%d of %d bytes are left when all rows are gone", left, full)
	}
	verifyCheck(t, s)
}
