package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// gather replaces each folder among the files by the files in it, sorted by name. It leaves out
// hidden files, the data folder, the map, and links, because what a link leads to is either in the
// folder already or does not belong there.
func (a *autoImport) gather(data string) error {
	var files []string
	for _, name := range a.files {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.IsDir() {
			files = append(files, name) // a missing file becomes an error when it is opened
			continue
		}
		w := folderWalk{dir: name}
		w.not = append(w.not, data, a.mapFile)
		if err := fs.WalkDir(os.DirFS(name), ".", w.visit); err != nil {
			return err
		}
		files = append(files, w.files...)
		if w.odd > 0 {
			fmt.Fprintf(a.stderr, "%s: %s left out, which may be links\n", name, count(w.odd, "thing that is no file was", "things that are no files were"))
		}
		if len(w.files) == 0 && w.broken == nil {
			w.broken = fmt.Errorf("%w%s: there is no file in this folder", errNotOpened, name)
		}
		a.broken = errors.Join(a.broken, w.broken)
	}
	a.files = files
	return nil
}

// A folderWalk collects the files in a folder.
type folderWalk struct {
	dir    string
	not    []string // files and folders to leave out
	files  []string
	odd    int   // links, pipes, devices
	broken error // errors of folders that are unreadable
}

// visit is an [fs.WalkDirFunc].
func (w *folderWalk) visit(name string, e fs.DirEntry, err error) error {
	full := filepath.Join(w.dir, filepath.FromSlash(name))
	switch {
	case err != nil:
		var of *fs.PathError
		if errors.As(err, &of) {
			err = &fs.PathError{Op: of.Op, Path: full, Err: of.Err}
		}
		w.broken = errors.Join(w.broken, fmt.Errorf("%w%w", errNotOpened, err))
		return fs.SkipDir
	case name != "." && strings.HasPrefix(e.Name(), "."), w.leftOut(full):
		if e.IsDir() {
			return fs.SkipDir
		}
	case e.Type().IsRegular():
		w.files = append(w.files, full)
	case !e.IsDir():
		w.odd++
	}
	return nil
}

// leftOut reports whether a path leads to a file or folder that is to be left out.
func (w *folderWalk) leftOut(full string) bool {
	info, err := os.Lstat(full)
	if err != nil {
		return false
	}
	for _, not := range w.not {
		if other, err := os.Stat(not); err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}
