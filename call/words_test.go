package call

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

// TestWords: errors in words, of every origin.
func TestWords(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "a/b", Err: syscall.EACCES}
	missing := &fs.PathError{Op: "openat", Path: "c.json", Err: syscall.ENOENT}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: so it is", ErrInvalid), "so it is"},
		{fmt.Errorf("data folder: %w", denied), "data folder: a/b: permission denied: run as the user whose file it is, or let this user in"},
		{fmt.Errorf("c.json: %w", missing), "c.json: no such file or directory"},
		{errors.Join(fmt.Errorf("c.json: %w", missing), errors.New("more")), "c.json: no such file or directory\nmore"},
		{errors.Join(missing, fmt.Errorf("then: %w", denied)), "c.json: no such file or directory\nthen: a/b: permission denied: run as the user whose file it is, or let this user in"},
	} {
		if got := Words(c.err); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
