package admin

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"github.com/trunklog/trunklog/call"
)

// told are the errors by which callers decide what to do, in the order of their bits in a message.
// The errors of a context are not among them, because the context was the server's.
var told = [...]error{
	call.ErrInvalid, call.ErrNotFound, call.ErrConflict, call.ErrFull, call.ErrClosed, call.ErrInUse, call.ErrNewer, call.ErrGone, call.ErrOld,
	errors.ErrUnsupported, fs.ErrExist, fs.ErrNotExist, fs.ErrPermission,
}

// A remoteError is an error of the server's store: its text, and the errors that [errors.Is] and
// [errors.As] find in it.
type remoteError struct {
	text string
	is   []error
}

func (e *remoteError) Error() string   { return e.text }
func (e *remoteError) Unwrap() []error { return e.is }

func appendError(b []byte, err error) []byte {
	var bits uint64
	for i, target := range told {
		if errors.Is(err, target) {
			bits |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, bits)
	b = appendText(b, err.Error())
	var corrupt *call.CorruptError
	if !errors.As(err, &corrupt) {
		return appendFlag(b, false)
	}
	b = appendFlag(b, true)
	b = appendText(b, corrupt.File)
	b = binary.AppendVarint(b, corrupt.Offset)
	inner := ""
	if corrupt.Err != nil {
		inner = corrupt.Err.Error()
	}
	return appendText(b, inner)
}

func (p *parser) error() error {
	bits := p.uvarint()
	e := &remoteError{text: p.text()}
	for i, target := range told {
		if bits>>i&1 != 0 {
			e.is = append(e.is, target)
		}
	}
	p.bad = p.bad || bits>>len(told) != 0
	if p.flag() {
		e.is = append(e.is, &call.CorruptError{File: p.text(), Offset: p.varint(), Err: errors.New(p.text())})
	}
	return e
}
