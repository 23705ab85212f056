package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

// sealName is the file in which a store that was closed in order lists its files: name, size and,
// of all but the tables, a checksum.
//
// Pebble checks every block of its tables, but must take damage at the end of its log or its list
// of tables (MANIFEST) for the trace of a crash, and would go on without the rows. After an orderly
// close there was no crash, and the seal proves it. Opening for writing removes the seal.
const sealName = "SEAL"

// sealHeader begins the file; the last line is the checksum of all before it.
const sealHeader = "trunklog seal 1\n"

// sealed reports whether the seal lists a file: all but empty ones and those that each start
// rewrites.
func sealed(name string) bool {
	switch name {
	case sealName, sealName + ".new", "LOCK", ownerName, ballastName, watermarkName, "lost+found":
		return false
	}
	return true
}

// describe returns the line of the seal for one file.
func describe(fsys vfs.FS, dir, name string) (string, error) {
	path := fsys.PathJoin(dir, name)
	info, err := fsys.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "", nil
	}
	if strings.HasSuffix(name, ".sst") {
		return fmt.Sprintf("%s %d -\n", name, info.Size()), nil
	}
	data, err := readFile(fsys, path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %08x\n", name, len(data), crc32.Checksum(data, castagnoli())), nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func readFile(fsys vfs.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, firstError(err, f.Close())
}

// seal lists the files of dir. It first syncs a table outside of used, such as one that found no
// space, because its contents may not be on the disk.
func seal(fsys vfs.FS, dir string, used []string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	b := bytes.NewBufferString(sealHeader)
	for _, name := range names {
		if !sealed(name) {
			continue
		}
		if strings.HasSuffix(name, ".sst") && !slices.Contains(used, name) {
			if err := syncFile(fsys, fsys.PathJoin(dir, name)); err != nil {
				return err
			}
		}
		line, err := describe(fsys, dir, name)
		if err != nil {
			return err
		}
		b.WriteString(line)
	}
	fmt.Fprintf(b, "%08x\n", crc32.Checksum(b.Bytes(), castagnoli()))
	return writeFile(fsys, dir, sealName, b.Bytes())
}

func syncFile(fsys vfs.FS, path string) error {
	f, err := fsys.Open(path)
	if err != nil {
		return err
	}
	return firstError(f.Sync(), f.Close())
}

// writeFile writes a file atomically and durably.
func writeFile(fsys vfs.FS, dir, name string, data []byte) error {
	path := fsys.PathJoin(dir, name)
	f, err := fsys.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = firstError(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return firstError(d.Sync(), d.Close())
}

// errNoSeal says that there is no readable seal.
var errNoSeal = errors.New("no seal")

// verifySeal compares the files of dir with its seal.
func verifySeal(fsys vfs.FS, dir string) error {
	data, err := readFile(fsys, fsys.PathJoin(dir, sealName))
	if errors.Is(err, fs.ErrNotExist) {
		return errNoSeal
	}
	if err != nil {
		return err
	}
	body := len(data) - 9
	if body < len(sealHeader) || fmt.Sprintf("%08x\n", crc32.Checksum(data[:body], castagnoli())) != string(data[body:]) {
		return fmt.Errorf("%w: %s is damaged", errNoSeal, sealName)
	}
	lines := strings.SplitAfter(string(data[len(sealHeader):body]), "\n")
	for _, want := range lines[:len(lines)-1] {
		name, _, _ := strings.Cut(want, " ")
		have, err := describe(fsys, dir, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil {
			return &call.CorruptError{File: name, Offset: -1, Err: fmt.Errorf("%w; it was there when the store was closed, says %s", errMissing, sealName)}
		}
		if have != want {
			return &call.CorruptError{File: name, Offset: -1, Err: fmt.Errorf(
				"the file is not as it was when the store was closed: %s instead of %s, says %s", details(have), details(want), sealName)}
		}
	}
	return nil
}

// details returns size and checksum from a line of the seal.
func details(line string) string {
	f := strings.Fields(line)
	if len(f) != 3 {
		return "nothing"
	}
	return fmt.Sprintf("%s bytes with checksum %s", f[1], f[2])
}

// breakSeal removes the seal for good.
func breakSeal(fsys vfs.FS, dir string) error {
	if err := fsys.Remove(fsys.PathJoin(dir, sealName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(fsys, dir)
}
