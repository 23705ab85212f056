package pebble

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// tableStore returns a disk with a store of one table and without a seal, the
// name of the table, and what is in it.
func tableStore(t *testing.T) (disk *vfs.MemFS, name string, data []byte) {
	t.Helper()
	disk = vfs.NewMem()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, s, storetest.Rows(50, 6000))
	if err := errors.Join(s.Compact(t.Context()), s.Close(), disk.Remove("store/"+sealName)); err != nil {
		t.Fatal(err)
	}
	names, err := s.opts.FS.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") {
			name = n
		}
	}
	if data, err = readFile(disk, "store/"+name); err != nil {
		t.Fatal(err)
	}
	return disk, name, data
}

// saysWhere checks that an error names the file, and shows no redaction marks.
func saysWhere(t *testing.T, err error, file string, words string) {
	t.Helper()
	var corrupt *call.CorruptError
	if !errors.As(err, &corrupt) || corrupt.File != file || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "×") {
		t.Errorf("%v; want one of %s that says %q", err, file, words)
	}
}

// TestTableDamage opens stores with damaged tables.
func TestTableDamage(t *testing.T) {
	disk, name, data := tableStore(t)
	for words, change := range map[string]func([]byte) []byte{
		"bytes and was written with ": func(b []byte) []byte { return b[:len(b)/2] },
		" and was written with ":      func(b []byte) []byte { return append(b, 0) },
		"footer corrupted":            func(b []byte) []byte { b[len(b)-30] ^= 1; return b },
	} {
		bad := copyFS(t, disk, "store")
		if err := writeFile(bad, "store", name, change(append([]byte{}, data...))); err != nil {
			t.Fatal(err)
		}
		_, err := Open("store", testOptions(t, bad))
		saysWhere(t, err, name, words)
	}
	if err := disk.Remove("store/" + name); err != nil {
		t.Fatal(err)
	}
	_, err := Open("store", testOptions(t, disk))
	saysWhere(t, err, name, "the file is missing")
}

// TestCheckSaysOnce: a check reports a damaged block once, with the number of its file.
func TestCheckSaysOnce(t *testing.T) {
	disk, name, data := tableStore(t)
	data[100] ^= 1
	if err := writeFile(disk, "store", name, data); err != nil {
		t.Fatal(err)
	}
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	if err := s.Check(t.Context(), func(p string) { problems = append(problems, p) }); err != nil {
		t.Error(err)
	}
	all := strings.Join(problems, "\n")
	if strings.Count(all, name) != 1 || !strings.Contains(all, "at offset 0") || strings.Contains(all, "000000") || strings.Contains(all, "×") {
		t.Errorf("check says %s", all)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestOldLogDamage damages each log of a store without a watermark.
func TestOldLogDamage(t *testing.T) {
	disk := vfs.NewMem()
	o := tableless(t, disk, func(string) bool { return true })
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, s, storetest.Rows(71, 2000))
	if err := errors.Join(s.Close(), disk.Remove("store/"+sealName), disk.Remove("store/"+watermarkName)); err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, name := range logsOf(t, disk) {
		bad := copyFS(t, disk, "store")
		data, err := readFile(bad, "store/"+name)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < 100_000 {
			continue
		}
		data[len(data)/2] ^= 1
		if err := writeFile(bad, "store", name, data); err != nil {
			t.Fatal(err)
		}
		if again, err := Open("store", testOptions(t, bad)); err == nil {
			_ = again.Close() // the newest, perhaps
			continue
		} else {
			told++
			saysWhere(t, err, name, "at offset ")
		}
	}
	if told < 2 {
		t.Errorf("%d logs are told of", told)
	}
}
