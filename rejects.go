package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// A rejectsFile holds the records that could not be read, one JSON object a
// line. It is made when there is one, but not in a dry run.
type rejectsFile struct {
	path     string // as asked for
	fallback string // if it was not asked for
	dry      bool   // keep the first in words, and make no file
	first    []string
	f        *os.File
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

// check refuses a path that is one of the inputs, or the map: it would be
// emptied while it is read, and then never end.
func (r *rejectsFile) check(stdin io.Reader, inputs []string, mapFile string) error {
	switch r.path {
	case "":
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
	return nil
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
			r.first = append(r.first, where(file, e.Line)+": "+words(e.Err))
		}
		return nil
	}
	if r.f == nil {
		if r.path == "" {
			r.path = r.fallback
			if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
				return fmt.Errorf("rejects file: %w", err)
			}
		}
		if r.f, err = os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return fmt.Errorf("rejects file: %w", err)
		}
	}
	r.n++
	b, err := json.Marshal(reject{file, e.Line, words(e.Err), rawText(e.Raw)})
	if err == nil {
		_, err = r.f.Write(append(b, '\n'))
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

// rawText returns b as text from which the bytes can be had again.
func rawText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&s, `\x%02x`, b[0])
		} else {
			s.WriteRune(r)
		}
		b = b[n:]
	}
	return s.String()
}

func (r *rejectsFile) close() error {
	if r.f == nil {
		return nil
	}
	return errors.Join(r.f.Sync(), r.f.Close())
}
