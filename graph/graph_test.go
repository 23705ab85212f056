package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testRoot  = "https://calls.contoso.com:8443/x"
	function  = "/v1.0/communications/callRecords/getDirectRoutingCalls"
	reference = function + "(fromDateTime=2019-11-01,toDateTime=2019-12-01)"
)

var otherTenant = call.GUID{0: 0x22, 15: 0x22}

// testNow is the time in all tests that do not set the clock.
func testNow() time.Time { return time.Date(2026, 11, 23, 14, 17, 10, 987_000_000, time.UTC) }

// testConfig returns the configuration that a test may change.
func testConfig(store call.Reader) Config {
	return Config{
		Store:     store,
		Root:      func(*http.Request) string { return testRoot },
		Authorize: authorize,
		Key:       bytes.Repeat([]byte{7}, keySize),
		Now:       testNow,
	}
}

// authorize returns the caller or the error that the token stands for.
func authorize(r *http.Request) (Caller, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return Caller{}, NoToken()
	case "Bearer good":
		return Caller{testTenant, "client"}, nil
	case "Bearer other":
		return Caller{otherTenant, "client"}, nil
	case "Bearer audience":
		return Caller{}, WrongAudience()
	case "Bearer expired":
		return Caller{}, ExpiredToken()
	case "Bearer signature":
		return Caller{}, BadSignature()
	case "Bearer user":
		return Caller{}, Forbidden()
	case "Bearer keys-are-away":
		return Caller{}, Unavailable(errors.New("the keys cannot be fetched"))
	case "Bearer plain-error":
		return Caller{}, errors.New("secret detail")
	}
	return Caller{}, MalformedToken()
}

// get sends a request with a valid token, unless header has an Authorization.
func get(tb testing.TB, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	return send(tb, h, http.MethodGet, path, header...)
}

// send sends a request. header has names and values in turn; an empty value removes the name.
func send(tb testing.TB, h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	return sendBody(tb, h, method, path, "", header...)
}

func sendBody(tb testing.TB, h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, "https://calls.contoso.com:8443"+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// An answer is a body as a client parses it.
type answer struct {
	Context string           `json:"@odata.context"`
	Count   *int             `json:"@odata.count"`
	Value   []map[string]any `json:"value"`
	Next    string           `json:"@odata.nextLink"`
	Error   *struct {
		Code       *string           `json:"code"`
		Message    *string           `json:"message"`
		InnerError map[string]string `json:"innerError"`
	} `json:"error"`
}

// page returns the answer, which must be a page.
func page(tb testing.TB, w *httptest.ResponseRecorder) answer {
	tb.Helper()
	if w.Code != http.StatusOK {
		tb.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		tb.Fatalf("%v in %s", err, w.Body)
	}
	if a.Value == nil || a.Count == nil || *a.Count != len(a.Value) {
		tb.Fatalf("@odata.count is not the number of the rows in %.300s", w.Body)
	}
	if len(a.Value) == 0 && a.Next != "" {
		tb.Fatalf("an empty page with a link: %s", w.Body)
	}
	return a
}

// failed returns the code and the message of the answer, which must be an error in Graph's form.
func failed(tb testing.TB, w *httptest.ResponseRecorder) (code, message string) {
	tb.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		tb.Errorf("content type %q", got)
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		tb.Fatalf("status %d, %v in %s", w.Code, err, w.Body)
	}
	if a.Error == nil || a.Error.Code == nil || a.Error.Message == nil || *a.Error.Code == "" {
		tb.Fatalf("status %d without code and message: %s", w.Code, w.Body)
	}
	inner := a.Error.InnerError
	if len(inner["date"]) != 19 || inner["request-id"] != w.Header().Get("Request-Id") || inner["client-request-id"] != w.Header().Get("Client-Request-Id") {
		tb.Errorf("innerError %v, header %v", inner, w.Header())
	}
	return *a.Error.Code, *a.Error.Message
}

// ids returns the ids of a page's rows.
func ids(a answer) []string {
	var list []string
	for _, row := range a.Value {
		list = append(list, row["id"].(string))
	}
	return list
}

// local returns a link's path and query.
func local(tb testing.TB, link string) string {
	tb.Helper()
	path, ok := strings.CutPrefix(link, testRoot)
	if !ok {
		tb.Fatalf("link %q does not begin with %q", link, testRoot)
	}
	return path
}

// filled returns a store with Microsoft's sample row and n rows after it, a
// second apart from 01:00:00 on. Every fourth has failed, and every fifth
// begins in the same millisecond as the one before.
func filled(tb testing.TB, n int) *storetest.Model {
	tb.Helper()
	m := storetest.NewModel()
	rows := []call.Row{sampleRow(tb)}
	for i := range n {
		rows = append(rows, numbered(tb, i))
	}
	put(tb, m, rows...)
	return m
}

func numbered(tb testing.TB, i int) call.Row {
	tb.Helper()
	r := sampleRow(tb)
	r.ID = call.NameGUID("row", strconv.Itoa(i))
	r.Start = instant(tb, "2019-11-01T01:00:00Z").Add(time.Duration(i-i%5/4) * time.Second)
	r.Invite, r.End = r.Start.Add(-1500*time.Millisecond), r.Start.Add(5*time.Second)
	r.UserDisplayName = "User " + strconv.Itoa(i)
	if i%4 == 3 {
		r.CallType, r.Successful, r.Failure, r.End, r.Duration = "ByotOut", false, r.Start, time.Time{}, 0
		r.FinalSIPCode, r.CallEndSubReason, r.FinalSIPPhrase = 486, 560486, "Busy Here"
	}
	return r
}

func put(tb testing.TB, s call.Store, rows ...call.Row) {
	tb.Helper()
	for i := range rows {
		rows[i].Settle(call.Graph.Witness(), true)
	}
	if _, err := s.Write(tb.Context(), call.Batch{Rows: rows}); err != nil {
		tb.Fatal(err)
	}
}

// A fakeStore answers every query for rows with the same function.
type fakeStore struct {
	call.Reader
	rows func(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error]
}

func (s fakeStore) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	return s.rows(ctx, q)
}

func (s fakeStore) Latest(context.Context, call.GUID) (call.Version, error) {
	return call.Version{Epoch: 1, Number: 7}, nil
}

// scale returns n, the amount that a test tries, times TRUNKLOG_SCALE, and a tenth of it with
// -short.
func scale(tb testing.TB, n int) int {
	tb.Helper()
	if testing.Short() {
		n = max(1, n/10)
	}
	if s := os.Getenv("TRUNKLOG_SCALE"); s != "" {
		k, err := strconv.Atoi(s)
		if err != nil {
			tb.Fatalf("TRUNKLOG_SCALE: %v", err)
		}
		n *= k
	}
	return n
}

// The answer to the request of Microsoft's reference page is right, byte for byte.
func TestReferenceAnswer(t *testing.T) {
	store := filled(t, 1000)
	for _, c := range []struct {
		name   string
		strict bool
		token  string
	}{{"usual", false, "&$skiptoken="}, {"strict", true, ""}} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(store)
			config.Strict = c.strict
			w := get(t, New(config), reference)
			body := w.Body.String()
			begin := `{"@odata.context":"` + testRoot + `/v1.0/$metadata#Collection(microsoft.graph.callRecords.directRoutingLogRow)","@odata.count":1000,"value":[` + sampleJSON + `,{"id":"`
			if !strings.HasPrefix(body, begin) {
				t.Errorf("the answer begins\n%.*s\nwant\n%s", len(begin), body, begin)
			}
			end := `}],"@odata.nextLink":"` + testRoot + reference + `?$skip=1000` + c.token
			at := strings.LastIndex(body, `}],"`)
			if !strings.HasPrefix(body[at:], end) || !strings.HasSuffix(body, `"}`) {
				t.Errorf("the answer ends\n%s\nwant\n%s", body[at:], end)
			}
			if rest := body[at:][len(end):]; c.token == "" && rest != `"}` {
				t.Errorf("behind the link comes %q", rest)
			}
			if strings.ContainsAny(body, "\n\t") {
				t.Error("there is white space")
			}
		})
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	for _, spoil := range []func(*Config){
		func(c *Config) { c.Store = nil },
		func(c *Config) { c.Authorize = nil },
		func(c *Config) { c.Key = c.Key[:31] },
	} {
		c := testConfig(storetest.NewModel())
		spoil(&c)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			New(c)
		}()
	}
}

// With only the required settings, a handler takes the host of the request.
func TestDefaults(t *testing.T) {
	h := New(Config{Store: filled(t, 2), Authorize: authorize, Key: make([]byte, keySize)})
	if a := page(t, get(t, h, reference+"?$top=1")); !strings.HasPrefix(a.Next, "https://calls.contoso.com:8443/v1.0/communications/") {
		t.Errorf("link %q", a.Next)
	}
}
