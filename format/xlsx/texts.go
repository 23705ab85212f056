package xlsx

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"

	"github.com/trunklog/trunklog/call"
)

const (
	// A group of texts ends at the first of these limits, in texts or bytes.
	groupTexts = 256
	groupBytes = 32 << 10
	// heldGroups is how many groups are held in memory.
	heldGroups = 64
)

// Texts are the shared texts of a workbook. A large sheet has millions, so they lie in a file;
// cells refer to them roughly in their order.
type texts struct {
	f      *os.File
	first  []int   // the number of the first text of each group
	at     []int64 // where each group begins in the file
	n      int
	size   int64
	held   [heldGroups][]string
	number [heldGroups]int // of the group in each slot, from 1
}

// readTexts reads the shared texts.
func (b *Book) readTexts(part string) (err error) {
	r, err := b.open(part)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	t := &texts{}
	if t.f, err = os.CreateTemp("", "trunklog-*.texts"); err != nil {
		return fmt.Errorf("put the workbook's texts aside: %w", err)
	}
	b.texts = t
	w := bufio.NewWriter(t.f)
	for s := newScan(part, r); ; {
		switch e, err := s.next(); {
		case errors.Is(err, io.EOF):
			if err := w.Flush(); err != nil {
				return fmt.Errorf("put the workbook's texts aside: %w", err)
			}
			return nil
		case err != nil:
			return err
		default:
			if err := t.add(s, e, w); err != nil {
				return err
			}
		}
	}
}

// add adds the text that begins with a token, if one does.
func (t *texts) add(s *scan, e xml.Token, w *bufio.Writer) error {
	if start, ok := e.(xml.StartElement); !ok || start.Name.Local != "si" {
		return nil
	}
	text, err := s.text()
	if err != nil {
		return err
	}
	if last := len(t.first) - 1; last < 0 || t.n-t.first[last] == groupTexts || t.size-t.at[last] > groupBytes {
		t.first, t.at = append(t.first, t.n), append(t.at, t.size)
	}
	t.n++
	// Each text has four bytes of length in front.
	n := len(text)
	for _, c := range [...]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)} {
		_ = w.WriteByte(c) // the error comes again
	}
	_, err = w.WriteString(text)
	t.size += 4 + int64(n)
	if err != nil {
		return fmt.Errorf("put the workbook's texts aside: %w", err)
	}
	return nil
}

// text returns a text by its number.
func (t *texts) text(i int) (string, error) {
	if t == nil || i < 0 || i >= t.n {
		return "", fmt.Errorf("%w: the workbook is damaged: a cell has a text that is not there", call.ErrInvalid)
	}
	group := sort.SearchInts(t.first, i+1) - 1
	slot := group % heldGroups
	if t.number[slot] != group+1 {
		if err := t.load(group, slot); err != nil {
			return "", fmt.Errorf("read the workbook's texts: %w", err)
		}
	}
	return t.held[slot][i-t.first[group]], nil
}

// load reads a group.
func (t *texts) load(group, slot int) error {
	end, behind := t.size, t.n
	if group+1 < len(t.at) {
		end, behind = t.at[group+1], t.first[group+1]
	}
	b := make([]byte, end-t.at[group])
	if _, err := t.f.ReadAt(b, t.at[group]); err != nil {
		return err
	}
	all := string(b)
	t.number[slot], t.held[slot] = group+1, t.held[slot][:0]
	for range behind - t.first[group] {
		n := int(all[0]) | int(all[1])<<8 | int(all[2])<<16 | int(all[3])<<24
		t.held[slot] = append(t.held[slot], all[4:4+n])
		all = all[4+n:]
	}
	return nil
}

func (t *texts) close() error {
	if t == nil {
		return nil
	}
	return errors.Join(t.f.Close(), os.Remove(t.f.Name()))
}
