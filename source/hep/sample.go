package hep

import (
	"bytes"
	"encoding/binary"
)

// maxSample is how much of a packet is shown that could not be read.
const maxSample = 4 << 10

// sample returns a copy of the packet b as it may be kept to find out what is
// wrong with it, or of the message in it if that is known. What is secret is
// left out or starred.
func sample(b, msg []byte) []byte {
	if msg != nil {
		out := Strip(nil, msg)
		return out[:min(len(out), maxSample)]
	}
	out := append([]byte(nil), b[:min(len(b), maxSample)]...)
	starKeys(out)
	starCredentials(out)
	return out
}

// starKeys stars auth keys. It looks for their chunks everywhere, because the
// packet may be broken in front of them.
func starKeys(b []byte) {
	for {
		i := bytes.Index(b, []byte{0, 0, 0, chunkKey})
		if i < 0 || i+chunkSize > len(b) {
			return
		}
		n := int(binary.BigEndian.Uint16(b[i+4:]))
		b = b[i+chunkSize:]
		for k := range b[:min(max(n-chunkSize, 0), len(b))] {
			b[k] = '*'
		}
	}
}

// starCredentials stars what follows the names of headers with credentials, in
// bytes that may be a SIP message or may not.
func starCredentials(b []byte) {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		name, value, _ := bytes.Cut(line, []byte{':'})
		if headerNamed(trim(name)) == credentials {
			for i := range value {
				value[i] = '*'
			}
		}
		b = rest
	}
}
