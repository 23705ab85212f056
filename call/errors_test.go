package call

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&SyntaxError{Line: 12, Raw: []byte("x"), Err: io.ErrUnexpectedEOF}, "line 12: unexpected EOF"},
		{&SyntaxError{Err: io.ErrUnexpectedEOF}, "unexpected EOF"},
		{&CorruptError{File: "000012.sst", Offset: 4096, Err: io.ErrUnexpectedEOF}, "corrupt data in file 000012.sst at offset 4096: unexpected EOF"},
		{&CorruptError{File: "000012.sst", Offset: 0, Err: io.ErrUnexpectedEOF}, "corrupt data in file 000012.sst at offset 0: unexpected EOF"},
		{&CorruptError{File: "000012.sst", Offset: -1, Err: io.ErrUnexpectedEOF}, "corrupt data in file 000012.sst: unexpected EOF"},
		{&CorruptError{Offset: -1, Err: io.ErrUnexpectedEOF}, "corrupt data: unexpected EOF"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if wrapped := fmt.Errorf("read: %w", c.err); !errors.Is(wrapped, io.ErrUnexpectedEOF) {
			t.Errorf("%v does not unwrap", wrapped)
		}
	}
}
