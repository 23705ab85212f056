package http

import (
	"fmt"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// TestFewGetSlots: who has few slots gets one, whatever others have: of other
// tenants all, of its own tenant as many as they can.
func TestFewGetSlots(t *testing.T) {
	for name, s := range map[string]struct {
		*slots
		own, share, client, tenant int // that can be had of one's own, in all, by one client, by one tenant
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
