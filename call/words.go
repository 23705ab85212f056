package call

import (
	"errors"
	"io/fs"
	"iter"
	"strings"
)

// Words returns the text of an error as a user reads it: without the marker [ErrInvalid], and with
// the system's errors about files in words.
func Words(err error) string {
	mark := ErrInvalid.Error()
	text := strings.TrimSuffix(err.Error(), ": "+mark)
	text = strings.ReplaceAll(strings.TrimPrefix(text, mark+": "), ": "+mark+": ", ": ")
	for of := range fileErrors(err) {
		text = strings.Replace(text, of.Error(), of.Path+": "+fileWords(of), 1)
		text = strings.Replace(text, of.Path+": "+of.Path+": ", of.Path+": ", 1)
	}
	return text
}

// fileErrors yields the system's errors about files in the tree of err.
func fileErrors(err error) iter.Seq[*fs.PathError] {
	return func(yield func(*fs.PathError) bool) { eachFileError(err, yield) }
}

func eachFileError(err error, yield func(*fs.PathError) bool) bool {
	if of, ok := err.(*fs.PathError); ok { //nolint:errorlint // the tree is walked here
		return yield(of)
	}
	switch x := err.(type) { //nolint:errorlint // the tree is walked here
	case interface{ Unwrap() error }:
		if below := x.Unwrap(); below != nil {
			return eachFileError(below, yield)
		}
	case interface{ Unwrap() []error }:
		for _, below := range x.Unwrap() {
			if !eachFileError(below, yield) {
				return false
			}
		}
	}
	return true
}

// fileWords says what is wrong with a file, and what to do if that is not obvious.
func fileWords(e *fs.PathError) string {
	if errors.Is(e, fs.ErrPermission) {
		return "permission denied: run as the user whose file it is, or let this user in"
	}
	return e.Err.Error()
}
