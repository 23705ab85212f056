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

// maxSamples is how large the file of samples may become.
const maxSamples = 8 << 20

// A Samples holds samples of what a source could not read, one JSON object a
// line, so that an operator can see what its sender does. It is made when there
// is one. What does not fit is left out: the source counts them all.
type Samples struct {
	folder *os.Root // the data folder
	name   string   // in it
	now    func() time.Time

	mu   sync.Mutex
	f    *os.File
	size int64
}

// NewSamples returns the file for samples of a source, in the data folder.
func NewSamples(folder *os.Root, source string, now func() time.Time) *Samples {
	return &Samples{folder: folder, name: filepath.Join(Rejects, "source-"+source+".jsonl"), now: now}
}

type sample struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	Raw    string    `json:"raw"`
}

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
		_, _ = s.f.Write(append(b, '\n')) // a sample that cannot be kept is counted all the same
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

func (s *Samples) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		_ = s.f.Close()
		s.f = nil
	}
}

// RawText returns b as text from which the bytes can be had again.
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

// keepRejects is for how long the rejects files of imports are kept: there are
// telephone numbers in them, and whoever wants to mend a record does it soon.
const keepRejects = 30 * 24 * time.Hour

// DeleteRejects deletes the files that imports have made in the folder of rejects
// and that are older than they are kept. All else in it is left alone.
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
