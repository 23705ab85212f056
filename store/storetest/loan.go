package storetest

import (
	"unsafe"

	"github.com/trunklog/trunklog/call"
)

// A loan lends one row at a time. The next loan spoils the memory of its texts, as an engine's
// cache may do with the memory of a page.
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
