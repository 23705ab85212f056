package graph

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trunklog/trunklog/store/storetest"
)

func TestParseFaults(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Faults
		err  string
	}{
		{in: "429=5%,latency=50ms..2s,cut=0.5%", want: Faults{Throttled: 0.05, Least: 50 * time.Millisecond, Most: 2 * time.Second, Cut: 0.005}},
		{in: " 503=100% , seed=18446744073709551615", want: Faults{Unavailable: 1, Seed: math.MaxUint64}},
		{in: "latency=200ms", want: Faults{Least: 200 * time.Millisecond, Most: 200 * time.Millisecond}},
		{in: "latency=0s..30s,429=0%", want: Faults{Most: 30 * time.Second}},
		{in: "429=60%,503=40%", want: Faults{Throttled: 0.6, Unavailable: 0.4}},

		{in: "", err: `"" is not known: 429, 503, cut, latency and seed are, as in 429=5%,latency=50ms..2s,cut=0.5%`},
		{in: "500=5%", err: `"500=5%" is not known: 429, 503, cut, latency and seed are, as in 429=5%,latency=50ms..2s,cut=0.5%`},
		{in: "429=5%,", err: `"" is not known: 429, 503, cut, latency and seed are, as in 429=5%,latency=50ms..2s,cut=0.5%`},
		{in: "429=5", err: `429: "5" is no percentage from 0% to 100%`},
		{in: "429=0.05", err: `429: "0.05" is no percentage from 0% to 100%`},
		{in: "503=-1%", err: `503: "-1%" is no percentage from 0% to 100%`},
		{in: "503=101%", err: `503: "101%" is no percentage from 0% to 100%`},
		{in: "cut=NaN%", err: `cut: "NaN%" is no percentage from 0% to 100%`},
		{in: "cut=%", err: `cut: "%" is no percentage from 0% to 100%`},
		{in: "cut", err: `cut: "" is no percentage from 0% to 100%`},
		{in: "429=1%,429=2%", err: `429 is there twice`},
		{in: "429=60%,503=40%,cut=1%", err: `429, 503 and cut are 101% together, and no request has more than one`},
		{in: "latency=50", err: `latency: "50" is no time such as 200ms, and no range such as 50ms..2s`},
		{in: "latency=1s..", err: `latency: "1s.." is no time such as 200ms, and no range such as 50ms..2s`},
		{in: "latency=2s..1s", err: `latency: "2s..1s" ends before it begins`},
		{in: "latency=-1s..1s", err: `latency: "-1s..1s" is not within 0s..30s`},
		{in: "latency=1s..31s", err: `latency: "1s..31s" is not within 0s..30s`},
		{in: "seed=x", err: `seed: "x" is no whole number`},
	} {
		got, err := ParseFaults(c.in)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: error %v, want %s", c.in, err, c.err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%q is %+v, error %v, want %+v", c.in, got, err, c.want)
		}
	}
}

func faulty(tb testing.TB, text string, rows int) *Handler {
	tb.Helper()
	f, err := ParseFaults(text)
	if err != nil {
		tb.Fatal(err)
	}
	config := testConfig(filled(tb, rows))
	config.Faults = &f
	return New(config)
}

// TestFaults: each fault meets its part of the requests, in an order that follows from the seed
// alone, and the handler counts them all.
func TestFaults(t *testing.T) {
	run := func(seed string) (statuses []int, n Injected) {
		h := faulty(t, "429=20%,503=10%,seed="+seed, 3)
		for range 1000 {
			w := get(t, h, reference+"?$top=1")
			if w.Code != 200 && (w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `"error":{"code":"`)) {
				t.Fatalf("status %d, header %v, %s", w.Code, w.Header(), w.Body)
			}
			statuses = append(statuses, w.Code)
		}
		return statuses, h.Stats().Injected
	}
	first, n := run("1")
	again, _ := run("1")
	other, _ := run("2")
	if d := cmp.Diff(first, again); d != "" {
		t.Error(d)
	}
	if cmp.Equal(first, other) {
		t.Error("another seed has the same faults")
	}
	had := map[int]uint64{}
	for _, s := range first {
		had[s]++
	}
	if had[429] != n.Throttled || had[503] != n.Unavailable || had[200]+had[429]+had[503] != 1000 {
		t.Errorf("%v, counted are %+v", had, n)
	}
	if had[429] < 150 || had[429] > 250 || had[503] < 60 || had[503] > 140 {
		t.Errorf("of 1,000 requests %v", had)
	}
}

// TestOneFaultEach: if the parts add up to all, every request gets one fault and none gets two.
func TestOneFaultEach(t *testing.T) {
	h := faulty(t, "429=30%,503=30%,cut=40%", 3)
	for range 200 {
		func() {
			defer func() { _ = recover() }() // as net/http does
			if w := get(t, h, reference); w.Code == 200 {
				t.Error("an answer without a fault")
			}
		}()
	}
	if n := h.Stats().Injected; n.Throttled+n.Unavailable+n.Cut != 200 || n.Cut < 50 || n.Throttled < 30 || n.Unavailable < 30 {
		t.Errorf("counted are %+v", n)
	}
}

// TestFaultsAreOfReading: faults meet only requests for calls and call records, and a request that
// is refused anyway has its usual answer.
func TestFaultsAreOfReading(t *testing.T) {
	h := faulty(t, "429=100%", 3)
	for path, want := range map[string]int{
		reference: 429, "/v1.0/communications/callRecords": 429, strings.Replace(reference, getCalls, getPSTN, 1): 429,
		"/v1.0/$metadata": 200, "/v1.0": 200, "/v1.0/nothing": 400,
	} {
		if w := get(t, h, path); w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
	if w := get(t, h, reference, "Authorization", ""); w.Code != 401 {
		t.Errorf("without a token: status %d", w.Code)
	}
	for i, p := range parts(t, sendBody(t, h, http.MethodPost, batchPath, batchOf(t, behind, "/$metadata")), 2) {
		if want := []int{429, 200}[i]; p.Status != want {
			t.Errorf("part %d: status %d, want %d", i, p.Status, want)
		}
	}
}

// TestLatency: each request waits, spread evenly, and the wait ends when the client goes.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := faulty(t, "latency=100ms..300ms,seed=5", 3)
		var all time.Duration
		least, most := time.Hour, time.Duration(0)
		for range 200 {
			began := time.Now()
			page(t, get(t, h, reference))
			took := time.Since(began)
			all, least, most = all+took, min(least, took), max(most, took)
		}
		if mean := all / 200; least < 100*time.Millisecond || least > 110*time.Millisecond || most > 300*time.Millisecond || most < 290*time.Millisecond || mean < 180*time.Millisecond || mean > 220*time.Millisecond {
			t.Errorf("%v to %v, %v on average", least, most, mean)
		}
		if n := h.Stats().Injected; n != (Injected{Delayed: 200}) {
			t.Errorf("counted are %+v", n)
		}
	})
}

// TestCut: the answer breaks off in the middle, over HTTP/1 and HTTP/2, compressed or not, alone or
// in a batch, and no client takes it for complete.
func TestCut(t *testing.T) {
	h := faulty(t, "cut=100%", 500)
	for _, version2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(h)
		server.EnableHTTP2 = version2
		server.StartTLS()
		for _, c := range []struct{ method, path, body, encoding string }{
			{"GET", reference, "", "identity"},
			{"GET", reference, "", "gzip"},
			{"GET", reference + "?$select=id", "", "gzip"},
			{"POST", batchPath, batchOf(t, behind, behind), "identity"},
			{"POST", batchPath, batchOf(t, behind, behind), "gzip"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer good")
			r.Header.Set("Accept-Encoding", c.encoding)
			resp, err := server.Client().Do(r)
			if err != nil {
				if c.method == "GET" {
					t.Errorf("%s %s: %v before the body", c.method, c.path, err)
				}
				continue
			}
			b, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil || errors.Is(err, io.EOF) || c.method == "GET" && len(b) == 0 || resp.StatusCode != http.StatusOK {
				t.Errorf("%s %s %s: status %d, %d bytes, error %v", c.method, c.path, c.encoding, resp.StatusCode, len(b), err)
			}
		}
		server.Close()
	}
	if n := h.Stats().Injected; n != (Injected{Cut: 10}) {
		t.Errorf("counted are %+v", n)
	}
	// The answer to HEAD has no body to cut.
	if w := send(t, h, http.MethodHead, reference); w.Code != 200 {
		t.Errorf("HEAD: status %d", w.Code)
	}
	if n := New(testConfig(storetest.NewModel())).Stats().Injected; n != (Injected{}) {
		t.Errorf("without faults: %+v", n)
	}
}
