package auth

import "sync/atomic"

// Stats are counts since the [Authority] was made.
type Stats struct {
	Issued      int64 // tokens
	Refused     int64 // requests for a token, for whatever reason
	Limited     int64 // of those: over the rate
	Replayed    int64 // of those: with an assertion that was used before
	Allowed     int64 // requests that were let in
	Denied      int64 // requests that were not: 401 or 403
	Unavailable int64 // requests that could not be judged: 503
	UseNotSaved int64 // times that a last use could not be written
	JWKSFetched int64 // times that Entra's keys were read
	JWKSFailed  int64 // times that they could not be
	RoundFailed int64 // rounds of Run in which something failed
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
