package call

import "strings"

// A Kind is a kind of source. A higher one knows better: Microsoft's log is the reference, and the
// SBC's own record is better than what a RADIUS server received.
type Kind uint8

// The kinds of sources, from the least to the most trusted.
const (
	Inferred    Kind = iota + 1 // we concluded it
	RADIUS                      // RADIUS accounting
	CDR                         // a record made by the SBC
	SIP                         // SIP seen on the leg that faces Microsoft
	AdminExport                 // the Teams admin centre's export
	Graph                       // Microsoft Graph
)

var kinds = [...]string{Inferred: "inferred", RADIUS: "radius", CDR: "cdr", SIP: "sip", AdminExport: "admin-export", Graph: "graph"}

func (k Kind) String() string {
	if k == 0 || int(k) >= len(kinds) {
		return "unknown"
	}
	return kinds[k]
}

// Set returns the set that holds k alone.
func (k Kind) Set() Kinds {
	if k == 0 {
		return 0
	}
	return 1 << k
}

// Kinds is a set of kinds.
type Kinds uint16

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&k.Set() != 0 }

func (s Kinds) String() string {
	var names []string
	for k := range kinds {
		if s.Has(Kind(k)) {
			names = append(names, Kind(k).String())
		}
	}
	return strings.Join(names, "+")
}

// A Witness is a kind of source, and whether its sender was authenticated. The greater of two
// witnesses wins, so that a sender of mere UDP packets can add to a row but cannot change what an
// authenticated source has said. The zero Witness has said nothing.
type Witness uint8

const authenticated Witness = 0x80

// Witness returns k as an authenticated witness.
func (k Kind) Witness() Witness { return authenticated | Witness(k) }

// Hearsay returns k as an unauthenticated witness.
func (k Kind) Hearsay() Witness { return Witness(k) }

// Kind returns the kind of w.
func (w Witness) Kind() Kind { return Kind(w &^ authenticated) }

// Authenticated reports whether w was authenticated.
func (w Witness) Authenticated() bool { return w&authenticated != 0 }
