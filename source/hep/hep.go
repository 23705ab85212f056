// Package hep receives SIP: it takes the packets in which proxies and SBCs mirror their signalling
// (HEP version 3, which Kamailio, OpenSIPS, FreeSWITCH, Asterisk and many capture agents send) and
// makes one [call.Signal] of each SIP message in them.
//
// A packet goes through three steps:
//
//   - [Packet.Decode] takes the packet apart, and checks every length in it
//   - an unwrapper takes the message out of zlib, gzip or JSON
//   - [sip.Scan] reads the headers that matter, and no others, in one pass
//
// A [Source] listens for packets over UDP, TCP or TLS, and counts those that it does not understand
// by their [Cause]. [Decoder] reads a file of them, and yields an error for each of those. Both go
// on with the next packet.
//
// The package concludes nothing: it does not know which messages belong to one call, or what they
// mean together. Nor does it know tenants, trunks or the store. It only receives: HEP has no
// acknowledgements, so it sends nothing back.
package hep
