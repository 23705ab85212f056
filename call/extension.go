package call

import (
	"encoding/binary"
	"fmt"
)

// After the values of a body come the extensions: what few rows have, and what later versions
// added. Each is
//
//	tag     uvarint, greater than that of the one before
//	length  uvarint
//	bytes
//
// and a 0 in the place of another tag ends them, so that a reader recognises a body that was cut
// off. A binary keeps extensions with unknown tags unchanged in Row.Rest. Tags are part of the
// format on disk. These are reserved:
//
//	4   when it rang first (18x)
//	5   who has made the end
//	6   attestation of the caller's number (RFC 8588)
//	7   what its verification gave (verstat)
//	8   the import that made the last change
//	9   the person of the caller
//	10  the person of the callee
//	11  when the row changed last
const (
	tagSource = 1 // Row.Source
	tagFaces  = 2 // Row.Faces: no bytes
	tagSaid   = 3 // Row.Said
	firstRest = 4 // Row.Rest keeps the tags from here on
)

// hasExtensions reports whether the body of r has extensions.
func (r *Row) hasExtensions() bool {
	return r.Source != "" || r.Faces || r.Said != "" || r.Rest != ""
}

func (r *Row) appendExtensions(b []byte) []byte {
	if !r.hasExtensions() {
		return b
	}
	if r.Source != "" {
		b = appendExtension(b, tagSource, r.Source)
	}
	if r.Faces {
		b = appendExtension(b, tagFaces, "")
	}
	if r.Said != "" {
		b = appendExtension(b, tagSaid, r.Said)
	}
	b = append(b, r.Rest...)
	return append(b, 0)
}

func appendExtension(b []byte, tag uint64, value string) []byte {
	b = binary.AppendUvarint(b, tag)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

// extensionAt returns the extension at the given place of s, and where it ends. Its tag must be
// greater than after.
func extensionAt(s string, at int, after uint64) (tag uint64, value string, end int) {
	tag, at = uvarintAt(s, at)
	if value, at = textAt(s, at); tag <= after {
		return tag, "", badly
	}
	return tag, value, at
}

// parseExtensions parses the extensions, of which there is at least one, and returns where they
// end.
func (r *Row) parseExtensions(s string, at int) int {
	rest := -1
	for last := uint64(0); last == 0 || at >= len(s) || s[at] != 0; {
		tag, value, end := extensionAt(s, at, last)
		switch {
		case end > len(s):
			return badly
		case tag == tagSource && value != "":
			r.Source = value
		case tag == tagFaces && value == "":
			r.Faces = true
		case tag == tagSaid && value != "":
			r.Said = value
		case tag < firstRest:
			return badly
		case rest < 0:
			rest = at
		}
		last, at = tag, end
	}
	if rest >= 0 {
		r.Rest = s[rest:at]
	}
	return at + 1
}

// checkExtensions reports whether the extensions of r can be written.
func (r *Row) checkExtensions() error {
	if err := checkText("its source", r.Source); err != nil {
		return err
	}
	for at, last := 0, uint64(firstRest-1); at < len(r.Rest); {
		if last, _, at = extensionAt(r.Rest, at, last); at > len(r.Rest) {
			return fmt.Errorf("%w: what the row has beyond its fields makes no sense", ErrInvalid)
		}
	}
	return nil
}

// mergeRest merges the unknown extensions of two rows of one call. If both have a tag with
// different bytes, the greater bytes stand, so that the order of rows does not matter.
func mergeRest(a, b string) string {
	var out []byte
	for i, j := 0, 0; i < len(a) || j < len(b); {
		x, v, nextA := extensionAt(a, i, 0)
		y, w, nextB := extensionAt(b, j, 0)
		switch {
		case i < len(a) && nextA > len(a), j < len(b) && nextB > len(b):
			return max(a, b) // one of them is malformed
		case j >= len(b) || i < len(a) && x < y:
			out, i = appendExtension(out, x, v), nextA
		case i >= len(a) || y < x:
			out, j = appendExtension(out, y, w), nextB
		default:
			out, i, j = appendExtension(out, x, max(v, w)), nextA, nextB
		}
	}
	return string(out)
}
