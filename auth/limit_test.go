package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimiter(t *testing.T) {
	l := newLimiter(Rate{Requests: 3, Per: time.Minute}, Rate{})
	now := testStart
	for i := range 3 {
		if wait := l.take("a", now); wait != 0 {
			t.Fatalf("request %d has to wait %v", i, wait)
		}
	}
	if wait := l.take("a", now); wait != 20*time.Second {
		t.Errorf("the fourth has to wait %v", wait)
	}
	if wait := l.take("b", now); wait != 0 {
		t.Errorf("another sender has to wait %v", wait)
	}
	now = now.Add(20 * time.Second)
	if wait := l.take("a", now); wait != 0 {
		t.Errorf("after 20 s it has to wait %v", wait)
	}
	if wait := l.take("a", now); wait != 20*time.Second {
		t.Errorf("and then again %v", wait)
	}
	l.sweep(now)
	if len(l.due) != 1 {
		t.Errorf("%d senders are kept", len(l.due))
	}
	now = now.Add(time.Hour)
	l.sweep(now)
	if len(l.due) != 0 {
		t.Errorf("%d senders are kept for ever", len(l.due))
	}
	off := newLimiter(Rate{Requests: -1}, Rate{1, time.Hour})
	for range 100 {
		if off.take("a", now) != 0 {
			t.Fatal("no limit has a limit")
		}
	}
	if l := newLimiter(Rate{}, Rate{1, time.Hour}); l.every != time.Hour {
		t.Errorf("the default is %v", l.every)
	}
}

// TestLimiterModel compares the limiter with a plain count: it accepts at most twice Requests in
// any span of Per, refuses none of the first Requests, and accepts a request after the wait that it
// gave.
func TestLimiterModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		per := time.Duration(rapid.IntRange(1, 100).Draw(t, "per")) * time.Second
		l := newLimiter(Rate{n, per}, Rate{})
		now := testStart
		var taken []time.Time
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(per/2)).Draw(t, "pause")))
			recent := 0
			for _, at := range taken {
				if now.Sub(at) < per {
					recent++
				}
			}
			wait := l.take("x", now)
			switch {
			case wait == 0:
				taken = append(taken, now)
				if recent >= 2*n {
					t.Fatalf("%d requests within %v", recent+1, per)
				}
			case recent < n && len(taken) < n:
				t.Fatalf("refused after %d", recent)
			case wait > per:
				t.Fatalf("it has to wait %v of %v", wait, per)
			default:
				if l.take("x", now.Add(wait)) != 0 {
					t.Fatal("it waited in vain")
				}
				taken = append(taken, now.Add(wait))
				now = now.Add(wait)
			}
		}
	})
}

// TestManySenders shows that the limiter keeps a limited number of senders, and that those beyond
// share one limit.
func TestManySenders(t *testing.T) {
	l := newLimiter(Rate{Requests: 2, Per: time.Hour}, Rate{})
	for i := range maxSenders + 2 {
		if wait := l.take(fmt.Sprint(i), testStart); wait != 0 {
			t.Fatalf("sender %d has to wait %v", i, wait)
		}
	}
	if wait := l.take("one more", testStart); wait == 0 {
		t.Error("the others have no limit")
	}
	if len(l.due) != maxSenders+1 {
		t.Errorf("%d are kept", len(l.due))
	}
	if wait := l.take("one more", testStart.Add(time.Hour)); wait != 0 || len(l.due) > 2 {
		t.Errorf("an hour later it has to wait %v, and %d are kept", wait, len(l.due))
	}
}

func TestSender(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	a := &Authority{address: remoteAddress}
	for addr, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[fe80::1%eth0]:1": "fe80::/64", "@": "", "": "", "host:1": "",
	} {
		if r.RemoteAddr = addr; a.sender(r) != want {
			t.Errorf("%s is %q instead of %q", addr, a.sender(r), want)
		}
	}
	for d, want := range map[time.Duration]int{1: 1, time.Second: 1, time.Second + 1: 2, 90 * time.Second: 90, 0: 1} {
		if got := retryAfter(d); got != want {
			t.Errorf("%v is %d s", d, got)
		}
	}
}

// TestRefusalsAreFewLines lets strangers ask for what the server refuses. It counts each refusal, and
// writes lines about no more of one address than failed requests for a token have.
func TestRefusalsAreFewLines(t *testing.T) {
	n := defaultFailures.Requests
	fire := errors.New("disk on fire")
	for what, c := range map[string]struct {
		method, path string
		status       int
		fail         func(w *world)
	}{
		"keys of no tenant":          {"GET", "/nobody/" + pathKeys, 400, nil},
		"configuration of no tenant": {"GET", "/nobody/" + pathConfigV1, 400, nil},
		"another instance":           {"GET", "/common/" + pathInstance, 400, nil},
		"no endpoint":                {"GET", "/x/oauth2/authorize", 404, nil},
		"another method":             {"PUT", tokenPath(contoso), 405, nil},
		"no token":                   {"POST", tokenPath(contoso), 400, nil},
		"the tenants fail":           {"POST", tokenPath(contoso), 503, func(w *world) { w.x.fail = fire }},
		"the keys fail":              {"GET", "/common/" + pathKeys, 503, func(w *world) { w.kv.setFail(fire); w.clock.Add(2 * KeyStale) }},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Alg = "ES256" })
			if c.fail != nil {
				c.fail(w)
			}
			ask := func(from string) int {
				r := httptest.NewRequest(c.method, testRoot+c.path, strings.NewReader("grant_type=client_credentials&scope="+anyScope))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.RemoteAddr = from
				rec := httptest.NewRecorder()
				w.Handler().ServeHTTP(rec, r)
				return rec.Code
			}
			lines := func() int { return strings.Count(w.logs.String(), "\n") }
			for i := range 3 * n {
				if got := ask("192.0.2.66:1"); i == 0 && got != c.status {
					t.Fatalf("status %d, want %d", got, c.status)
				}
			}
			if got := lines(); got != n {
				t.Errorf("%d refusals wrote %d lines", 3*n, got)
			}
			if got := w.Stats().Refused; got != int64(3*n) {
				t.Errorf("%d of %d refusals were counted", got, 3*n)
			}
			ask("192.0.2.67:1")
			w.clock.Add(time.Minute)
			ask("192.0.2.66:1")
			if got := lines(); got != n+2 {
				t.Errorf("%d lines after one from elsewhere and one a minute later, want %d", got, n+2)
			}
		})
	}
}
