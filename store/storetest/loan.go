package storetest

import (
	"unsafe"

	"github.com/trunklog/trunklog/call"
)

// A loan lends out one row at a time. Its texts lie in memory that is spoiled
// by the next lend, as the memory of a page in an engine's cache may be.
type loan struct {
	row call.Row
	buf []byte
}

func (l *loan) lend(r *call.Row) *call.Row {
	l.end()
	l.buf = l.buf[:0]
	for f := range call.NumFields {
		if f.Type() == call.Text {
			l.buf = append(l.buf, r.Text(f)...)
		}
	}
	l.row = r.Clone()
	at := 0
	for f := range call.NumFields {
		if f.Type() != call.Text || r.Text(f) == "" {
			continue
		}
		n := len(r.Text(f))
		l.row.SetText(f, unsafe.String(&l.buf[at], n))
		at += n
	}
	return &l.row
}

// end takes the row back.
func (l *loan) end() {
	for i := range l.buf {
		l.buf[i] = '!'
	}
}
