package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// seed returns the seed of a test and prints it; TRUNKLOG_SEED sets it.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if s := os.Getenv("TRUNKLOG_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TRUNKLOG_SEED: %v", err)
		}
	}
	t.Logf("TRUNKLOG_SEED=%d", n)
	return n
}

// A walker makes rows, many of which begin in the same millisecond.
type walker struct {
	*rand.Rand
	made int
}

func (w *walker) row(tb testing.TB) call.Row {
	tb.Helper()
	w.made++
	r := sampleRow(tb)
	r.ID = call.NameGUID("walk", strconv.Itoa(w.made))
	r.Start = instant(tb, "2019-11-02T00:00:00Z").Add(time.Duration(w.IntN(400)) * time.Millisecond)
	if w.IntN(10) == 0 {
		r.Start = r.Start.Add(100 * time.Nanosecond)
	}
	r.Successful = w.IntN(3) > 0
	return r
}

// A client that follows the links reads every row that was there at the beginning once, and only
// once, whatever a source writes meanwhile.
func TestWalkWhileWriting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seed(t), 0))
	for _, c := range []struct {
		query string
		size  int
		match func(call.Row) bool
	}{
		{"", 1000, nil},
		{"?$top=999", 999, nil},
		{"?$top=250&$orderby=startDateTime%20desc", 250, nil},
		{"?$filter=successfulCall%20eq%20true&$top=77", 77, func(r call.Row) bool { return r.Successful }},
		{"?$top=33&$select=id,startDateTime", 33, nil},
		{"?$skip=0&$top=500", 500, nil},
	} {
		t.Run(c.query, func(t *testing.T) {
			for range scale(t, 2) {
				w := &walker{Rand: rnd}
				store := storetest.NewModel()
				rows := make([]call.Row, 2500)
				want := map[string]bool{}
				for i := range rows {
					rows[i] = w.row(t)
					if c.match == nil || c.match(rows[i]) {
						want[rows[i].ID.String()] = true
					}
				}
				put(t, store, rows...)
				walk(t, New(testConfig(store)), reference+c.query, c.size, want, func() {
					for range w.IntN(20) {
						put(t, store, w.row(t))
					}
				})
			}
		})
	}
}

// walk follows the links from path on, and calls meanwhile between two pages.
func walk(t *testing.T, h http.Handler, path string, size int, want map[string]bool, meanwhile func()) {
	t.Helper()
	seen := map[string]bool{}
	last, skip := "", 0
	newestFirst := strings.Contains(path, "desc")
	for {
		a := page(t, get(t, h, path))
		if len(a.Value) > size || len(a.Value) < size && a.Next != "" {
			t.Fatalf("%d rows in a page of %d", len(a.Value), size)
		}
		for _, row := range a.Value {
			id := row["id"].(string)
			if seen[id] {
				t.Fatalf("row %s comes twice", id)
			}
			seen[id] = true
			// Times of the same day compare as texts once they are as long.
			place := fmt.Sprintf("%-29s", strings.TrimSuffix(row["startDateTime"].(string), "Z")) + id
			if last != "" && (place <= last) != newestFirst {
				t.Fatalf("row %s comes after %s", place, last)
			}
			last = place
		}
		if a.Next == "" {
			break
		}
		if testRoot+path == a.Next || strings.ContainsAny(a.Next, "{}") {
			t.Fatalf("link %q", a.Next)
		}
		skip += len(a.Value)
		if !strings.Contains(a.Next, "?$skip="+strconv.Itoa(skip)+"&$skiptoken=") {
			t.Fatalf("after %d rows the link is %q", skip, a.Next)
		}
		path = local(t, a.Next)
		meanwhile()
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("row %s never came", id)
		}
	}
}

// There is a link if and only if there is a row behind the page.
func TestLinkOnlyBeforeMore(t *testing.T) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 1999, 2000, 2001} {
		store := storetest.NewModel()
		for i := range n {
			put(t, store, numbered(t, i))
		}
		for _, strict := range []bool{false, true} {
			config := testConfig(store)
			config.Strict = strict
			h := New(config)
			path, pages, rows := reference, 0, 0
			for path != "" {
				a := page(t, get(t, h, path))
				rows += len(a.Value)
				pages++
				path = ""
				if a.Next != "" && pages < 5 {
					path = local(t, a.Next)
				}
			}
			if wantPages := max(1, (n+999)/1000); rows != n || pages != wantPages {
				t.Errorf("%d rows, strict %v: %d rows on %d pages, want %d", n, strict, rows, pages, wantPages)
			}
		}
		if testing.Short() && n > 1001 {
			break
		}
	}
}

// The query to the store is the one that the client asked for.
func TestQueryOfThePage(t *testing.T) {
	var got call.Query
	store := fakeStore{rows: func(_ context.Context, q call.Query) iter.Seq2[*call.Row, error] {
		got = q
		return func(func(*call.Row, error) bool) {}
	}}
	h := New(testConfig(store))
	from, to := instant(t, "2019-11-01T00:00:00Z"), instant(t, "2019-12-01T00:00:00Z")
	page(t, get(t, h, reference+"?$skip=1000000"))
	if want := (call.Query{Tenant: testTenant, From: from, To: to, Skip: 1_000_000, Limit: 1001, Walk: call.Version{Epoch: 1, Number: 7}}); got != want {
		t.Errorf("query %+v, want %+v", got, want)
	}
	page(t, get(t, h, reference+"?$top=3&$orderby=startDateTime%20desc", "Authorization", "Bearer other"))
	if want := (call.Query{Tenant: otherTenant, From: from, To: to, Reverse: true, Limit: 4, Walk: call.Version{Epoch: 1, Number: 7}}); got != want {
		t.Errorf("query %+v, want %+v", got, want)
	}
	// No row can be between these two, and the zero time is not an open end.
	got = call.Query{}
	page(t, get(t, h, function+"(fromDateTime=0001-01-01,toDateTime=0001-01-01)"))
	if got.Limit != 0 {
		t.Errorf("query %+v, want none", got)
	}
}

// The number in a link does not become negative.
func TestGreatestSkip(t *testing.T) {
	row := sampleRow(t)
	h := New(testConfig(fakeStore{rows: func(context.Context, call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			for yield(&row, nil) {
			}
		}
	}}))
	if a := page(t, get(t, h, reference+"?$skip=9223372036854775800")); !strings.Contains(a.Next, "?$skip=9223372036854775807&$skiptoken=") {
		t.Errorf("link %q", a.Next)
	}
}

// A walk that began with tokens goes on with them in strict mode, although the number of rows
// before it may not be known.
func TestStrictGoesOnWithTokens(t *testing.T) {
	store := filled(t, 2500)
	usual := testConfig(store)
	strict := usual
	strict.Strict = true
	token := tokenOf(t, page(t, get(t, New(usual), reference)).Next)
	a := page(t, get(t, New(strict), reference+"?$skiptoken="+token))
	if len(a.Value) != 1000 || a.Value[0]["userDisplayName"] != "User 998" || tokenOf(t, a.Next) == token {
		t.Errorf("rows from %v on, link %q", a.Value[0]["userDisplayName"], a.Next)
	}
	if a = page(t, get(t, New(strict), local(t, a.Next))); len(a.Value) != 501 || a.Next != "" {
		t.Errorf("%d rows, link %q", len(a.Value), a.Next)
	}
}

// A tenant does not see the rows of another.
func TestTenantsAreApart(t *testing.T) {
	store := filled(t, 10)
	mine := sampleRow(t)
	mine.Tenant, mine.ID = otherTenant, call.NameGUID("other")
	put(t, store, mine)
	h := New(testConfig(store))
	if a := page(t, get(t, h, reference, "Authorization", "Bearer other")); !slices.Equal(ids(a), []string{mine.ID.String()}) {
		t.Errorf("rows %v", ids(a))
	}
	if a := page(t, get(t, h, reference)); len(a.Value) != 11 || slices.Contains(ids(a), mine.ID.String()) {
		t.Errorf("rows %v", ids(a))
	}
	next := page(t, get(t, h, reference+"?$top=1")).Next
	w := get(t, h, local(t, next), "Authorization", "Bearer other")
	if code, _ := failed(t, w); w.Code != 400 || code != "BadRequest" {
		t.Errorf("with another tenant's link: status %d, %s", w.Code, w.Body)
	}
}

// An answer shows nothing of earlier contents of its buffer.
func TestManyAtOnce(t *testing.T) {
	h := New(testConfig(filled(t, 300)))
	paths := []string{reference, reference + "?$top=7", "/v1.0/nothing", reference + "?$filter=successfulCall%20eq%20false", "/beta/$metadata"}
	tail := func(w *httptest.ResponseRecorder) string {
		return strings.ReplaceAll(w.Body.String(), w.Header().Get("Request-Id"), "")
	}
	var want []string
	for _, p := range paths {
		want = append(want, tail(get(t, h, p)))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range scale(t, 30) {
				k := (i + j) % len(paths)
				w := get(t, h, paths[k], "Accept-Encoding", []string{"", "gzip"}[j%2])
				if w.Header().Get("Content-Encoding") == "gzip" {
					z, err := gzip.NewReader(w.Body)
					if err != nil {
						t.Error(err)
						return
					}
					b, err := io.ReadAll(z)
					if err != nil {
						t.Error(err)
						return
					}
					w.Body = bytes.NewBuffer(b)
				}
				if got := tail(w); got != want[k] {
					t.Errorf("%s: %.200s, want %.200s", paths[k], got, want[k])
				}
			}
		})
	}
	wg.Wait()
}

// Clients follow links over the wire, with HTTP/1.1 and with HTTP/2.
func TestOverTheWire(t *testing.T) {
	store := filled(t, 2499)
	for _, h2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2], func(t *testing.T) {
			config := testConfig(store)
			config.Root = nil
			server := httptest.NewUnstartedServer(New(config))
			server.EnableHTTP2 = h2
			server.StartTLS()
			defer server.Close()
			client := server.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			seen, pages := map[string]bool{}, 0
			link := server.URL + "//v1.0/communications/callRecords/microsoft.graph.callRecords.getDirectRoutingCalls(fromDateTime=2019-11-01T00%3A00%3A00%2B00%3A00,toDateTime=2019-12-01T01:00:00+01:00)"
			for ; link != "" && pages < 5; pages++ {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer good")
				a, res := over(t, client, r)
				if res.Proto != t.Name()[len("TestOverTheWire/"):] || res.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
					t.Errorf("%s, header %v", res.Proto, res.Header)
				}
				for _, id := range ids(a) {
					seen[id] = true
				}
				link = a.Next
			}
			if len(seen) != 2500 || pages != 3 {
				t.Errorf("%d rows on %d pages", len(seen), pages)
			}
		})
	}
}

func over(t *testing.T, client *http.Client, r *http.Request) (answer, *http.Response) {
	t.Helper()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", res.StatusCode, err)
	}
	return a, res
}

// A client that does not wait leaves a line in the log and nothing else.
func TestClientIsGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := New(testConfig(filled(t, 3)))
	u, err := url.Parse(reference)
	if err != nil {
		t.Fatal(err)
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Authorization": {"Bearer good"}}}).WithContext(ctx)
	x := h.begin(httptest.NewRecorder(), r)
	if err := x.serve(); err == nil {
		t.Fatal("no error")
	} else {
		x.fail(err)
	}
	if x.status != statusGone {
		t.Errorf("status %d", x.status)
	}
}

// BenchmarkPage makes a page of 1,000 rows from a store that takes no time.
func BenchmarkPage(b *testing.B) {
	rows := benchRows(b, 1001)
	h := New(testConfig(fakeStore{rows: func(_ context.Context, q call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) {
			for i := range min(q.Limit, len(rows)) {
				if !yield(&rows[i], nil) {
					return
				}
			}
		}
	}}))
	u, err := url.Parse(reference)
	if err != nil {
		b.Fatal(err)
	}
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Authorization": {"Bearer good"}, "Accept-Encoding": {encoding}}}
			b.ReportAllocs()
			w := discard{header: http.Header{}}
			for b.Loop() {
				w.size = 0
				h.ServeHTTP(&w, r)
			}
			b.ReportMetric(float64(w.size), "bytes/page")
		})
	}
}

// discard is the writer of a client that reads nothing.
type discard struct {
	header http.Header
	size   int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.size += len(p)
	return len(p), nil
}
