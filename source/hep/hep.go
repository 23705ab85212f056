// Package hep hears SIP: it takes the packets in which proxies and SBCs mirror
// their signalling (HEP version 3, which Kamailio, OpenSIPS, FreeSWITCH,
// Asterisk and many capture agents speak) and makes one [call.Signal] of each
// SIP message in them.
//
// A packet goes through three hands, each of which can be used alone:
//
//   - [Packet.Decode] takes the packet apart; every length in it is checked
//   - the message is taken out of what it was wrapped in: zlib, gzip or JSON
//   - [sip.Scan] reads the headers that matter, and no others, in one pass
//
// A [Source] listens for packets over UDP, TCP or TLS; [Decoder] reads a file
// of them. Whatever is not understood is counted by its [Cause] and never
// disturbs what comes with it.
//
// The package concludes nothing: which messages belong to one call, and what
// they mean together, it does not know. Nor does it know tenants, trunks or the
// store. It is the receiver only: HEP has no acknowledgements, so it sends
// nothing back.
package hep
