package auth

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// A Rate is a number of requests in a time. All of them may come at once.
type Rate struct {
	Requests int // 0 is the default, a negative number is no limit
	Per      time.Duration
}

// A TokenRate limits the token endpoint. A client that exceeds it gets 429, with the
// whole seconds to wait in Retry-After.
type TokenRate struct {
	// PerClient counts the tokens of one client; by default 600 a minute, which a
	// script that asks for one a page does not meet. Only tokens that it got
	// count, so that nobody can lock a client out by using its name, or by
	// sending again what it has sent.
	PerClient Rate
	// Failures counts the requests from one address for one client that were
	// refused; by default 60 a minute. Requests for what does not exist count
	// together. Good credentials are good whatever else came from there: what is
	// over the rate is only told to wait instead of why it was refused.
	//
	// The address is that of [Config.Address]; of IPv6 the first 64 bits count.
	Failures Rate
}

var (
	defaultPerClient = Rate{600, time.Minute}
	defaultFailures  = Rate{60, time.Minute}
)

// A limiter limits the requests of many senders, each by itself, with the
// generic cell rate algorithm: for each sender it keeps the time at which its
// next request would be due if they came evenly.
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

// maxSenders bounds the senders that are told apart. Those beyond share one
// place, so that many addresses neither fill the memory nor get round the
// limit.
const maxSenders = 20_000

// take returns 0 if the sender may go on, or else how long it has to wait.
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
		due = now // also the zero time of a new sender, and if the clock was set back
	}
	if wait := due.Sub(now) - l.burst; wait > 0 {
		return wait
	}
	l.due[sender] = due.Add(l.every)
	return 0
}

// back takes back what take has counted.
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

// sweep forgets the senders that have nothing against them.
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

// sender returns what stands for the address that r came from.
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

// remoteAddress returns the address of the other end of the connection.
func remoteAddress(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero address if it is none
	return ap.Addr()
}

// retryAfter returns d in whole seconds, rounded up, and 1 at least: the only
// form of Retry-After that all SDKs read.
func retryAfter(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
