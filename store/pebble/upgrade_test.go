package pebble

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestFirstRelease opens stores that the first release wrote, closed in order and killed; from then
// on the files that name their tables are protected.
func TestFirstRelease(t *testing.T) {
	tenant, err := call.ParseGUID("1a2b3c4d-0000-4000-8000-00000000c0de")
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			disk := vfs.NewMem()
			if ok, err := vfs.Clone(vfs.Default, disk, filepath.Join("testdata", "first-release", end), "store"); err != nil || !ok {
				t.Fatal(ok, err)
			}
			for _, readOnly := range []bool{true, false} {
				o := testOptions(t, disk)
				o.ReadOnly, o.Upgrade = readOnly, func(int64, int64) error { return nil }
				s, err := Open("store", o)
				if err != nil {
					t.Fatalf("read only %v: %v", readOnly, err)
				}
				if n, err := s.Count(t.Context(), call.Query{Tenant: tenant}); err != nil || n != 600 {
					t.Errorf("%d rows, %v", n, err)
				}
				verifyLookUps(t, s, tenant)
				verifyCheck(t, s)
				if !readOnly {
					verifyProtected(t, s, disk)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			s, err := Open("store", testOptions(t, disk))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Count(t.Context(), call.Query{Tenant: tenant}); err != nil || n != 600 {
				t.Errorf("%d rows when it is opened again, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// verifyLookUps looks for values of rows that the first release has not fully indexed.
func verifyLookUps(t *testing.T, s *Store, tenant call.GUID) {
	t.Helper()
	find := func(x call.Expr) (rows []call.Row) {
		for r, err := range s.Rows(t.Context(), call.Query{Tenant: tenant, Where: x}) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r.Clone())
		}
		return rows
	}
	rows := find(nil)
	for i := 0; i < len(rows); i += 23 {
		r := &rows[i]
		for _, x := range []call.Expr{
			call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: r.UserPrincipalName},
			call.Or{call.Digits(r.Caller), call.Compare{Field: call.FieldUserPrincipalName, Value: r.UserPrincipalName}},
			call.Digits(r.Caller), call.Digits(strings.ReplaceAll(r.Callee, "*", "1")), call.Digits(r.Callee[:len(r.Callee)/2+1] + "***"),
		} {
			got := find(x)
			want := slices.DeleteFunc(slices.Clone(rows), func(r call.Row) bool { return !x.Match(&r) })
			if !sameRows(got, want) {
				t.Fatalf("%#v finds %d rows, want %d", x, len(got), len(want))
			}
		}
	}
}

// oldStore returns a store of the first format: rows as that release kept them, of
// which some claim another start than the one under which they stand.
func oldStore(t *testing.T, rows []call.Row) *vfs.MemFS {
	t.Helper()
	disk := vfs.NewCrashableMem()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, s, rows)
	n := 0
	makeOld(t, s, func(r *call.Row) {
		if n++; n%5 == 0 {
			r.ClaimedStart = r.Start.Add(time.Duration(n%7-3) * 13 * time.Hour)
		}
	})
	if err := firstError(s.Close(), disk.Remove("store/"+formatName), disk.Remove("store/"+sealName)); err != nil {
		t.Fatal(err)
	}
	return disk
}

// makeOld removes from a store what the first format lacks, and changes the rows by claim, if it is
// not nil. Its files keep their version and their seal.
func makeOld(tb testing.TB, s *Store, claim func(*call.Row)) {
	tb.Helper()
	b := s.db.NewBatch()
	for _, kind := range []byte{kindPrincipal, kindShape, kindTotals, kindEpoch, kindHead, kindChange, kindMove, kindAlias} {
		if err := b.DeleteRange([]byte{kind}, []byte{kind + 1}, nil); err != nil {
			tb.Fatal(err)
		}
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindRow}, UpperBound: []byte{kindRow + 1}})
	if err != nil {
		tb.Fatal(err)
	}
	for ok := claim != nil && it.First(); ok; ok = it.Next() {
		start, id, err := parseRowKey(it.Key())
		if err != nil {
			tb.Fatal(err)
		}
		var r call.Row
		if err := parseBody(&r, tenantOf(it.Key()), start, id, string(it.Value())); err != nil {
			tb.Fatal(err)
		}
		claim(&r)
		if err := b.Set(it.Key(), r.AppendBody(nil), nil); err != nil {
			tb.Fatal(err)
		}
	}
	if err := firstError(it.Close(), b.Set([]byte{kindFormat}, []byte("1"), nil), b.Commit(pebble.Sync)); err != nil {
		tb.Fatal(err)
	}
}

// TestUpgrade upgrades a store of the first format, at one go and interrupted at
// every step of it, by a stop or by a loss of power. It is the same each time.
func TestUpgrade(t *testing.T) {
	rows := storetest.Rows(31, 120)
	tenant := rows[0].Tenant
	upgraded := func(t *testing.T, disk vfs.FS, o Options) []string {
		t.Helper()
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		verifyCheck(t, s)
		if st, err := s.Stats(t.Context()); err != nil || st.Format != formatVersion {
			t.Errorf("format %d, %v", st.Format, err)
		}
		var all []string
		for _, walk := range []call.Version{{}, call.FirstRelease()} {
			for r, err := range s.Rows(t.Context(), call.Query{Tenant: tenant, Walk: walk}) {
				if err != nil {
					t.Fatal(err)
				}
				if !r.ClaimedStart.IsZero() {
					t.Errorf("row %v claims another start", r.ID)
				}
				all = append(all, fmt.Sprint(r.ID, r.Start, r.Place()))
			}
		}
		return append(all, fmt.Sprint(asked(t, s, tenant)))
	}
	options := func(disk vfs.FS, report func(done, total int64) error) Options {
		o := testOptions(t, disk)
		o.upgradeBy, o.Upgrade = 7, report
		return o
	}
	disk := oldStore(t, rows)
	steps := 0
	want := upgraded(t, disk, options(disk, func(int64, int64) error { steps++; return nil }))
	if steps < 20 {
		t.Fatalf("%d steps", steps)
	}
	errStop := errors.New("stopped")
	for stop := range steps - 1 {
		for _, crash := range []bool{false, true} {
			disk := oldStore(t, rows)
			n := 0
			var crashed *vfs.MemFS
			_, err := Open("store", options(disk, func(int64, int64) error {
				if n++; n > stop {
					crashed = disk.CrashClone(vfs.CrashCloneCfg{})
					return errStop
				}
				return nil
			}))
			if err == nil || !errors.Is(err, errStop) {
				t.Fatalf("stopped at step %d: %v", stop, err)
			}
			if crash {
				disk = crashed
			}
			if _, err := Open("store", testOptions(t, disk)); !errors.Is(err, call.ErrOld) {
				t.Errorf("a store that is half upgraded: %v", err)
			}
			if got := upgraded(t, disk, options(disk, func(int64, int64) error { return nil })); !slices.Equal(got, want) {
				t.Errorf("stopped at step %d, crash %v:\n%v\nwant\n%v", stop, crash, got, want)
			}
		}
	}
}

// TestOldFormat opens a store of the first format without upgrading it.
func TestOldFormat(t *testing.T) {
	rows := storetest.Rows(33, 60)
	disk := oldStore(t, rows)
	if _, err := Open("store", testOptions(t, disk)); !errors.Is(err, call.ErrOld) || !strings.Contains(err.Error(), "db upgrade") {
		t.Errorf("without leave to upgrade: %v", err)
	}
	o := testOptions(t, disk)
	o.AsItIs = true
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), call.Batch{Rows: rows[:1]}); err == nil {
		t.Error("it is written to")
	}
	if err := s.Backup(t.Context(), "copy"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	o = testOptions(t, disk)
	o.Upgrade = func(int64, int64) error { return nil }
	c, err := Open("copy", o)
	if err != nil {
		t.Fatal(err)
	}
	verifyCheck(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := checkVersion("3"); !errors.Is(err, call.ErrNewer) {
		t.Errorf("a store of the next format: %v", err)
	}
}

// TestUpgradeNeedsRoom begins nothing on a disk that is too full, or that cannot be
// written.
func TestUpgradeNeedsRoom(t *testing.T) {
	disk := oldStore(t, storetest.Rows(35, 60))
	for name, fs := range map[string]vfs.FS{
		"full": &fullFS{FS: disk, free: 20 << 20},
	} {
		o := testOptions(t, fs)
		o.Reserve, o.Upgrade = 16<<20, func(int64, int64) error { return nil }
		if _, err := Open("store", o); !errors.Is(err, call.ErrFull) || !strings.Contains(err.Error(), "MB") {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := testOptions(t, disk)
	o.AsItIs = true
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Format != 1 {
		t.Errorf("format %d, %v", st.Format, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A fullFS says how much is free.
type fullFS struct {
	vfs.FS
	free uint64
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free, TotalBytes: 1 << 40, UsedBytes: 1<<40 - f.free}, nil
}

// verifyProtected ends the process of an open store, at once and when it has
// written a little, and harms the list of tables each time.
func verifyProtected(t *testing.T, s *Store, disk *vfs.MemFS) {
	t.Helper()
	for _, rows := range [][]call.Row{nil, storetest.Rows(60, 50)} {
		if len(rows) > 0 {
			writeAll(t, s, rows)
		}
		killed := copyFS(t, disk, "store")
		found, err := newest(killed, "store")
		if err != nil {
			t.Fatal(err)
		}
		name := found[manifestMark].file()
		harmLastRecord(t, killed, name, newRand(2))
		_, err = Open("store", testOptions(t, killed))
		saysWhere(t, err, name, "")
	}
}
