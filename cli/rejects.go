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

// A rejectsFile holds the unreadable records, one JSON object a line. The first reject creates it,
// except in a dry run.
type rejectsFile struct {
	path     string   // the value of --rejects; open sets it if that is empty
	fallback string   // default name in folder
	folder   *os.Root // the data folder, opened
	dir      string
	dry      bool // keep the first rejects in words, and make no file
	first    []string
	f        *os.File  // what close must close
	to       io.Writer // nil until there is a reject
	stderr   io.Writer // what /dev/stderr means
	now      func() time.Time
	n        int
}

// mostSaid is how many rejects a dry run prints.
const mostSaid = 10

// A reject is one line of the file.
type reject struct {
	File   string `json:"file"`
	Line   int64  `json:"line"` // 0 if the record has no line
	Reason string `json:"reason"`
	Raw    string `json:"raw"` // as it was read; bytes that are not UTF-8 are escaped as \x…
}

// stderrName means our own stderr, which may be a file to which others write.
const stderrName = "/dev/stderr"

// check refuses a path that is one of the inputs, the map, or any other file that exists, because
// the import never overwrites a file. A dry run writes nothing, so it may name an existing file.
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

// ready returns an error if the import could not create the default rejects file, for example
// because the folder belongs to root since root has imported once. Without this check the first
// unreadable record would end the import, and the rest would be lost.
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

// cause returns err without the name of its file.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// isDevice reports whether the file at path can be written to again and again: a terminal, a pipe,
// or one of the system's own links to one.
func isDevice(path string, info os.FileInfo) bool {
	if dir := filepath.Dir(path); info.Mode().Type() == fs.ModeSymlink && (dir == "/dev" || dir == "/dev/fd") {
		var err error
		if info, err = os.Stat(path); err != nil {
			return false
		}
	}
	return info.Mode().Type()&(fs.ModeDevice|fs.ModeNamedPipe) != 0
}

// open creates the file, or opens the named terminal or pipe. It does not open an existing file or
// follow a link.
func (r *rejectsFile) open(stderr io.Writer) (io.Writer, error) {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	var err error
	switch r.path {
	case "":
		r.path = filepath.Join(r.dir, r.fallback)
		if err = r.folder.MkdirAll(filepath.Dir(r.fallback), 0o700); err == nil {
			r.f, err = r.folder.OpenFile(r.fallback, flags, 0o600)
		}
		_, _ = datadir.DeleteRejects(r.folder, r.now()) // the next import, and a server, try again to delete the rest
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

// openDevice opens the terminal or pipe at path, which info describes. If another file has taken
// its place since, opening it changes nothing, and openDevice returns an error. It follows the
// system's own links.
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

// sameFile reports whether path, which info describes, and name are one file, through any links, or
// would be if path existed.
func sameFile(path string, info os.FileInfo, name string) bool {
	if other, err := os.Stat(name); err == nil {
		return sameData(info, other)
	}
	return filepath.Clean(path) == filepath.Clean(name)
}

// sameData reports whether a, which may be nil, and b are one regular file. One terminal may be
// both input and output.
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

// where names a line of a file; line 0 is the file alone.
func where(file string, line int64) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s, line %d", file, line)
}

// say prints the first rejects of a dry run. It leaves out their raw text, which may hold telephone
// numbers.
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
		err = nil // a terminal or a pipe stores nothing, so its error does not count
	}
	return errors.Join(err, r.f.Close())
}
