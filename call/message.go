package call

import (
	"net/netip"
	"time"
)

// A Message is one SIP message that is kept so that a call can be looked at
// later: without its body, and without the headers that hold credentials.
type Message struct {
	// Leg names the dialog that the message belongs to, within everything that
	// is kept: made by [NameGUID] of the source and the Call-ID.
	Leg GUID
	At  time.Time // by the capturing agent's clock

	Src, Dst  netip.AddrPort
	Transport string // as in [Signal]
	Raw       []byte
}

// A Leg says that the messages of a leg are part of a row's call. Of a row that
// was made from SIP there is one for the leg that faces Microsoft, and one for
// each other leg that was found.
type Leg struct {
	Tenant GUID
	Row    Cursor // the row
	ID     GUID   // what [Message.Leg] says
	Main   bool   // the leg that faces Microsoft
	// From and To are the times of its first and of its last message. Messages
	// are looked for in the days between them.
	From, To time.Time
}
