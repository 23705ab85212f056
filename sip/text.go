package sip

import "unsafe"

// Text returns b as a text without copying it.
//
// The law of messages: their bytes are written to by nobody but [Scan], which
// makes spaces of the line breaks of folded lines before it takes a text of
// them, until whoever was given the texts is done with them. For a source that
// is when [call.Sink.Put] has returned; what a decoder yields has memory of its
// own, which is never written to again.
func Text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // see above
}
