package cli

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
)

// A rejectsFile holds the records that could not be read, one JSON object a
// line. It is made when there is one, but not in a dry run.
type rejectsFile struct {
	path     string   // as asked for
	fallback string   // if it was not asked for: in folder, whose name is dir
	folder   *os.Root // the data folder
	dir      string
	dry      bool // keep the first in words, and make no file
	first    []string
	f        *os.File  // what close has to close
	to       io.Writer // nil until there is a reject
	stderr   io.Writer // what /dev/stderr stands for
	now      func() time.Time
	n        int
}

// mostSaid is how many rejects a dry run says.
const mostSaid = 10

// A reject is one line of the file.
type reject struct {
	File   string `json:"file"`
	Line   int64  `json:"line"` // 0 if the record has no line
	Reason string `json:"reason"`
	Raw    string `json:"raw"` // as it was read; what is not UTF-8 is escaped as \x…
}

// stderrName stands for our own stderr, which may be a file that others write to.
const stderrName = "/dev/stderr"

// check refuses a path that is one of the inputs, or the map, or any file that
// is there: nothing is ever written over. A dry run writes nothing.
func (r *rejectsFile) check(stdin io.Reader, inputs []string, mapFile string, dry bool) error {
	switch r.path {
	case "":
		return nil
	case stderrName:
		return nil
	case "-":
		return usage("--rejects -: a file is needed; /dev/stderr is one")
	}
	rejects, _ := os.Stat(r.path) // nil if there is none yet
	if mapFile != "" && sameFile(r.path, rejects, mapFile) {
		return usage("--rejects %s is the map %s: name another file", r.path, mapFile)
	}
	for _, name := range inputs {
		same := false
		if name != "-" {
			same = sameFile(r.path, rejects, name)
		} else if f, ok := stdin.(*os.File); ok {
			info, err := f.Stat()
			same = err == nil && sameData(rejects, info)
		}
		if same {
			return usage("--rejects %s is the input %s: name another file", r.path, name)
		}
	}
	if info, err := os.Lstat(r.path); err == nil && !dry && !isDevice(r.path, info) {
		return usage("--rejects %s is there already, and nothing is written over: name a new file, or remove it", r.path)
	}
	return nil
}

// ready fails if no rejects file can be made where one is made unless told
// otherwise, as where the folder belongs to root because root has imported once.
// An import that finds that out at the first record that it cannot read has lost
// the rest.
func (r *rejectsFile) ready() error {
	if r.dry || r.path != "" {
		return nil
	}
	dir := datadir.Rejects
	if _, err := r.folder.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		dir = "."
	}
	probe := filepath.Join(dir, ".new-"+rand.Text())
	f, err := r.folder.OpenFile(probe, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("rejects file: there can be none in %s: %w; nothing was imported: name another place with --rejects FILE, or give the folder to this user", filepath.Join(r.dir, dir), cause(err))
	}
	return errors.Join(f.Close(), r.folder.Remove(probe))
}

// cause returns what err says of a file without the file's name.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// isDevice reports whether what is at path can be written to again and again: a
// terminal, a pipe, or a link to one that the system itself has made.
func isDevice(path string, info os.FileInfo) bool {
	if dir := filepath.Dir(path); info.Mode().Type() == fs.ModeSymlink && (dir == "/dev" || dir == "/dev/fd") {
		var err error
		if info, err = os.Stat(path); err != nil {
			return false
		}
	}
	return info.Mode().Type()&(fs.ModeDevice|fs.ModeNamedPipe) != 0
}

// open makes the file, or opens the terminal or pipe that was named. A file that
// is there is left as it is, and a link is not followed.
func (r *rejectsFile) open(stderr io.Writer) (io.Writer, error) {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	var err error
	switch r.path {
	case "":
		r.path = filepath.Join(r.dir, r.fallback)
		if err = r.folder.MkdirAll(filepath.Dir(r.fallback), 0o700); err == nil {
			r.f, err = r.folder.OpenFile(r.fallback, flags, 0o600)
		}
		_, _ = datadir.DeleteRejects(r.folder, r.now()) // what stays is tried again by the next import, and by a server
	case stderrName:
		return stderr, nil
	default:
		if info, statErr := os.Lstat(r.path); statErr == nil && isDevice(r.path, info) {
			r.f, err = openDevice(r.path, info)
		} else {
			r.f, err = os.OpenFile(r.path, flags|datadir.NoFollow, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("rejects file: %w", err)
	}
	return r.f, nil
}

// openDevice opens the terminal or pipe at path, of which info was told before.
// By now there may be something else: opening it changes nothing, and nothing is
// written to it. Links of the system itself are followed.
func openDevice(path string, info os.FileInfo) (*os.File, error) {
	flags := os.O_WRONLY
	if info.Mode().Type() == fs.ModeSymlink {
		var err error
		if info, err = os.Stat(path); err != nil {
			return nil, err
		}
	} else {
		flags |= datadir.NoFollow
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && (!os.SameFile(info, opened) || info.Mode().Type() != opened.Mode().Type()) {
		err = fmt.Errorf("%s was replaced while it was being opened: try again", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sameFile reports whether path, of which info is known, and name are one file,
// through whatever links, or would be if there were one.
func sameFile(path string, info os.FileInfo, name string) bool {
	if other, err := os.Stat(name); err == nil {
		return sameData(info, other)
	}
	return filepath.Clean(path) == filepath.Clean(name)
}

// sameData reports whether a, if it is not nil, and b are one file that holds
// data. A terminal may well be read and written.
func sameData(a, b os.FileInfo) bool {
	return a != nil && a.Mode().IsRegular() && os.SameFile(a, b)
}

func (r *rejectsFile) add(file string, e *call.SyntaxError) (err error) {
	if r.dry {
		if r.n++; r.n <= mostSaid {
			r.first = append(r.first, where(file, e.Line)+": "+call.Words(e.Err))
		}
		return nil
	}
	if r.to == nil {
		if r.to, err = r.open(r.stderr); err != nil {
			return err
		}
	}
	r.n++
	b, err := json.Marshal(reject{file, e.Line, call.Words(e.Err), datadir.RawText(e.Raw)})
	if err == nil {
		_, err = r.to.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("rejects file: %w", err)
	}
	return nil
}

// where names a place in a file; a line of 0 is none.
func where(file string, line int64) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s, line %d", file, line)
}

// say says the rejects of a dry run. Their text is not shown, because it may
// hold numbers.
func (r *rejectsFile) say(w io.Writer) {
	for _, text := range r.first {
		fmt.Fprintln(w, text)
	}
	if more := r.n - len(r.first); r.dry && more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
}

func (r *rejectsFile) close() error {
	if r.f == nil {
		return nil
	}
	err := r.f.Sync()
	if info, statErr := r.f.Stat(); statErr == nil && !info.Mode().IsRegular() {
		err = nil // a terminal or a pipe keeps nothing
	}
	return errors.Join(err, r.f.Close())
}
