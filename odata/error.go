package odata

import (
	"fmt"
	"unicode/utf8"

	"github.com/trunklog/trunklog/call"
)

// An Error is a mistake in a query. Its text is a sentence for the client, in
// Microsoft Graph's words where Graph has any, and goes into error.message as
// it is. It matches [call.ErrInvalid].
//
// The text may name options, properties, functions, numbers and dates that the
// client wrote, never a string literal, which could be a phone number or the
// name of a user. It is written for the client: logs need Option only.
type Error struct {
	Option string // the option at fault, such as "$filter"; empty if it is the query as a whole
	Text   string
}

func (e *Error) Error() string { return e.Text }

func (e *Error) Unwrap() error { return call.ErrInvalid }

func errorf(option, format string, args ...any) error {
	return &Error{option, fmt.Sprintf(format, args...)}
}

// clip cuts what a client wrote to a length that can be repeated in an error.
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
