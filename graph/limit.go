package graph

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Limit is a number of requests in a time. Zero is no limit.
type Limit struct {
	Requests int
	Per      time.Duration
}

// Limits are the requests that callers may make before they are told to wait.
type Limits struct {
	Client Limit // of one application in one tenant
	Tenant Limit // of all applications in one tenant
}

// microsoftLimits returns what Microsoft grants.
//
// Source: learn.microsoft.com, "Microsoft Graph service-specific throttling
// limits", section "Call records limits".
func microsoftLimits() Limits {
	return Limits{
		Client: Limit{Requests: 1_500, Per: 20 * time.Second},
		Tenant: Limit{Requests: 10_000, Per: 20 * time.Second},
	}
}

// A limiter counts the requests of callers. It forgets a caller that has sent none for the time of
// its limit, since its bucket is full again.
type limiter struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	buckets map[Caller]*bucket // the key of a tenant's own bucket has no client
	swept   time.Time
}

type bucket struct {
	*rate.Limiter
	per  time.Duration
	used time.Time
}

func newLimiter(l Limits, now func() time.Time) *limiter {
	return &limiter{limits: l, now: now, buckets: map[Caller]*bucket{}}
}

// take counts one request, or returns how long the caller must wait first. A refused request counts
// neither for the client nor for the tenant.
func (l *limiter) take(c Caller) time.Duration {
	if l.limits == (Limits{}) {
		return 0
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	client, wait := reserve(l.bucket(c, l.limits.Client), now)
	if wait > 0 {
		return wait
	}
	if _, wait = reserve(l.bucket(Caller{Tenant: c.Tenant}, l.limits.Tenant), now); wait > 0 && client != nil {
		client.CancelAt(now)
	}
	return wait
}

// reserve takes one request from the bucket if there is one.
func reserve(b *bucket, now time.Time) (*rate.Reservation, time.Duration) {
	if b == nil {
		return nil, 0
	}
	b.used = now
	r := b.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return r, wait
}

func (l *limiter) bucket(c Caller, limit Limit) *bucket {
	if limit.Requests <= 0 || limit.Per <= 0 {
		return nil
	}
	b := l.buckets[c]
	if b == nil {
		each := rate.Limit(float64(limit.Requests) / limit.Per.Seconds())
		b = &bucket{Limiter: rate.NewLimiter(each, limit.Requests), per: limit.Per}
		l.buckets[c] = b
	}
	return b
}

// sweep forgets quiet callers, at most once in the longer of the two limits' times.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < max(l.limits.Client.Per, l.limits.Tenant.Per) {
		return
	}
	l.swept = now
	for c, b := range l.buckets {
		if now.Sub(b.used) >= b.per {
			delete(l.buckets, c)
		}
	}
}
