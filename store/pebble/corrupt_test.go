package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// closedStore returns a disk with a store that was closed in order and has
// every kind of file, rows in the log among them.
func closedStore(t *testing.T, rows []call.Row) *vfs.MemFS {
	t.Helper()
	disk := vfs.NewMem()
	for i, part := range [][]call.Row{rows[:len(rows)/2], rows[len(rows)/2:]} {
		o := testOptions(t, disk)
		o.keepLog = i == 1
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		for len(part) > 0 {
			n := min(50, len(part))
			if _, err := s.Write(t.Context(), call.Batch{Rows: part[:n]}); err != nil {
				t.Fatal(err)
			}
			part = part[n:]
		}
		if i == 0 {
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

// damage does one harm to a file and says which.
func damage(t *testing.T, disk vfs.FS, path string, rng *rand.Rand) string {
	t.Helper()
	data, err := readFile(disk, path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		return ""
	}
	at := rng.IntN(len(data))
	var what string
	switch rng.IntN(4) {
	case 0:
		what = fmt.Sprintf("bit %d of byte %d flipped", rng.IntN(8), at)
		data[at] ^= 1 << rng.IntN(8)
	case 1:
		what = fmt.Sprintf("cut to %d bytes", at)
		data = data[:at]
	case 2:
		what = fmt.Sprintf("4 KiB of zeros at %d", at)
		clear(data[at:min(at+4096, len(data))])
	case 3:
		what = fmt.Sprintf("blocks around %d swapped", at)
		half := min(at, len(data)-at)
		half = min(half, 4096)
		a, b := data[at-half:at], data[at:at+half]
		c := bytes.Clone(a)
		copy(a, b)
		copy(b, c)
	}
	f, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return what
}

// TestDamage damages every kind of file of a closed store at random: either all rows come back as
// they were written, or an error names the file.
func TestDamage(t *testing.T) {
	rows := storetest.Rows(50, 600)
	whole := closedStore(t, rows)
	s, err := Open("store", testOptions(t, copyFS(t, whole, "store")))
	if err != nil {
		t.Fatal(err)
	}
	want, err := dump(t, s)
	if err != nil || len(want) != len(rows) {
		t.Fatalf("%d rows, %v", len(want), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := whole.List("store")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 4))
	told, kinds := 0, map[string]int{}
	number := regexp.MustCompile(`\+?49?301234[0-9]{3}`)
	for range storetest.Scale(300) {
		name := names[rng.IntN(len(names))]
		disk := copyFS(t, whole, "store")
		what := damage(t, disk, "store/"+name, rng)
		if what == "" {
			continue
		}
		log, err := damagedOnce(t, disk, want)
		kinds[kindOfFile(name)]++
		if number.MatchString(log) {
			t.Errorf("%s, %s: a telephone number in the log or an error: %s", name, what, log)
		}
		if err == nil {
			continue
		}
		told++
		var corrupt *call.CorruptError
		if !errors.As(err, &corrupt) || corrupt.File == "" {
			t.Errorf("%s, %s: %v; want a CorruptError that names the file", name, what, err)
		} else if corrupt.File != name {
			t.Errorf("%s, %s: the error blames %s: %v", name, what, corrupt.File, err)
		}
	}
	t.Logf("%d harms were told of; files %v", told, kinds)
	if told == 0 {
		t.Error("no harm was noticed at all")
	}
}

func kindOfFile(name string) string {
	name, _, _ = strings.Cut(name, "-")
	if i := strings.LastIndexByte(name, '.'); i >= 0 && !strings.HasPrefix(name, "marker") {
		name = name[i:]
	}
	return name
}

// damagedOnce opens a damaged store and reads it; a read without an error must give all rows. It
// also returns the log.
func damagedOnce(t *testing.T, disk vfs.FS, want []call.Row) (log string, err error) {
	t.Helper()
	var out bytes.Buffer
	o := testOptions(t, disk)
	o.Log = slog.New(slog.NewTextHandler(&syncWriter{w: &out}, nil))
	o.Fatal = nil
	s, err := Open("store", o)
	if err != nil {
		return out.String() + err.Error(), err
	}
	defer func() {
		_ = s.Close() // it may have failed
		log += out.String()
	}()
	rows, err := dump(t, s)
	if err == nil && !sameRows(rows, want) {
		t.Errorf("%d rows came back without an error, and they are not those written (%d)", len(rows), len(want))
	}
	problems := 0
	checkErr := s.Check(t.Context(), func(p string) { problems++; log += p + "\n" })
	if err != nil && problems == 0 && checkErr == nil {
		t.Errorf("check finds nothing where reading says %v", err)
	}
	return log + fmt.Sprint(err), err
}

func sameRows(a, b []call.Row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(&b[i]) {
			return false
		}
	}
	return true
}

// TestCheckFinds plants one fault each in the derived keys.
func TestCheckFinds(t *testing.T) {
	at := time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC)
	r := call.Row{Tenant: call.GUID{1}, ID: call.GUID{2}, Start: at, CorrelationID: call.GUID{3}, UserID: call.GUID{4}, Caller: "+49301", Callee: "+49302***", UserPrincipalName: "Anna@x"}
	start := call.Ticks(at)
	key := func(kind byte) (found []byte) {
		indexKeys(nil, &r, start, func(k []byte) {
			if k[0] == kind {
				found = bytes.Clone(k)
			}
		})
		return found
	}
	orphan := func(kind byte) []byte {
		k := key(kind)
		k[len(k)-1]++
		return k
	}
	day := grains()[0]
	cells := call.Cells(&r)
	cell := func(kind call.CellKind) []byte { return appendCellKey(nil, r.Tenant, &cells[kind]) }
	one := appendSums(nil, &call.Sums{Calls: 1})
	for name, c := range map[string]struct {
		plant func(s *Store) error
		want  string
	}{
		"no id":           {func(s *Store) error { return s.db.Delete(appendIDKey(nil, r.Tenant, r.ID), nil) }, "no entry in the index of ids"},
		"no correlation":  {func(s *Store) error { return s.db.Delete(key(kindCorrelation), nil) }, "no entry in the index of correlation ids"},
		"no user":         {func(s *Store) error { return s.db.Delete(key(kindUser), nil) }, "no entry in the index of users"},
		"no number":       {func(s *Store) error { return s.db.Delete(key(kindNumber), nil) }, "no entry in the index of numbers"},
		"no masked":       {func(s *Store) error { return s.db.Delete(key(kindMasked), nil) }, "no entry in the index of masked numbers"},
		"no name":         {func(s *Store) error { return s.db.Delete(key(kindPrincipal), nil) }, "no entry in the index of principal names"},
		"no shape":        {func(s *Store) error { return s.db.Delete(appendShapeKey(nil, r.Tenant, shape{8, 5}), nil) }, "masked numbers of 8 signs that show 5 digits first"},
		"name too many":   {func(s *Store) error { return s.db.Set(orphan(kindPrincipal), nil, nil) }, "index of principal names of tenant 01000000-0000-0000-0000-000000000000 leads to no row"},
		"number too many": {func(s *Store) error { return s.db.Set(orphan(kindNumber), nil, nil) }, "index of numbers of tenant 01000000-0000-0000-0000-000000000000 leads to no row"},
		"id too many": {func(s *Store) error {
			return s.db.Set(appendIDKey(nil, r.Tenant, call.GUID{9}), appendIDValue(nil, start), nil)
		}, "index of ids of tenant 01000000-0000-0000-0000-000000000000 leads to no row"},
		"wrong id": {func(s *Store) error {
			return s.db.Set(appendIDKey(nil, r.Tenant, r.ID), appendIDValue(nil, start+1), nil)
		}, "wrong entry in the index of ids"},
		"count": {func(s *Store) error {
			return s.db.Merge(appendCountKey(nil, r.Tenant, day, start), appendCount(nil, 1), nil)
		}, "1 rows from 2024-03-10 00:00:00 +0000 UTC on, by the day, but the count says 2"},
		"no count": {func(s *Store) error { return s.db.Delete(appendCountKey(nil, r.Tenant, day, start), nil) }, "by the day, but the count says 0"},
		"cell":     {func(s *Store) error { return s.db.Merge(cell(call.TrunkCell), one, nil) }, "from 2024-03-10 12:00:00 +0000 UTC on, by the trunk: the rows come to {Calls:1 "},
		"no cell":  {func(s *Store) error { return s.db.Delete(cell(call.UserCell), nil) }, "by the user: the rows come to {Calls:1 "},
		"cell too many": {func(s *Store) error {
			return s.db.Merge(appendCellKey(nil, call.GUID{9}, &cells[call.UserCell]), one, nil)
		}, "tenant 09000000-0000-0000-0000-000000000000 has other sums"},
		"bad cell":        {func(s *Store) error { return s.db.Set(cell(call.UserCell), []byte{1, 0x80}, nil) }, "a cell has a value of 2 bytes"},
		"bad key of cell": {func(s *Store) error { return s.db.Set(append(cell(call.UserCell), 0), one, nil) }, "a key of kind 't' has"},
		"no row":          {func(s *Store) error { return s.db.Delete(appendRowKey(nil, r.Tenant, start, r.ID), nil) }, "leads to no row"},
		"bad body":        {func(s *Store) error { return s.db.Set(appendRowKey(nil, r.Tenant, start, r.ID), []byte{1, 2}, nil) }, "make no sense"},
		"newer row":       {func(s *Store) error { return s.db.Set(appendRowKey(nil, r.Tenant, start, r.ID), []byte{200}, nil) }, "newer version"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open("store", testOptions(t, vfs.NewMem()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if _, err := s.Write(t.Context(), call.Batch{Rows: []call.Row{r}}); err != nil {
				t.Fatal(err)
			}
			verifyCheck(t, s)
			if err := c.plant(s); err != nil {
				t.Fatal(err)
			}
			var problems []string
			if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(problems, "\n"); !strings.Contains(text, c.want) || strings.Contains(text, "49301") {
				t.Errorf("check says %q, want %q and no number", text, c.want)
			}
		})
	}
}
