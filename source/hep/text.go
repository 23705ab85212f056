package hep

import "unsafe"

// text returns b as a text without copying it.
//
// The law of this package: the bytes of a message are written to by nobody but
// [Scan], which makes spaces of the line breaks of folded lines before it takes
// a text of them, until whoever was given the texts is done with them. For a
// [Source] that is when [call.Sink.Put] has returned; what [Decoder] yields has
// memory of its own, which is never written to again.
func text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // see above
}
