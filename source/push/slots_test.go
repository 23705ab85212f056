package push

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// TestFewGetSlots: a caller with few slots gets one, whatever others have: all other tenants, and
// as many as they can of its own tenant's clients.
func TestFewGetSlots(t *testing.T) {
	for name, s := range map[string]struct {
		*slots
		own, share, client, tenant int // slots of a tenant's own; shared; most of a client; most of a tenant
	}{
		"bodies": {newBench(t, nil).slots, 16, 512, 96, 128},
		"packed": {newBench(t, nil).packed, 4, 64, 12, 16},
		"few":    {newBench(t, func(c *Config) { c.Bodies = 16 }).slots, 1, 16, 4, 4},
		"one":    {newBench(t, func(c *Config) { c.Bodies = 1 }).packed, 1, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*slot
			take := func(tenant byte, client string) (n int) {
				for {
					slot, ok := s.take(Caller{call.GUID{tenant}, client})
					if !ok {
						return n
					}
					all = append(all, slot)
					n++
				}
			}
			if n := take(1, "first"); n != s.client {
				t.Errorf("a client gets %d", n)
			}
			if n := s.client + take(1, "second"); n != s.tenant {
				t.Errorf("a tenant gets %d", n)
			}
			for i := range byte(7) {
				for client := range 9 {
					take(2+i, fmt.Sprint(client))
				}
			}
			for i := range byte(50) {
				first, second := take(100+i, "first"), take(100+i, "second")
				if first < 1 || first+second != s.own || s.own > 1 && second < s.own/4 {
					t.Fatalf("with all taken, a tenant gets %d and %d", first, second)
				}
			}
			if n, most := s.active(), s.share+58*s.own; n > most {
				t.Errorf("%d are taken, more than %d", n, most)
			}
			for _, slot := range all {
				slot.release()
			}
			if s.active() != 0 || len(s.tenants) != 0 {
				t.Errorf("%d are left, %v", s.active(), s.tenants)
			}
			if n := take(1, "first"); n != s.client {
				t.Errorf("afterwards a client gets %d", n)
			}
			for _, slot := range all[len(all)-s.client:] {
				slot.release()
			}
		})
	}
}

// TestRest: a tenant that puts many calls while there are other tenants pauses before it puts more.
func TestRest(t *testing.T) {
	const takes = 40 * time.Millisecond
	b := newBench(t, nil)
	b.mem.put = func(context.Context) error { time.Sleep(takes); return nil }
	again := func(calls int) time.Duration {
		t.Helper()
		var began time.Time
		for n := range 2 {
			began = time.Now()
			if o := b.post(t, rows(calls*n, calls)); o.status != http.StatusOK {
				t.Fatalf("status %d: %s", o.status, o.text)
			}
		}
		return time.Since(began)
	}
	again(400)
	if b.puts.Crowded(testTenant) {
		t.Fatal("it is not alone")
	}
	b.post(t, row(0), "Tenant", "2")
	if took := again(400); took < takes+restAfter(takes) {
		t.Errorf("beside another tenant it took %v", took)
	}
}
