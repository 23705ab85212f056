package datadir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteNew writes a file that only its owner can read, in full or not at all.
// It fails with fs.ErrExist if there is one.
func WriteNew(path string, b []byte) error {
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // nothing is written by it
	return WriteNewIn(folder, filepath.Base(path), b)
}

// WriteNewIn is writeNew in a folder that was opened.
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
	defer func() { _ = folder.Remove(part) }() // it has another name by then
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return folder.Link(part, name)
}
