package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// syncs appends 4 KiB to a file and waits until they are on the disk, again and
// again for the given time. It returns how long each took, in milliseconds:
// what nobody who acknowledges a single write can be faster than.
func syncs(dir string, length time.Duration) (took []float64, err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4<<10)
	for end := time.Now().Add(length); ; {
		began := time.Now()
		if !began.Before(end) {
			return took, nil
		}
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := syncData(f); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
}
