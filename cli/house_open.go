package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// storeFolder returns the folder of the store that spec names, empty if it is
// not in a folder of this machine. An empty spec is the one in the data folder.
func storeFolder(spec, data string) string {
	if spec == "" {
		return storePath(data)
	}
	rest, ok := strings.CutPrefix(spec, "pebble:")
	if !ok {
		return ""
	}
	dir, _, _ := strings.Cut(rest, "?")
	return strings.TrimPrefix(dir, "//")
}

// openFolder opens the data folder dir. The certificates and the socket must be in
// it themselves: a link to them may lead to where others can put theirs.
func openFolder(dir string) (*os.Root, error) {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil, noFolder(dir, err)
	}
	for _, path := range []string{tlsPath(dir), socketPath(dir)} {
		if info, err := folder.Lstat(filepath.Base(path)); err == nil && info.Mode().Type() == fs.ModeSymlink {
			err = fmt.Errorf("data folder: %s is a link: put what it leads to in its place (a bind mount is fine), or move it away", path)
			return nil, errors.Join(err, folder.Close())
		}
	}
	return folder, nil
}

// folderWarnings returns what an operator should know of the data folder, and of
// the folder of the store that spec names. A store that is a link is opened, since
// it always was: stores have been put on other disks so.
func folderWarnings(data, spec string) []string {
	warnings := openFolders(data, storeFolder(spec, data))
	if info, err := os.Lstat(storePath(data)); spec == "" && err == nil && info.Mode().Type() == fs.ModeSymlink {
		warnings = append(warnings, fmt.Sprintf("%s is a link, and may be made to lead elsewhere: name the store's folder with --store pebble:DIR (a bind mount is fine)", storePath(data)))
	}
	return warnings
}

// openFolders returns a warning for each of the folders that others than the
// owner can open. There are telephone numbers in them, and the keys with which
// one can sign in. Where a mode says nothing of the kind there is no warning.
func openFolders(dirs ...string) []string {
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

// warning says that others than its owner can read the master key, or nothing. A
// key that is kept apart may be its group's, as where a secret is mounted for a
// process that is not its owner.
func (k keyPlace) warning() string {
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

func (k keyPlace) stat() (fs.FileInfo, error) {
	if k.apart != "" {
		return os.Stat(k.apart)
	}
	return k.folder.Stat(keyName)
}
