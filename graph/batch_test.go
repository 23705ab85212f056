package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A stepAnswer is one part of a batch's answer, as a client parses it.
type stepAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// batchOf returns the body of a batch of GETs, with ids from 0 on.
func batchOf(tb testing.TB, urls ...string) string {
	tb.Helper()
	steps := make([]map[string]any, len(urls))
	for i, u := range urls {
		steps[i] = map[string]any{"id": strconv.Itoa(i), "method": "GET", "url": u}
	}
	b, err := json.Marshal(map[string]any{"requests": steps})
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// parts returns the parts of an answer, which must be of a batch of n steps.
func parts(tb testing.TB, w *httptest.ResponseRecorder, n int) []stepAnswer {
	tb.Helper()
	var a struct {
		Responses []stepAnswer `json:"responses"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("status %d, %v in %.300s", w.Code, err, w.Body)
	}
	if len(a.Responses) != n {
		tb.Fatalf("%d parts, want %d", len(a.Responses), n)
	}
	for i, p := range a.Responses {
		if p.ID != strconv.Itoa(i) {
			tb.Fatalf("part %d has the id %q", i, p.ID)
		}
	}
	return a.Responses
}

const batchPath = "/v1.0/$batch"

// behind is the part of reference behind the version.
var behind = strings.TrimPrefix(reference, "/v1.0")

// TestBatchIsAsAlone: a request has the same answer in a batch as alone, in status, headers and
// body.
func TestBatchIsAsAlone(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	for _, strict := range []bool{false, true} {
		config := testConfig(filled(t, 1200))
		config.Strict = strict
		config.Limits = Limits{Tenant: Limit{1 << 30, time.Second}}
		h := New(config)
		for range scale(t, 20) {
			urls := make([]string, 1+rng.IntN(maxBatch))
			for i := range urls {
				urls[i] = pick("/communications/callRecords/getDirectRoutingCalls", "/communications/callRecords/microsoft.graph.callRecords.getPstnCalls", "/communications/callRecords", "/communication") +
					pick("(fromDateTime=2019-11-01,toDateTime=2019-12-01)", "(fromDateTime=2019-11-01)", "(fromDateTime=2019-11-01,toDateTime=2022-12-01)", "") +
					pick("", "?$top=7", "?$filter=duration%20gt%202&$top=3", "?$select=id", "?$skip=1100", "?$skiptoken=x", "?$orderby=startDateTime%20desc", "?$format=xml")
			}
			for i, p := range parts(t, sendBody(t, h, http.MethodPost, batchPath, batchOf(t, urls...)), len(urls)) {
				alone := get(t, h, "/v1.0"+urls[i])
				if p.Status != alone.Code || p.Headers["Content-Type"] != alone.Header().Get("Content-Type") {
					t.Fatalf("%s: status %d %s, alone %d %s", urls[i], p.Status, p.Headers["Content-Type"], alone.Code, alone.Header().Get("Content-Type"))
				}
				if p.Status == http.StatusOK && string(p.Body) != alone.Body.String() {
					t.Fatalf("%s: %.300s, alone %.300s", urls[i], p.Body, alone.Body)
				}
				var a answer
				if err := json.Unmarshal(p.Body, &a); err != nil {
					t.Fatal(err)
				}
				if p.Status != http.StatusOK {
					if _, message := failed(t, alone); a.Error == nil || *a.Error.Message != message || a.Error.InnerError["request-id"] != p.Headers["Request-Id"] {
						t.Fatalf("%s: %s, alone %s", urls[i], p.Body, alone.Body)
					}
				}
			}
		}
	}
}

// TestBatchIsNoWayAround: the requests of a batch have its token, whatever their headers say. Each
// counts, and one that is too long alone is too long in a batch.
func TestBatchIsNoWayAround(t *testing.T) {
	c := &clock{testNow()}
	config := testConfig(filled(t, 3))
	config.Now, config.Limits.Client = c.Now, Limit{5, 20 * time.Second}
	asked := 0
	config.Authorize = func(r *http.Request) (Caller, error) { asked++; return authorize(r) }
	h := New(config)
	body := strings.ReplaceAll(batchOf(t, behind, behind), `"method"`, `"headers":{"Authorization":"Bearer good"},"method"`)
	for _, p := range parts(t, sendBody(t, h, http.MethodPost, batchPath, body, "Authorization", "Bearer other"), 2) {
		if p.Status != 200 || !strings.Contains(string(p.Body), `"@odata.count":0,`) {
			t.Errorf("another tenant's rows: %s", p.Body)
		}
	}
	if asked != 1 {
		t.Errorf("the token was looked at %d times", asked)
	}
	long := behind + "?x=" + strings.Repeat("a", maxTarget)
	var got []string
	for _, p := range parts(t, sendBody(t, h, http.MethodPost, batchPath, batchOf(t, behind, long, behind, "/nothing", behind, behind, behind)), 7) {
		got = append(got, strconv.Itoa(p.Status)+p.Headers["Retry-After"])
	}
	// As alone, a path that is too long does not count, and a path that names nothing counts.
	if want := "[200 414 200 400 200 200 4294]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if w := sendBody(t, h, http.MethodPost, batchPath, "{"); w.Code != 429 || w.Header().Get("Retry-After") != "4" {
		t.Errorf("a batch that is wrong, of who has had enough: status %d", w.Code)
	}
	c.now = c.now.Add(4 * time.Second)
	if w := sendBody(t, h, http.MethodPost, batchPath, "{"); w.Code != 400 {
		t.Errorf("status %d, want 400", w.Code)
	}
	if w := get(t, h, reference); w.Code != 429 {
		t.Errorf("a batch that is wrong does not count: status %d", w.Code)
	}
	if n := h.Stats().Limited; n != 3 {
		t.Errorf("%d were limited, want 3", n)
	}
}

// TestBatchSize: a batch may have 20 requests and 256 KiB.
func TestBatchSize(t *testing.T) {
	h := New(testConfig(filled(t, 3)))
	urls := make([]string, maxBatch+1)
	for i := range urls {
		urls[i] = behind + "?$select=id"
	}
	parts(t, sendBody(t, h, http.MethodPost, batchPath, batchOf(t, urls[1:]...)), maxBatch)
	if w := sendBody(t, h, http.MethodPost, batchPath, batchOf(t, urls...)); w.Code != 400 || !strings.Contains(w.Body.String(), "it has 21, and 20 are possible") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	for i := range urls {
		urls[i] = "/x?a=" + strings.Repeat("a", maxTarget-len("/v1.0/xa="))
	}
	for _, p := range parts(t, sendBody(t, h, http.MethodPost, batchPath, batchOf(t, urls[1:]...)), maxBatch) {
		if p.Status != 400 {
			t.Errorf("a url of the greatest length: status %d", p.Status)
		}
	}
	small := batchOf(t, behind)
	for name, body := range map[string]string{"plain": small + strings.Repeat(" ", maxBatchBody), "gzip": small + strings.Repeat(" ", maxBatchBody)} {
		encoding := ""
		if name == "gzip" {
			body, encoding = zipped(t, body), "gzip"
		}
		if w := sendBody(t, h, http.MethodPost, batchPath, body, "Content-Encoding", encoding); w.Code != 413 {
			t.Errorf("%s: status %d, want 413", name, w.Code)
		}
	}
}

func zipped(tb testing.TB, s string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// TestBatchEncodings: a batch and its answer may be compressed, and the batch may begin with a byte
// order mark. A body that is not JSON is in base64.
func TestBatchEncodings(t *testing.T) {
	h := New(testConfig(filled(t, 30)))
	body := strings.Replace(batchOf(t, behind, "/$metadata"), `"method"`, `"headers":{"accept-encoding":"gzip"},"method"`, 1)
	plain := parts(t, sendBody(t, h, http.MethodPost, batchPath, "\ufeff"+body), 2)
	w := sendBody(t, h, http.MethodPost, batchPath, zipped(t, body), "Content-Encoding", "gzip", "Accept-Encoding", "gzip")
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("header %v", w.Header())
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	w.Body = new(bytes.Buffer)
	if _, err := io.Copy(w.Body, z); err != nil {
		t.Fatal(err)
	}
	for i, p := range parts(t, w, 2) {
		if !bytes.Equal(p.Body, plain[i].Body) {
			t.Errorf("part %d is %s, want %s", i, p.Body, plain[i].Body)
		}
	}
	var text string
	if err := json.Unmarshal(plain[1].Body, &text); err != nil {
		t.Fatal(err)
	}
	if xml, err := base64.StdEncoding.DecodeString(text); err != nil || string(xml) != get(t, h, "/v1.0/$metadata").Body.String() {
		t.Errorf("%v, $metadata is %.100s", err, xml)
	}
	if w := sendBody(t, h, http.MethodPost, batchPath, body, "Content-Encoding", "gzip"); w.Code != 400 {
		t.Errorf("what is not in gzip: status %d", w.Code)
	}
}

// rowsOf is a store whose pages f makes.
func rowsOf(f func(ctx context.Context, yield func(*call.Row, error) bool)) fakeStore {
	return fakeStore{rows: func(ctx context.Context, _ call.Query) iter.Seq2[*call.Row, error] {
		return func(yield func(*call.Row, error) bool) { f(ctx, yield) }
	}}
}

// TestBatchIsSentAsItIsMade: the server sends a page before it begins the next one, so that a batch
// takes the memory of one page.
func TestBatchIsSentAsItIsMade(t *testing.T) {
	w := httptest.NewRecorder()
	row := sampleRow(t)
	begun := 0
	config := testConfig(rowsOf(func(_ context.Context, yield func(*call.Row, error) bool) {
		if got := strings.Count(w.Body.String(), `"@odata.count":1,`); got != begun {
			t.Errorf("page %d is begun, and %d were sent", begun+1, got)
		}
		begun++
		yield(&row, nil)
	}))
	h := New(config)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, batchPath, strings.NewReader(batchOf(t, behind, behind, behind)))
	r.Header.Set("Authorization", "Bearer good")
	h.ServeHTTP(w, r)
	if parts(t, w, 3); begun != 3 {
		t.Errorf("%d pages", begun)
	}
}

// TestBatchWaitsForTurns: each page of a batch waits for a turn, like any other.
func TestBatchWaitsForTurns(t *testing.T) {
	h := New(testConfig(filled(t, 3)))
	var held []*turn
	for range 64 { // more than there are processors
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		x, err := h.turns.begin(ctx, Caller{testTenant, "x"}, false)
		cancel()
		held = append(held, x)
		if err != nil {
			break
		}
	}
	before := h.turns.pagesHeld.Load()
	done := make(chan *httptest.ResponseRecorder)
	go func() { done <- sendBody(t, h, http.MethodPost, batchPath, batchOf(t, behind, behind)) }()
	for h.turns.pages.Users(testTenant) < len(held) {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-done:
		t.Error("a batch has not waited")
	default:
		for _, x := range held {
			x.end()
		}
		parts(t, <-done, 2)
	}
	if n := h.turns.pagesHeld.Load() - before; n == 0 {
		t.Error("no page was held")
	}
}

// TestBatchHasAMinute: a request without an answer by then gets 503 within the batch's answer.
func TestBatchHasAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(rowsOf(func(ctx context.Context, yield func(*call.Row, error) bool) {
			<-ctx.Done()
			yield(nil, ctx.Err())
		}))
		var log bytes.Buffer
		config.PageTimeout, config.Now, config.Log = 40*time.Second, nil, slog.New(slog.NewTextHandler(&log, nil))
		h := New(config)
		began := time.Now()
		for i, p := range parts(t, sendBody(t, h, http.MethodPost, batchPath, batchOf(t, behind, behind, behind, "/communications/callRecords")), 4) {
			if want := 503; i < 3 && (p.Status != want || p.Headers["Retry-After"] != "2") || i == 3 && p.Status != 200 {
				t.Errorf("part %d: status %d, header %v", i, p.Status, p.Headers)
			}
		}
		if took := time.Since(began); took != batchTime {
			t.Errorf("it took %v", took)
		}
		if n := strings.Count(log.String(), "status=503"); n != 3 {
			t.Errorf("%d are 503 in the log, want 3:\n%s", n, &log)
		}
	})
}

// TestBatchBreaksOff: an answer that breaks off does not look complete, and the log does not repeat
// what a client wrote.
func TestBatchBreaksOff(t *testing.T) {
	var log bytes.Buffer
	row := sampleRow(t)
	n := 0
	config := testConfig(rowsOf(func(_ context.Context, yield func(*call.Row, error) bool) {
		if n++; n == 2 {
			panic("secret " + row.Caller)
		}
		yield(&row, nil)
	}))
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	server := httptest.NewServer(New(config))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+batchPath, strings.NewReader(batchOf(t, behind, behind)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	resp, err := server.Client().Do(r)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("the answer came to an end")
	}
	server.Close() // waits until the handler has written its log
	if s := log.String(); !strings.Contains(s, "bug: a step of a batch panicked") || strings.Contains(s, "secret") || strings.Contains(s, row.Caller) {
		t.Errorf("log %s", s)
	}
}

// FuzzBatch: whatever a batch holds, the answer has Graph's form.
func FuzzBatch(f *testing.F) {
	for _, s := range []string{
		`{"requests":[{"id":"1","method":"GET","url":"/communications/callRecords"}]}`,
		`{"requests":[{"id":1,"method":"get","url":"communications/callRecords/getDirectRoutingCalls(fromDateTime=2019-11-01,toDateTime=2019-12-01)?$top=1","headers":{"Prefer":"odata.maxpagesize=5"}},{"id":"é\n","method":"GET","url":"/%zz?#"}]}`,
		`{"requests":[{"id":"1","method":"GET","url":"//x/../$batch?a=\u0000","headers":{"a b":"c\r\nd","Host":"x"},"dependsOn":[]}]}`,
		`{"requests":{}}`, `[]`, ``, "\ufeff{}", `{"requests":[null,{}]}`,
	} {
		f.Add([]byte(s))
	}
	h := New(testConfig(storetest.NewModel()))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := sendBody(t, h, http.MethodPost, batchPath, string(body))
		if w.Code != http.StatusOK {
			if w.Code >= 500 {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			failed(t, w)
			return
		}
		var a struct {
			Responses []stepAnswer `json:"responses"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || len(a.Responses) == 0 || len(a.Responses) > maxBatch {
			t.Fatalf("%v, %d parts in %s", err, len(a.Responses), w.Body)
		}
		for _, p := range a.Responses {
			if p.ID == "" || p.Status < 200 || p.Status >= 500 || len(p.Body) == 0 {
				t.Fatalf("part %+v", p)
			}
		}
	})
}
