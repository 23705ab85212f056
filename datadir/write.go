package datadir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteNew writes a file that only its owner can read, completely or not at all. The error wraps
// [fs.ErrExist] if the file exists.
func WriteNew(path string, b []byte) error {
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // the writes have reported their errors
	return WriteNewIn(folder, filepath.Base(path), b)
}

// WriteNewIn is [WriteNew] for the file name in an open folder.
func WriteNewIn(folder *os.Root, name string, b []byte) error {
	part := ".new-" + rand.Text()
	f, err := folder.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			if _, statErr := folder.Lstat(name); statErr == nil {
				return fs.ErrExist
			}
		}
		return err
	}
	defer func() { _ = folder.Remove(part) }() // the link keeps the file
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return folder.Link(part, name)
}
