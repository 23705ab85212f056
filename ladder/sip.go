package ladder

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
)

// A head is what the ladder shows of a SIP message.
type head struct{ call.Signal }

// readHead reads the first line and the headers of a message, up to the place where no call can be
// told any more. The scanner writes to the message, which may be the store's: hence the copy.
func readHead(raw []byte) (h head) {
	_, _ = sip.Scan(bytes.Clone(raw), &h.Signal)
	return h
}

// compareTurn orders messages of one dialog that have the same time: by the number of the
// transaction, and within it the request, its answers by their codes, and the ACK (RFC 3261,
// section 17).
func (h *head) compareTurn(o *head) int {
	return cmp.Or(cmp.Compare(h.CSeq, o.CSeq), cmp.Compare(h.turn(), o.turn()))
}

func (h *head) turn() int {
	if h.Method == "ACK" {
		return 1000
	}
	return h.Code
}

// label returns the text on the rung of a message.
func (h *head) label() string {
	switch {
	case h.Method != "":
		return h.Method
	case h.Code != 0:
		return strings.TrimSpace(strconv.Itoa(h.Code) + " " + h.Phrase)
	}
	return "(not SIP)"
}

// sequence returns the CSeq, such as "1 INVITE".
func (h *head) sequence() string {
	if h.CSeqMethod == "" {
		return ""
	}
	return strconv.FormatUint(uint64(h.CSeq), 10) + " " + h.CSeqMethod
}
