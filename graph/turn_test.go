package graph

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/share"
)

var (
	noisy = Caller{Tenant: call.GUID{1}, Client: "noisy"}
	other = Caller{Tenant: call.GUID{1}, Client: "other"}
	quiet = Caller{Tenant: call.GUID{2}, Client: "quiet"}
)

// testTurns returns the turns of two processors.
func testTurns() *turns {
	return &turns{pages: share.NewTurns[call.GUID](2), scans: share.New[call.GUID](1, 1), clients: share.New[Caller](0, 1)}
}

// TestPageTurns: however many pages the clients of one tenant ask for, those of another get their
// turn. A client that gives up waits no longer, and nothing of it stays in memory.
func TestPageTurns(t *testing.T) {
	x := testTurns()
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	var held []*turn
	for _, c := range []Caller{noisy, other} {
		h, err := x.begin(t.Context(), c, false)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, h)
	}
	for range 100 {
		waiting.Go(func() {
			h, err := x.begin(ctx, noisy, false)
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			h.end()
		})
	}
	h, err := x.begin(t.Context(), quiet, false)
	if err != nil {
		t.Fatal(err)
	}
	held = append(held, h)
	for x.pages.Users(noisy.Tenant) < 102 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	waiting.Wait()
	for _, h := range held {
		h.end()
		h.end()
	}
	if n := x.pages.Users(noisy.Tenant) + x.pages.Users(quiet.Tenant); n != 0 || x.pagesHeld.Load() != 100 {
		t.Errorf("%d have a turn, %d pages were held", n, x.pagesHeld.Load())
	}
}

// TestScanTurns: a tenant runs one scan at a time, which holds up neither its pages nor the scans
// of other tenants.
func TestScanTurns(t *testing.T) {
	x := testTurns()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var scans sync.WaitGroup
	var running atomic.Int64
	scan := func(c Caller, until func() bool) {
		h, err := x.begin(ctx, c, true)
		if err != nil {
			return
		}
		defer h.end()
		for h.Err() == nil && !until() {
			if !h.scan {
				continue
			}
			if n := running.Add(1); n > 1 {
				t.Errorf("%d scans go on at once", n)
			}
			running.Add(-1)
		}
	}
	for _, c := range []Caller{noisy, noisy, noisy, other} {
		scans.Go(func() { scan(c, func() bool { return false }) })
	}
	for x.scansHeld.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 10 {
		h, err := x.begin(t.Context(), other, false)
		if err != nil {
			t.Fatal(err)
		}
		h.end()
	}
	n := 0
	scan(quiet, func() bool { n++; return n > 1000 })
	if n != 1001 {
		t.Errorf("the scan of another tenant came to step %d", n)
	}
	cancel()
	scans.Wait()
	if x.pages.Users(noisy.Tenant)+x.scans.Users(noisy.Tenant)+x.clients.Users(noisy)+x.clients.Users(other) != 0 {
		t.Error("somebody has kept a turn")
	}
}

// An endless is a store whose searches find no row and never end.
type endless struct{ call.Reader }

func (endless) Latest(context.Context, call.GUID) (call.Version, error) {
	return call.Version{Epoch: 1}, nil
}

func (endless) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	return func(yield func(*call.Row, error) bool) {
		for q.Where != nil {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// TestScanAndPage: through the handler, a tenant whose clients scan still gets a page, and the
// scans end when their clients are gone.
func TestScanAndPage(t *testing.T) {
	h := New(Config{
		Store: endless{}, Key: make([]byte, keySize), PageTimeout: time.Minute,
		Authorize: func(*http.Request) (Caller, error) { return noisy, nil },
	})
	get := func(ctx context.Context, query string) int {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-01-01,toDateTime=2026-02-01)"+query, nil))
		return rec.Code
	}
	ctx, cancel := context.WithCancel(t.Context())
	var scans sync.WaitGroup
	for range 10 {
		scans.Go(func() {
			if code := get(ctx, "?$filter=contains(callerNumber,'7')"); code != http.StatusServiceUnavailable {
				t.Errorf("a scan: status %d", code)
			}
		})
	}
	for h.Stats().ScansHeld == 0 {
		time.Sleep(time.Millisecond)
	}
	if code := get(t.Context(), ""); code != http.StatusOK {
		t.Errorf("a page: status %d", code)
	}
	cancel()
	scans.Wait()
}
