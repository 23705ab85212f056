package hep

import (
	"errors"
	"strconv"

	"github.com/trunklog/trunklog/sip"
)

// A Cause is the reason why a packet, or a message in it, did not become a [call.Signal], or lost a
// part on the way. The set is closed, so that each has a counter in [Stats]. As an error it says
// what is wrong without quoting the message, which holds phone numbers.
type Cause uint8

// The faults of a packet.
const (
	Short        Cause = iota + 1 // less than a HEP packet's header
	Magic                         // does not begin as a HEP packet does
	Version                       // HEP, but not version 3
	Length                        // is longer or shorter than its header says
	ChunkZero                     // a chunk's length does not even cover its header
	ChunkOverrun                  // a chunk goes beyond the end of the packet
	ChunkSize                     // a chunk of a fixed size has another
	Auth                          // the auth key is missing or wrong
	PayloadType                   // carries something else than SIP
	Payload                       // carries nothing
	Compression                   // its compressed payload cannot be read
	Inflated                      // its compressed payload is too large
	JSON                          // its JSON has no SIP message in it
	Time                          // has no time; at a [Source], which takes the message all the same, one that is far from the clock
)

// The faults of the SIP message in it: each [sip.Fault].
const (
	SIPEmpty Cause = iota + Time + 1
	SIPFirstLine
	SIPVersion
	SIPCut
	SIPCallID
	SIPCSeq
	SIPFrom
	SIPTo
	SIPTwice
	SIPUnread
)

// What can happen to a packet on its way.
const (
	Overflow Cause = iota + SIPUnread + 1 // came by UDP while the store was behind
	Stall                                 // its sender stopped in the middle of it
	Cut                                   // the connection ended in the middle of it
	Stopped                               // was received, but the source had to stop before it was stored

	numCauses
)

// NumCauses is the length of a table with a place for each cause. Place 0 stands for no cause.
const NumCauses = int(numCauses)

// Causes returns all causes.
func Causes() []Cause {
	all := make([]Cause, 0, NumCauses-1)
	for c := Cause(1); c < numCauses; c++ {
		all = append(all, c)
	}
	return all
}

// err returns c as an error, or nil if c is 0.
func (c Cause) err() error {
	if c == 0 {
		return nil
	}
	return c
}

// causeOf returns the cause for an error of [sip.Scan].
func causeOf(err error) Cause {
	if err == nil {
		return 0
	}
	var f sip.Fault
	errors.As(err, &f) // Scan returns no other errors
	return causeOfFault(f)
}

func causeOfFault(f sip.Fault) Cause {
	if f == 0 {
		return 0
	}
	return SIPEmpty + Cause(f-sip.FaultEmpty)
}

// Partial reports whether c can be the fault of a message that the source took all the same; see
// [Stats.Unread].
func (c Cause) Partial() bool { return c == SIPCut || SIPFrom <= c && c <= SIPUnread }

// fault returns the [sip.Fault] that c stands for, or 0 if c is not about the SIP message.
func (c Cause) fault() sip.Fault {
	if c < SIPEmpty || c > SIPUnread {
		return 0
	}
	return sip.FaultEmpty + sip.Fault(c-SIPEmpty)
}

var causes = [...]struct{ name, text string }{
	Short:        {"short", "shorter than the header of a HEP packet"},
	Magic:        {"magic", "not a HEP packet: it does not begin with HEP3"},
	Version:      {"version", "not version 3 of HEP: set the sender to HEPv3, as hep=3 does in FreeSWITCH"},
	Length:       {"length", "not as long as the packet says it is"},
	ChunkZero:    {"chunk-zero", "a chunk's length is less than that of its header"},
	ChunkOverrun: {"chunk-overrun", "a chunk goes beyond the end of the packet"},
	ChunkSize:    {"chunk-size", "a chunk of a fixed size has another"},
	Auth:         {"auth", "the auth key is missing or wrong"},
	PayloadType:  {"payload-type", "the payload is not SIP"},
	Payload:      {"payload", "there is no payload"},
	Compression:  {"compression", "the compressed payload is neither zlib nor gzip, or is damaged"},
	Inflated:     {"inflated", "the compressed payload has more than 64 KiB"},
	JSON:         {"json", "there is no SIP message in the payload's JSON"},
	Time:         {"time", "the time is missing or years off"},
	Overflow:     {"overflow", "there was no room left: the store was slower than the senders"},
	Stall:        {"stall", "the sender stopped in the middle of a packet"},
	Cut:          {"cut", "the connection ended in the middle of a packet"},
	Stopped:      {"stopped", "not stored before trunklog had to stop"},
}

// String returns the cause's name, a word such as "chunk-zero".
func (c Cause) String() string {
	if c == 0 || int(c) >= len(causes) {
		return "cause-" + strconv.Itoa(int(c))
	}
	if f := c.fault(); f != 0 {
		return f.String()
	}
	return causes[c].name
}

// Error implements error.
func (c Cause) Error() string {
	if c == 0 || int(c) >= len(causes) {
		return c.String()
	}
	if f := c.fault(); f != 0 {
		return f.Error()
	}
	return causes[c].text
}
