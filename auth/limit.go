package auth

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// A Rate is a number of requests per period. A sender may send all of them at once.
type Rate struct {
	Requests int // 0 is the default, as is a Per of 0 or less; a negative number is no limit
	Per      time.Duration
}

// A TokenRate limits the token endpoint. A client over the limit gets 429, with the whole seconds
// to wait in Retry-After.
type TokenRate struct {
	// PerClient limits the tokens of one client. The default is 600 a minute, which is enough for a
	// script that asks for a token with every page. Only issued tokens count, so that an attacker
	// cannot lock a client out with its name or by repeating its requests.
	PerClient Rate
	// Failures limits the refused requests from one address for one client. The default is 60 a
	// minute. The requests of an address that name no existing client count together. Valid
	// credentials pass in spite of any failures; over the limit, the answer to a bad request only
	// tells the sender to wait, and not why the server refused it.
	//
	// The address is that of [Config.Address]; of IPv6 only the first 64 bits count.
	Failures Rate
}

var (
	defaultPerClient = Rate{600, time.Minute}
	defaultFailures  = Rate{60, time.Minute}
)

// A limiter limits the requests of each sender by the generic cell rate algorithm: for each sender
// it keeps the time at which its next request would be due at an even rate.
type limiter struct {
	every time.Duration // 0: no limit
	burst time.Duration

	mu    sync.Mutex
	due   map[string]time.Time
	swept time.Time
}

func newLimiter(r, otherwise Rate) *limiter {
	if r.Requests == 0 || r.Per <= 0 && r.Requests > 0 {
		r = otherwise
	}
	if r.Requests < 0 {
		return &limiter{}
	}
	every := max(r.Per/time.Duration(r.Requests), 1)
	return &limiter{every: every, burst: r.Per - every, due: map[string]time.Time{}}
}

// maxSenders limits the number of separate senders. Those beyond share one entry, so that many
// addresses can neither fill the memory nor evade the limit.
const maxSenders = 20_000

// take counts a request and returns 0, or returns how long the sender has to wait.
func (l *limiter) take(sender string, now time.Time) time.Duration {
	if l.every == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) >= maxSenders && now.Sub(l.swept) >= time.Second {
		l.forget(now)
	}
	due, ok := l.due[sender]
	if !ok && len(l.due) >= maxSenders {
		sender = "the others"
		due = l.due[sender]
	}
	if due.Before(now) || due.Sub(now) > l.burst+l.every {
		due = now // a new sender has the zero time; due is too late if the clock was set back
	}
	if wait := due.Sub(now) - l.burst; wait > 0 {
		return wait
	}
	l.due[sender] = due.Add(l.every)
	return 0
}

// back undoes the count of one take.
func (l *limiter) back(sender string) {
	if l.every == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if due, ok := l.due[sender]; ok {
		l.due[sender] = due.Add(-l.every)
	}
}

// sweep forgets the senders whose past requests no longer count.
func (l *limiter) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
}

func (l *limiter) forget(now time.Time) {
	l.swept = now
	for sender, due := range l.due {
		if !due.After(now) {
			delete(l.due, sender)
		}
	}
}

// sender returns the name by which the limits know the address of r.
func (a *Authority) sender(r *http.Request) string {
	addr := a.address(r)
	if !addr.IsValid() {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// remoteAddress returns the address of the peer of the connection.
func remoteAddress(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero address if it has no valid one
	return ap.Addr()
}

// retryAfter returns d in whole seconds, rounded up, and at least 1. All SDKs read only this form
// of Retry-After.
func retryAfter(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
