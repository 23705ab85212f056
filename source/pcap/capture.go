package pcap

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A packet is a captured packet. Its data is valid until the next read.
type packet struct {
	at     time.Time // zero if the capture has none
	link   int       // the link type, which says what data begins with
	data   []byte
	length int // of the full packet
}

// A capture is an opened file.
type capture interface {
	// next returns io.EOF behind the last packet, and io.ErrUnexpectedEOF if the file ends in the
	// middle of one.
	next() (packet, error)
}

// maxPacket is the length of the longest packet that next returns. tcpdump and Wireshark have the
// same limit; a longer one is damage.
const maxPacket = 256 << 10

// open finds the format of r. Its errors say what r is instead of a capture.
func open(r io.Reader) (capture, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(2)
	packed := len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b
	if packed {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("unpack the gzip: %w", err)
		}
		b = bufio.NewReaderSize(z, 64<<10)
	}
	head, err := b.Peek(16)
	if len(head) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the file's head: %w", err)
		}
		return nothing{}, nil
	}
	if isSection(head) {
		return &ng{r: b}, nil
	}
	if order, form, ok := formOf(head); ok {
		return openLibpcap(b, order, form)
	}
	what := looks(head)
	if packed {
		what = "what is packed in it " + what
	} else {
		what = "it " + what
	}
	return nil, fmt.Errorf("%w: this is no capture (pcap or pcapng): %s", call.ErrInvalid, what)
}

// Looks reports whether a file that begins with head is a capture, perhaps in the format of another
// program, for which the error of [Decoder] names a converter.
func Looks(head []byte) bool {
	if _, _, ok := formOf(head); ok || isSection(head) {
		return true
	}
	for _, o := range others {
		if strings.HasPrefix(o.what, "is a capture") && bytes.HasPrefix(head, []byte(o.begin)) {
			return true
		}
	}
	return false
}

// isSection reports whether a file begins as pcapng does.
func isSection(head []byte) bool {
	return len(head) >= 4 && binary.LittleEndian.Uint32(head) == blockSection
}

// formOf returns the byte order and the form of a pcap file, by its beginning.
func formOf(head []byte) (order binary.ByteOrder, f form, ok bool) {
	if len(head) < 4 {
		return nil, f, false
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if f, ok := forms[order.Uint32(head)]; ok {
			return order, f, true
		}
	}
	return nil, f, false
}

// nothing is an empty file.
type nothing struct{}

func (nothing) next() (packet, error) { return packet{}, io.EOF }

// others are files that users take for captures, by their beginning.
var others = []struct{ begin, what string }{
	{"HEP3", "is a stream of HEP packets: trunklog import hep"},
	{"\x1f\x8b", "is packed by gzip, twice: unpack it (gunzip)"},
	{"\x28\xb5\x2f\xfd", "is packed by zstd: unpack it (zstd -d)"},
	{"\xfd7zXZ", "is packed by xz: unpack it (unxz)"},
	{"BZh", "is packed by bzip2: unpack it (bunzip2)"},
	{"\x04\x22\x4d\x18", "is packed by lz4: unpack it (lz4 -d)"},
	{"PK\x03\x04", "is a zip: unpack it"},
	{"ustar", "is a tar: unpack it"},
	{"snoop\x00", "is a capture by snoop: convert it (editcap -F pcap IN OUT)"},
	{"RTSS", "is a capture by Microsoft's Network Monitor: convert it (editcap -F pcap IN OUT)"},
	{"GMBU", "is a capture by Microsoft's Network Monitor: convert it (editcap -F pcap IN OUT)"},
	{"XCP\x00", "is a capture by NetXRay: convert it (editcap -F pcap IN OUT)"},
	{"\x16\x03", "is TLS as it goes over a connection"},
}

// looks describes a file that begins with head.
func looks(head []byte) string {
	for _, o := range others {
		if bytes.HasPrefix(head, []byte(o.begin)) {
			return o.what
		}
	}
	for _, c := range head {
		if c < '\t' || c > 0x7e || c > '\r' && c < ' ' {
			return fmt.Sprintf("begins with % x", head[:min(len(head), 4)])
		}
	}
	return "is text"
}
