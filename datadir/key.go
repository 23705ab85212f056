package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// A KeyPlace is the place of the master key: the data folder or, if apart is not empty, a file
// elsewhere.
type KeyPlace struct {
	folder *os.Root
	dir    string // the folder's name, for messages
	apart  string
}

// PlaceOfKey returns the place of the key of an open data folder, whose name is dir. If apart is
// not empty, it names a file elsewhere that holds the key.
func PlaceOfKey(folder *os.Root, dir, apart string) KeyPlace { return KeyPlace{folder, dir, apart} }

func (k KeyPlace) String() string {
	if k.apart != "" {
		return k.apart
	}
	return Key(k.dir)
}

// Read returns the key. The error wraps [fs.ErrNotExist] if there is none.
func (k KeyPlace) Read() ([]byte, error) {
	if k.apart != "" {
		return ReadKey(k.apart, os.ReadFile)
	}
	return ReadKey(k.String(), func(string) ([]byte, error) { return k.folder.ReadFile(keyName) })
}

// WriteNew stores a new key. The error wraps [fs.ErrExist] if there is one already.
func (k KeyPlace) WriteNew(b []byte) error {
	if k.apart != "" {
		return WriteNew(k.apart, b)
	}
	return WriteNewIn(k.folder, keyName, b)
}

// ReadKey calls read for the file path and returns its 32 bytes. Any other length is an error.
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

// Warning returns a warning if users other than its owner can read the master key, else "". The
// group may read a key outside the data folder: a container often mounts a secret for a process
// that does not own it.
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
