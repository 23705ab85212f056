// Package sip reads SIP text (RFC 3261): the headers of a message that describe the call, and the
// part of the message that a store may keep. Sources, importers and the ladder share it. It knows
// no transport and keeps nothing.
//
//   - [Scan] reads the headers that matter, and no others, in one pass
//   - [Strip] removes the body and credentials, which a store must not keep
//   - [Starts] tells whether bytes are a message at all
package sip
