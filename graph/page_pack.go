package graph

import (
	"net/http"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// packPage sends the page in gzip. Its text passes through buf, which holds all of it at the end
// only if the page is short. head is that of a full page.
func (x *exchange) packPage(p *pageRequest, head []byte, buf *[]byte) error {
	z := x.h.packer.Page(len(head))
	defer z.Close()
	text, last, more, err := x.readRows(p, *buf, z)
	*buf = text
	if err != nil {
		return err
	}
	text = x.appendTail(text, p, last, more)
	*buf = text
	if x.rows < p.size {
		head = appendHead(head[:0], p, x.rows)
	}
	if len(head)+len(text) < minZip { // text is then complete, because Add cuts only longer ones
		x.deliver(http.StatusOK, p.level.contentType(), append(head, text...), "")
		return nil
	}
	x.deliver(http.StatusOK, p.level.contentType(), z.Finish(head, text), "gzip")
	return nil
}

// rowKinds is the number of kinds of rows, see kindOf.
const rowKinds = 8

// kindOf returns the kind of a row. Rows of one kind have values for the same properties: a failed
// call has a time of failure and a phrase, a bot's call has no user.
func kindOf(r *call.Row) int {
	k := 0
	if r.Successful {
		k |= 1
	}
	if r.UserPrincipalName == "" {
		k |= 2
	}
	if strings.HasPrefix(r.CallType, "ByotIn") {
		k |= 4
	}
	return k
}
