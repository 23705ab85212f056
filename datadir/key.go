package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// A KeyPlace is where the master key lies: in the data folder or, if apart is
// not empty, in a file of its own elsewhere.
type KeyPlace struct {
	folder *os.Root
	dir    string // the folder's name, for people
	apart  string
}

// PlaceOfKey returns where the key is of the data folder that was opened as folder, and
// is called dir; apart is empty, or the file in which the key is kept elsewhere.
func PlaceOfKey(folder *os.Root, dir, apart string) KeyPlace { return KeyPlace{folder, dir, apart} }

func (k KeyPlace) String() string {
	if k.apart != "" {
		return k.apart
	}
	return Key(k.dir)
}

// Read returns the key, with fs.ErrNotExist if there is none.
func (k KeyPlace) Read() ([]byte, error) {
	if k.apart != "" {
		return ReadKey(k.apart, os.ReadFile)
	}
	return ReadKey(k.String(), func(string) ([]byte, error) { return k.folder.ReadFile(keyName) })
}

// WriteNew keeps a new key. It fails with fs.ErrExist if there is one.
func (k KeyPlace) WriteNew(b []byte) error {
	if k.apart != "" {
		return WriteNew(k.apart, b)
	}
	return WriteNewIn(k.folder, keyName, b)
}

// ReadKey returns the key in the file path, which read reads.
func ReadKey(path string, read func(string) ([]byte, error)) ([]byte, error) {
	key, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("master key: %s has %d bytes, 32 are needed: restore it from a backup, because without it no client of this store can sign in", path, len(key))
	}
	return key, nil
}

// Warning says that others than its owner can read the master key, or nothing. A
// key that is kept apart may be its group's, as where a secret is mounted for a
// process that is not its owner.
func (k KeyPlace) Warning() string {
	info, err := k.stat()
	others := fs.FileMode(0o077)
	if k.apart != "" {
		others = 0o007
	}
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&others == 0 {
		return ""
	}
	return fmt.Sprintf("others than its owner can read %s (mode %#o), and with it and the store sign in as anybody: run chmod 600 on it", k, info.Mode().Perm())
}

func (k KeyPlace) stat() (fs.FileInfo, error) {
	if k.apart != "" {
		return os.Stat(k.apart)
	}
	return k.folder.Stat(keyName)
}
