package odata

import (
	"fmt"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// An Error is a mistake in a query. Its text is a sentence for the client, in Microsoft Graph's
// words where Graph has any, and goes into error.message unchanged. It matches [call.ErrInvalid].
//
// The text may hold options, properties, functions, numbers and dates of the client, but never a
// string literal, which could be a phone number or the name of a user. It is for the client: logs
// need Option only.
type Error struct {
	Option string // the option at fault, such as "$filter"; empty for the query as a whole
	Text   string
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return call.ErrInvalid }

func errorf(option, format string, args ...any) error {
	return &Error{option, fmt.Sprintf(format, args...)}
}

// clip cuts a text of the client to a length that an error can repeat.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	n := most
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
