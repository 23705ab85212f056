package sip

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/trunklog/trunklog/call"
)

// Text returns b as a text without copying it.
//
// The law of messages: only [Scan] writes to their bytes. It makes spaces of the line breaks of
// folded lines before it takes a text of them, until the receiver has finished with the texts. For
// a source that is when [call.Sink.Put] has returned; the events of a decoder have memory of their
// own, which stays unchanged.
func Text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // see above
}

// UTF8 returns s as UTF-8. The standard's texts are (RFC 3261, section 7.3.1), but many devices
// send their own 8-bit alphabet. UTF8 reads a byte that is no part of a UTF-8 character as
// Windows-1252, which is Latin-1 with letters in the place of its second set of control characters.
func UTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			r = rune(s[0])
			if 0x80 <= r && r < 0xa0 {
				r = windows1252[r-0x80]
			}
		}
		out.WriteRune(r)
		s = s[n:]
	}
	return out.String()
}

// windows1252 has the characters of the bytes 80 to 9f. Five are none.
var windows1252 = [...]rune{
	'€', '\ufffd', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\ufffd', 'Ž', '\ufffd',
	'\ufffd', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\ufffd', 'ž', 'Ÿ',
}

// textsToUTF8 converts all texts of s that come from the message to UTF-8.
func textsToUTF8(s *call.Signal) {
	for _, t := range [...]*string{
		&s.Method, &s.Phrase, &s.CallID, &s.FromTag, &s.ToTag, &s.CSeqMethod, &s.SessionID, &s.UserAgent, &s.Reason,
		&s.ReferredBy, &s.HistoryInfo, &s.ReferTo, &s.MediaPath, &s.Priority, &s.Verstat,
	} {
		*t = UTF8(*t)
	}
	for _, a := range [...]*call.Address{&s.URI, &s.From, &s.To, &s.Contact, &s.Asserted} {
		a.Name, a.User, a.Host, a.Params = UTF8(a.Name), UTF8(a.User), UTF8(a.Host), UTF8(a.Params)
	}
}
