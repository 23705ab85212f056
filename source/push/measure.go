package push

import "github.com/trunklog/trunklog/call"

// The names of the metrics. Dashboards and alerts use them, so they never change.
const (
	requestsName = "trunklog_push_requests_total"
	rejectedName = "trunklog_push_rejected_total"
	bytesName    = "trunklog_push_bytes_total"
	activeName   = "trunklog_push_active_requests"
)

// Measures implements [call.Counter].
func (h *Handler) Measures() []call.Measure { return Stats{}.Measures() }

// Counts implements [call.Counter].
func (h *Handler) Counts(yield func(name, cause string, n uint64)) { h.Stats().Counts(yield) }

// Measures implements [call.Counter].
func (Stats) Measures() []call.Measure {
	return []call.Measure{
		{Name: requestsName, Help: "Requests that delivered calls over HTTP, by outcome.", By: "outcome", Alone: true},
		{Name: rejectedName, Help: "Records in such requests that were not taken, by cause.", By: "cause", Alone: true},
		{Name: bytesName, Help: "Bytes of such requests, after unpacking.", Alone: true},
		{Name: activeName, Help: "Such requests that are being worked on now.", Gauge: true, Alone: true},
		call.Limited(),
	}
}

// Counts implements [call.Counter].
func (s Stats) Counts(yield func(name, cause string, n uint64)) {
	yield(requestsName, "accepted", s.Accepted)
	yield(requestsName, "replayed", s.Replayed)
	for c := range NumCauses {
		if c.OfRecords() {
			yield(rejectedName, c.String(), s.Rejected[c])
		} else {
			yield(requestsName, c.String(), s.Refused[c])
		}
	}
	yield(bytesName, "", s.Bytes)
	yield(activeName, "", uint64(max(s.Active, 0)))
	yield(call.Limited().Name, "batches", s.Held)
}
