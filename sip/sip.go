// Package sip reads SIP text (RFC 3261): what the headers of a message say of a
// call, and what of the message may be kept. Whoever hears SIP, reads it from a
// file or shows it shares this reading. It knows no transport and keeps nothing.
//
//   - [Scan] reads the headers that matter, and no others, in one pass
//   - [Strip] leaves out what nobody may keep: the body and credentials
//   - [Starts] tells whether bytes are a message at all
package sip
