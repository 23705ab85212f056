package auth

import "sync/atomic"

// Stats are the counts of an [Authority] since its start.
type Stats struct {
	Issued      int64 // issued tokens
	Refused     int64 // refused requests to any endpoint of the Handler, 503 included, and refused calls of Mint
	Limited     int64 // of Refused: over the rate
	Replayed    int64 // of Refused: with a used assertion
	Allowed     int64 // requests that Verify has accepted
	Denied      int64 // requests that it has refused with 401 or 403
	Unavailable int64 // requests that it could not judge: 503
	UseNotSaved int64 // failed writes of the time of a last use
	JWKSFetched int64 // successful reads of Entra's keys
	JWKSFailed  int64 // failed ones
	RoundFailed int64 // rounds of Run that failed in part or as a whole
}

type counters struct {
	issued, refused, limited, replayed   atomic.Int64
	allowed, denied, unavailable         atomic.Int64
	useNotSaved, jwksFetched, jwksFailed atomic.Int64
	roundFailed                          atomic.Int64
}

// Stats returns the counts up to now.
func (a *Authority) Stats() Stats {
	c := &a.counts
	return Stats{
		Issued: c.issued.Load(), Refused: c.refused.Load(), Limited: c.limited.Load(), Replayed: c.replayed.Load(),
		Allowed: c.allowed.Load(), Denied: c.denied.Load(), Unavailable: c.unavailable.Load(),
		UseNotSaved: c.useNotSaved.Load(), JWKSFetched: c.jwksFetched.Load(), JWKSFailed: c.jwksFailed.Load(),
		RoundFailed: c.roundFailed.Load(),
	}
}
