package hep

import "github.com/trunklog/trunklog/call"

// The names of the metrics. Dashboards and alerts use them, so they never change.
const (
	packetsName     = "trunklog_hep_packets_total"
	bytesName       = "trunklog_hep_bytes_total"
	messagesName    = "trunklog_hep_messages_total"
	lostName        = "trunklog_hep_lost_bytes_total"
	furtherName     = "trunklog_hep_further_messages_total"
	unreadName      = "trunklog_hep_unread_total"
	retimedName     = "trunklog_hep_retimed_total"
	refusedName     = "trunklog_hep_refused_total"
	dropsName       = "trunklog_hep_kernel_drops_total"
	connectionsName = "trunklog_hep_connections"
	acceptedName    = "trunklog_hep_connections_accepted_total"
	turnedAwayName  = "trunklog_hep_connections_refused_total"
)

// Measures implements [call.Counter].
func (s *Source) Measures() []call.Measure { return Stats{}.Measures() }

// Counts implements [call.Counter].
func (s *Source) Counts(yield func(name, cause string, n uint64)) { s.Stats().Counts(yield) }

// Measures implements [call.Counter].
func (Stats) Measures() []call.Measure {
	return []call.Measure{
		{Name: packetsName, Help: "HEP packets received."},
		{Name: bytesName, Help: "Bytes of the HEP packets received."},
		{Name: messagesName, Help: "SIP messages taken out of HEP packets and accepted."},
		{Name: lostName, Help: "Bytes that came over TCP between HEP packets and are part of none."},
		{Name: furtherName, Help: "SIP messages that followed another one in the same HEP packet."},
		{Name: unreadName, Help: "SIP messages taken without something that could not be read, by cause.", By: "cause"},
		{Name: retimedName, Help: "SIP messages without a usable time, which were given that of their arrival."},
		{Name: refusedName, Help: "HEP packets of which nothing came, by cause.", By: "cause"},
		{Name: dropsName, Help: "Datagrams that the kernel had no room for."},
		{Name: connectionsName, Help: "Open connections of capture agents.", Gauge: true},
		{Name: acceptedName, Help: "Connections of capture agents that were accepted."},
		{Name: turnedAwayName, Help: "Connections that came to nothing before any packet was read, by cause.", By: "cause"},
	}
}

// Counts implements [call.Counter].
func (s Stats) Counts(yield func(name, cause string, n uint64)) {
	yield(packetsName, "", s.Packets)
	yield(bytesName, "", s.Bytes)
	yield(messagesName, "", s.Messages)
	yield(lostName, "", s.Lost)
	yield(furtherName, "", s.Further)
	yield(retimedName, "", s.Retimed)
	yield(dropsName, "", s.KernelDrops)
	yield(connectionsName, "", uint64(max(s.Connections, 0)))
	yield(acceptedName, "", s.Accepted)
	for _, c := range Causes() {
		yield(refusedName, c.String(), s.Refused[c])
		if c.Partial() {
			yield(unreadName, c.String(), s.Unread[c])
		}
	}
	for r := range Refusal(NumRefusals) {
		yield(turnedAwayName, r.String(), s.TurnedAway[r])
	}
}
