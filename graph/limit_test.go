package graph

import (
	"strconv"
	"testing"
	"time"

	"github.com/trunklog/trunklog/store/storetest"
)

// A clock shows the time that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestLimits(t *testing.T) {
	c := &clock{testNow()}
	l := newLimiter(Limits{Client: Limit{3, 12 * time.Second}, Tenant: Limit{5, 10 * time.Second}}, c.Now)
	a, b, other := Caller{testTenant, "a"}, Caller{testTenant, "b"}, Caller{otherTenant, "a"}
	for i, step := range []struct {
		after time.Duration
		who   Caller
		wait  time.Duration
	}{
		{0, a, 0},
		{0, a, 0},
		{0, a, 0},
		{0, a, 4 * time.Second}, // a has used its three
		{0, b, 0},
		{0, b, 0},
		{0, b, 2 * time.Second}, // the tenant has used its five
		{0, other, 0},           // the limits of others are untouched
		{2 * time.Second, b, 0}, // the refused requests did not count
		{0, b, 2 * time.Second},
		{time.Second, a, time.Second},
		{time.Second, a, 0},
		{time.Hour, a, 0},
		{0, a, 0},
		{0, a, 0},
		{0, a, 4 * time.Second},
	} {
		c.now = c.now.Add(step.after)
		if wait := l.take(step.who); wait != step.wait {
			t.Errorf("step %d: wait %v, want %v", i, wait, step.wait)
		}
	}
}

// The limiter forgets quiet callers, and loses nothing by it.
func TestLimiterForgets(t *testing.T) {
	c := &clock{testNow()}
	l := newLimiter(Limits{Client: Limit{2, 20 * time.Second}}, c.Now)
	for i := range 10_000 {
		c.now = c.now.Add(10 * time.Millisecond)
		if wait := l.take(Caller{testTenant, strconv.Itoa(i)}); wait > 0 {
			t.Fatalf("caller %d waits %v", i, wait)
		}
		if n := len(l.buckets); n > 4_100 {
			t.Fatalf("%d callers are remembered", n)
		}
	}
	c.now = c.now.Add(time.Minute)
	if wait := l.take(Caller{testTenant, "x"}); wait > 0 || len(l.buckets) != 1 {
		t.Errorf("wait %v, %d callers are remembered", wait, len(l.buckets))
	}
}

// The limiter does not forget a caller that was not quiet.
func TestLimiterRemembers(t *testing.T) {
	c := &clock{testNow()}
	l := newLimiter(Limits{Client: Limit{1, 20 * time.Second}}, c.Now)
	l.take(Caller{otherTenant, "first"})
	c.now = c.now.Add(19 * time.Second)
	l.take(Caller{testTenant, "a"})
	c.now = c.now.Add(time.Second)
	if wait := l.take(Caller{testTenant, "a"}); wait.Round(time.Second) != 19*time.Second {
		t.Errorf("wait %v, want 19s", wait)
	}
}

// A caller over its limit gets Graph's answer, whatever it asks for, and no rows.
func TestThrottled(t *testing.T) {
	c := &clock{testNow()}
	config := testConfig(filled(t, 3))
	config.Now = c.Now
	config.Limits.Client = Limit{2, 21 * time.Second}
	h := New(config)
	page(t, get(t, h, reference))
	failed(t, get(t, h, "/v1.0/nothing"))
	w := get(t, h, reference)
	code, message := failed(t, w)
	if w.Code != 429 || code != "TooManyRequests" || message != "Please retry again later." || w.Header().Get("Retry-After") != "11" {
		t.Errorf("status %d, retry after %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	id := w.Header().Get("Request-Id")
	want := `{"error":{"code":"TooManyRequests","message":"Please retry again later.","innerError":{"code":"429","date":"2026-11-23T14:17:10",` +
		`"message":"Please retry after","request-id":"` + id + `","client-request-id":"` + id + `","status":"429"}}}`
	if w.Body.String() != want {
		t.Errorf("body %s, want %s", w.Body, want)
	}
	if w := get(t, h, "/v1.0/$metadata"); w.Code != 200 {
		t.Errorf("$metadata: status %d", w.Code)
	}
	c.now = c.now.Add(11 * time.Second)
	page(t, get(t, h, reference))
}

// Strict mode has Microsoft's limits, unless the settings have others.
func TestStrictLimits(t *testing.T) {
	config := testConfig(storetest.NewModel())
	if l := New(config).conf.Limits; l != (Limits{}) {
		t.Errorf("limits %v, want none", l)
	}
	config.Strict = true
	h := New(config)
	empty := function + "(fromDateTime=2019-11-01,toDateTime=2019-11-01)"
	for range 1500 {
		if w := get(t, h, empty); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
	}
	if w := get(t, h, empty); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("status %d, header %v", w.Code, w.Header())
	}
	config.Limits.Tenant = Limit{7, time.Second}
	if l := New(config).conf.Limits; l != (Limits{Tenant: Limit{7, time.Second}}) {
		t.Errorf("limits %v", l)
	}
}
