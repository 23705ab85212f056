package call

import (
	"net/netip"
	"time"
)

// A Signal is one SIP message as a capture agent saw it pass: the facts of which ingest makes legs,
// and of these rows. It is pure observation and concludes nothing. Fields that the message lacks
// are zero.
//
// The texts may be parts of the buffer that the message was read into; a receiver that keeps a
// Signal after the call keeps a copy.
type Signal struct {
	// When and where it was seen. At is the capturing agent's time.
	At        time.Time
	Src, Dst  netip.AddrPort
	Transport string // "udp", "tcp", "tls", "ws", or empty
	Agent     uint32 // the capture agent's id
	// Correlation is the agent's own link to another leg, such as the Call-ID of that leg.
	Correlation string

	// The first line. A request has a Method, a response a Code.
	Method string
	Code   int // 100 to 699
	Phrase string
	URI    Address // the Request-URI

	// What the message belongs to (RFC 3261, sections 8.1.1 and 12).
	CallID         string
	FromTag, ToTag string
	CSeq           uint32
	CSeqMethod     string
	SessionID      string // RFC 7989: the sender's UUID, 32 hexadecimal digits

	From, To, Contact Address
	Asserted          Address // P-Asserted-Identity (RFC 3325), the SIP URI rather than the tel URI

	// UserAgent is the User-Agent of a request or the Server of a response.
	UserAgent string
	// Reason is the Reason header (RFC 3326), of several that of Q.850, such as
	// `Q.850;cause=16;text="GUID;phrase"`.
	Reason string
	// ReferredBy and HistoryInfo are those headers as they stand (RFC 3892,
	// RFC 7044); of several History-Info the first.
	ReferredBy  string
	HistoryInfo string
	ReferTo     string
	// SessionExpires is in seconds (RFC 4028).
	SessionExpires int
	// MediaPath is X-MS-MediaPath, which Teams sends with media optimisation.
	MediaPath string
	// Priority is that header as it stands, such as "emergency" (RFC 3261,
	// section 20.26).
	Priority string
	// Attestation says how well the caller's carrier knows the caller: "A" (fully), "B" (its
	// customer, but not the number) or "C" (it is a gateway). OriginID is a UUID by which that
	// carrier finds where the call came in. They are the claims attest and origid of the PASSporT
	// in Identity (RFC 8225, RFC 8588), as they stand: trunklog does not check the signature.
	Attestation, OriginID string
	// Verstat is the verdict of a verifier of the signature, such as "TN-Validation-Passed": the
	// parameter verstat of P-Asserted-Identity, or else of From (3GPP TS 24.229, section 7.2A.20).
	Verstat string
	// SIPREC says that this is a recorder's session, not a call (RFC 7866): it
	// requires siprec, its Contact is a recording client or server, or its body
	// is a recording's metadata alone.
	SIPREC bool

	// Raw is the message without its body and without the headers that hold
	// credentials, as it may be kept.
	Raw []byte
}

// An Address is a SIP or tel URI with the name that was shown for it.
type Address struct {
	Name string // display name, without its quotes
	User string // in front of the @; the number of a tel URI
	Host string // without the port
	// Params are the URI's parameters as they stand, without the first ';'.
	// Teams says in its Contact's x-i and x-c which call it is.
	Params string
}
