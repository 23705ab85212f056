// Package datadir knows what lies where in the folder that holds all that a trunklog
// keeps: the store, the master key, the certificates, the admin socket and what could
// not be read. It makes files that their owner alone can read, whole or not at all, and
// follows no links in it. It does not know what is in the files.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Socket is where the server that owns a data folder listens for commands.
func Socket(data string) string { return filepath.Join(data, "admin.sock") }

// TLS is the folder of our own CA and of the certificates that it has issued.
func TLS(data string) string { return filepath.Join(data, "tls") }

// Key is the file with the master key, unless that is kept elsewhere.
func Key(data string) string { return filepath.Join(data, keyName) }

// Store is the folder of the store, unless another one is named.
func Store(data string) string { return filepath.Join(data, "store") }

const (
	keyName = "master.key"
	// Rejects is the folder of what could not be read.
	Rejects = "rejects"
)

// NoStore says that there is nothing yet, and what to do about it. Only 'tenant
// add', 'serve' and 'db restore' begin a store: with a folder that is misspelled,
// any other command would do its work where nobody looks for it.
func NoStore(dir string) error {
	return &NoneError{fmt.Sprintf("there is no store in %s: name the data folder with --data, or begin one with 'trunklog tenant add'", dir)}
}

// A NoneError says that there is no store yet where a command looked for one.
type NoneError struct{ text string }

func (e *NoneError) Error() string { return e.text }

// noFolder returns what is wrong with a data folder that cannot be opened.
func noFolder(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &NoneError{fmt.Sprintf("there is no data folder %s: name it with --data, or begin one with 'trunklog tenant add'", dir)}
	}
	return fmt.Errorf("data folder: %w", err)
}

// Same fails if the name dir leads to another folder by now than the one
// that was opened.
func Same(folder *os.Root, dir string) error {
	opened, err := folder.Stat(".")
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if named, err := os.Stat(dir); err != nil || !os.SameFile(opened, named) {
		return fmt.Errorf("data folder: %s was replaced while it was being opened: try again", dir)
	}
	return nil
}

// Make makes the data folder, or says why it cannot be used.
func Make(dir string, create bool) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("data folder %s is a file", dir)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("data folder: %w", err)
	case !create:
		return noFolder(dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// storeFolder returns the folder of the store that spec names, empty if it is
// not in a folder of this machine. An empty spec is the one in the data folder.
func storeFolder(spec, data string) string {
	if spec == "" {
		return Store(data)
	}
	rest, ok := strings.CutPrefix(spec, "pebble:")
	if !ok {
		return ""
	}
	dir, _, _ := strings.Cut(rest, "?")
	return strings.TrimPrefix(dir, "//")
}

// Open opens the data folder dir. The certificates and the socket must be in
// it themselves: a link to them may lead to where others can put theirs.
func Open(dir string) (*os.Root, error) {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil, noFolder(dir, err)
	}
	for _, path := range []string{TLS(dir), Socket(dir)} {
		if info, err := folder.Lstat(filepath.Base(path)); err == nil && info.Mode().Type() == fs.ModeSymlink {
			err = fmt.Errorf("data folder: %s is a link: put what it leads to in its place (a bind mount is fine), or move it away", path)
			return nil, errors.Join(err, folder.Close())
		}
	}
	return folder, nil
}

// Warnings returns what an operator should know of the data folder, and of
// the folder of the store that spec names. A store that is a link is opened, since
// it always was: stores have been put on other disks so.
func Warnings(data, spec string) []string {
	warnings := OpenToOthers(data, storeFolder(spec, data))
	if info, err := os.Lstat(Store(data)); spec == "" && err == nil && info.Mode().Type() == fs.ModeSymlink {
		warnings = append(warnings, fmt.Sprintf("%s is a link, and may be made to lead elsewhere: name the store's folder with --store pebble:DIR (a bind mount is fine)", Store(data)))
	}
	return warnings
}

// OpenToOthers returns a warning for each of the folders that others than the
// owner can open. There are telephone numbers in them, and the keys with which
// one can sign in. Where a mode says nothing of the kind there is no warning.
func OpenToOthers(dirs ...string) []string {
	var warnings []string
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if dir == "" || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("others than its owner can open %s (mode %#o): run chmod 700 on it", dir, info.Mode().Perm()))
	}
	return warnings
}

// CA is where clients find the certificate of our own CA.
func CA(data string) string { return filepath.Join(TLS(data), "ca.pem") }

// CAKey is where its private key lies.
func CAKey(data string) string { return filepath.Join(TLS(data), "ca.key") }
