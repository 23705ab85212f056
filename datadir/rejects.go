package datadir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// maxSamples limits the file of samples, in bytes.
const maxSamples = 8 << 20

// A Samples writes samples of what a source could not read to a file, one JSON object a line, so
// that an operator can see what the sender does. The first sample creates the file. Samples
// beyond its limit are dropped; the source counts them all the same. Its methods may be called
// from many goroutines at once.
type Samples struct {
	folder *os.Root // the data folder
	name   string   // path of the file in folder
	now    func() time.Time

	mu   sync.Mutex
	f    *os.File
	size int64
}

// NewSamples returns the samples of a source; folder is the data folder.
func NewSamples(folder *os.Root, source string, now func() time.Time) *Samples {
	return &Samples{folder: folder, name: filepath.Join(Rejects, "source-"+source+".jsonl"), now: now}
}

type sample struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	Raw    string    `json:"raw"`
}

// Add appends a sample: the bytes, and the cause for which the source did not read them.
func (s *Samples) Add(cause string, raw []byte) {
	b, err := json.Marshal(sample{s.now().UTC(), cause, RawText(raw)})
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil && s.open() != nil {
		return
	}
	if s.size += int64(len(b)) + 1; s.size <= maxSamples {
		_, _ = s.f.Write(append(b, '\n')) // the source counts a lost sample all the same
	}
}

func (s *Samples) open() error {
	if err := s.folder.MkdirAll(filepath.Dir(s.name), 0o700); err != nil {
		return err
	}
	f, err := s.folder.OpenFile(s.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND|NoFollow, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.f, s.size = f, info.Size()
	return nil
}

// Close closes the file. A later sample opens it again.
func (s *Samples) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		_ = s.f.Close()
		s.f = nil
	}
}

// RawText returns b as text. It writes each byte that is not UTF-8 as \x and two hexadecimal
// digits.
func RawText(b []byte) string {
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

// keepRejects is the life of the rejects files of imports. They hold telephone numbers, and an
// operator who mends a record does so soon.
const keepRejects = 30 * 24 * time.Hour

// DeleteRejects deletes the rejects files of imports that are at least 30 days old at the time
// now, and returns how many. It leaves all other files in the folder alone, and goes on after an
// error.
func DeleteRejects(folder *os.Root, now time.Time) (n int, err error) {
	dir, err := folder.Open(Rejects)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	entries, err := dir.ReadDir(-1)
	err = errors.Join(err, dir.Close())
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < keepRejects ||
			!strings.HasPrefix(e.Name(), "import-") || filepath.Ext(e.Name()) != ".jsonl" {
			continue
		}
		if removed := folder.Remove(filepath.Join(Rejects, e.Name())); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
			continue
		}
		n++
	}
	return n, err
}
