// Package datadir names the places in the data folder: the store, the master key, the
// certificates, the admin socket, and the records that trunklog could not read. Its files are
// readable for their owner alone, it writes each one completely or not at all, and it follows no
// links in the folder. It does not know what the files contain.
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

// Socket returns the path at which the server that owns a data folder listens for commands.
func Socket(data string) string { return filepath.Join(data, "admin.sock") }

// TLS returns the folder of our own CA and of the certificates that it has issued.
func TLS(data string) string { return filepath.Join(data, "tls") }

// Key returns the file of the master key, unless the operator keeps the key elsewhere.
func Key(data string) string { return filepath.Join(data, keyName) }

// Store returns the folder of the store, unless the operator names another one.
func Store(data string) string { return filepath.Join(data, "store") }

const (
	keyName = "master.key"
	// Rejects is the folder of the records that imports and sources could not read.
	Rejects = "rejects"
)

// NoStore returns the error of a command that found no store in dir. Only 'tenant add', 'serve'
// and 'db restore' begin a store: with a misspelled folder, any other command would work on a
// new and empty one.
func NoStore(dir string) error {
	return &NoneError{fmt.Sprintf("there is no store in %s: name the data folder with --data, or begin one with 'trunklog tenant add'", dir)}
}

// A NoneError says that there is no store yet where a command looked for one.
type NoneError struct{ text string }

func (e *NoneError) Error() string { return e.text }

// noFolder returns the error of a data folder that the system did not open.
func noFolder(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &NoneError{fmt.Sprintf("there is no data folder %s: name it with --data, or begin one with 'trunklog tenant add'", dir)}
	}
	return fmt.Errorf("data folder: %w", err)
}

// Same returns an error if the name dir now leads to another folder than the open one.
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

// Make makes sure that the data folder dir exists. If it is missing, Make creates it if create
// is set, and otherwise returns a [NoneError].
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

// storeFolder returns the folder of the store that spec names, or "" if the store is not in a
// folder of this machine. An empty spec names the store in the data folder.
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

// Open opens the data folder dir. It refuses links in place of the certificates and the socket:
// a link may lead to a folder in which other users can write. If dir does not exist, the error is
// a [NoneError].
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

// Warnings returns what an operator should know about the data folder, and about the folder of
// the store that spec names. A store may be a link, because operators have moved stores to other
// disks that way.
func Warnings(data, spec string) []string {
	warnings := OpenToOthers(data, storeFolder(spec, data))
	if info, err := os.Lstat(Store(data)); spec == "" && err == nil && info.Mode().Type() == fs.ModeSymlink {
		warnings = append(warnings, fmt.Sprintf("%s is a link, and may be made to lead elsewhere: name the store's folder with --store pebble:DIR (a bind mount is fine)", Store(data)))
	}
	return warnings
}

// OpenToOthers returns a warning for each folder that users other than its owner can open: the
// folders hold telephone numbers and signing keys. On Windows it returns none, because a mode
// does not show there who can open a folder.
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

// CA returns the file with the certificate of our own CA, for clients to trust.
func CA(data string) string { return filepath.Join(TLS(data), "ca.pem") }

// CAKey returns the file with the private key of that CA.
func CAKey(data string) string { return filepath.Join(TLS(data), "ca.key") }
