package pebble

import (
	"encoding/binary"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// sumMerger adds up counts and cells: each is a vector of numbers, whose missing ones are zero. A
// count is a vector of one. It does not look at the key. Its name is on disk and can never change.
func sumMerger() *pebble.Merger {
	return &pebble.Merger{
		Name: "trunklog.sum",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			s := &sum{}
			s.n = s.room[:0]
			return s, s.MergeNewer(value)
		},
	}
}

type sum struct {
	n    []int64
	room [12]int64 // for all that there is
}

// MergeNewer implements [pebble.ValueMerger].
func (s *sum) MergeNewer(value []byte) error {
	if len(value) < 2 || value[0] != valueVersion {
		return badValue("a sum", value)
	}
	for i, b := 0, value[1:]; len(b) > 0; i++ {
		n, size := binary.Varint(b)
		if size <= 0 {
			return badValue("a sum", value)
		}
		if i == len(s.n) {
			s.n = append(s.n, 0)
		}
		s.n[i] += n
		b = b[size:]
	}
	return nil
}

// MergeOlder implements [pebble.ValueMerger].
func (s *sum) MergeOlder(value []byte) error { return s.MergeNewer(value) }

// Finish implements [pebble.ValueMerger]. It leaves out zeros at the end, except for the first
// number.
func (s *sum) Finish(bool) ([]byte, io.Closer, error) {
	n := len(s.n)
	for n > 1 && s.n[n-1] == 0 {
		n--
	}
	b := make([]byte, 1, 1+2*n)
	b[0] = valueVersion
	for _, v := range s.n[:n] {
		b = binary.AppendVarint(b, v)
	}
	return b, nil, nil
}
