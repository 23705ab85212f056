package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Faults are failures that a test double injects, so that developers can try whether their clients
// survive them. Each request for calls or call records gets at most one fault, after its wait. The
// zero value injects none.
type Faults struct {
	Throttled   float64       // part of the requests that get 429, 0 to 1
	Unavailable float64       // part that gets 503
	Cut         float64       // part whose answers break off in the middle
	Least, Most time.Duration // bounds of each request's wait, which is spread evenly
	Seed        uint64        // the same seed gives the same faults in the same order
}

// maxLatency is well below the time limit that a server sets for an answer.
const maxLatency = 30 * time.Second

// faultRetryAfter is the shortest Retry-After: the header counts whole seconds.
const faultRetryAfter = time.Second

// ParseFaults reads faults such as "429=5%,503=1%,latency=50ms..2s,cut=0.5%,seed=7". Every part is
// optional; the default seed is 0. The error names the part that is wrong.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	var seen []string
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if slices.Contains(seen, name) {
			return Faults{}, fmt.Errorf("%s is there twice", name)
		}
		seen = append(seen, name)
		var err error
		switch name {
		case "429":
			f.Throttled, err = parsePart(value)
		case "503":
			f.Unavailable, err = parsePart(value)
		case "cut":
			f.Cut, err = parsePart(value)
		case "latency":
			f.Least, f.Most, err = parseLatency(value)
		case "seed":
			if f.Seed, err = strconv.ParseUint(value, 10, 64); err != nil {
				err = fmt.Errorf("%q is no whole number", value)
			}
		default:
			return Faults{}, fmt.Errorf("%q is not known: 429, 503, cut, latency and seed are, as in 429=5%%,latency=50ms..2s,cut=0.5%%", clip(part, 64))
		}
		if err != nil {
			return Faults{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if sum := f.Throttled + f.Unavailable + f.Cut; sum > 1 {
		return Faults{}, fmt.Errorf("429, 503 and cut are %g%% together, and no request has more than one", 100*sum)
	}
	return f, nil
}

// parsePart reads a percentage.
func parsePart(s string) (float64, error) {
	digits, ok := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(f >= 0 && f <= 100) {
		return 0, fmt.Errorf("%q is no percentage from 0%% to 100%%", clip(s, 64))
	}
	return f / 100, nil
}

// parseLatency reads a duration, or a range of two with ".." in between.
func parseLatency(s string) (least, most time.Duration, err error) {
	from, to, ok := strings.Cut(s, "..")
	if !ok {
		to = from
	}
	least, err = time.ParseDuration(from)
	if err == nil {
		most, err = time.ParseDuration(to)
	}
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("%q is no time such as 200ms, and no range such as 50ms..2s", clip(s, 64))
	case least < 0 || most > maxLatency:
		return 0, 0, fmt.Errorf("%q is not within 0s..%s", clip(s, 64), maxLatency)
	case least > most:
		return 0, 0, fmt.Errorf("%q ends before it begins", clip(s, 64))
	}
	return least, most, nil
}

// A saboteur decides which request gets which fault, and counts the faults.
type saboteur struct {
	Faults
	mu  sync.Mutex
	rng *rand.Rand

	throttled, unavailable, delayed, cut atomic.Uint64
}

// newSaboteur returns nil for nil; a nil saboteur injects nothing.
func newSaboteur(f *Faults) *saboteur {
	if f == nil {
		return nil
	}
	return &saboteur{Faults: *f, rng: rand.New(rand.NewPCG(f.Seed, 0))} //nolint:gosec // nobody need be kept from guessing it
}

// draw returns a number from 0 to 1, which decides on the fault of the next request, and the time
// that the request waits. It always draws two random numbers, so that the latency in the settings
// does not change which requests get the other faults.
func (s *saboteur) draw() (u float64, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u = s.rng.Float64()
	return u, s.Least + time.Duration(s.rng.Float64()*float64(s.Most-s.Least))
}

// sabotage makes the request wait, and marks it if its answer is to break off; or it returns the
// error to answer with.
func (x *exchange) sabotage() error {
	s := x.h.saboteur
	if s == nil {
		return nil
	}
	u, wait := s.draw()
	if wait > 0 {
		s.delayed.Add(1)
		if err := pause(x.r.Context(), wait); err != nil {
			return err
		}
	}
	switch {
	case u < s.Throttled:
		s.throttled.Add(1)
		return TooManyRequests(faultRetryAfter)
	case u < s.Throttled+s.Unavailable:
		s.unavailable.Add(1)
		e := Unavailable(nil)
		e.RetryAfter = faultRetryAfter
		return e
	}
	x.cut = u < s.Throttled+s.Unavailable+s.Cut
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting on purpose: %w", ctx.Err())
	}
}

// breakOff sends the first half of the answer and ends the connection.
func (x *exchange) breakOff(body []byte) {
	x.h.saboteur.cut.Add(1)
	x.bytes, _ = x.w.Write(body[:len(body)/2])
	_ = http.NewResponseController(x.w).Flush() // fails in a batch, whose parts have no Flush
	x.log()
	panic(http.ErrAbortHandler)
}

// Injected counts the faults since the [Handler] was made.
type Injected struct{ Throttled, Unavailable, Delayed, Cut uint64 }

func (s *saboteur) stats() Injected {
	if s == nil {
		return Injected{}
	}
	return Injected{Throttled: s.throttled.Load(), Unavailable: s.unavailable.Load(), Delayed: s.delayed.Load(), Cut: s.cut.Load()}
}
