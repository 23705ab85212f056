package graph

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// Whatever a client sends, the answer has Graph's form and is no fault of the server.
func TestHostile(t *testing.T) {
	h := New(testConfig(filled(t, 3)))
	long := strings.Repeat
	for _, c := range []struct {
		name, path string
		status     int
	}{
		{"a long path", "/v1.0/" + long("a", 8<<10), 414},
		{"a long query", reference + "?a=" + long("a", 8<<10), 414},
		{"many options", reference + "?" + long("a=1&", 100_000), 414},
		{"many options of eight thousand bytes", reference + "?" + long("a&", 4000), 400},
		{"many segments", "/v1.0" + long("/a", 4000), 400},
		{"many slashes", "/v1.0" + long("/", 8000), 200},
		{"many parameters", function + "(" + long("fromDateTime=1,", 500) + ")", 400},
		{"many commas", function + "(" + long(",", 8000) + ")", 400},
		{"many parentheses", function + long("(", 8000), 400},
		{"many quotes", function + "(" + long("'", 8000) + ")", 400},
		{"NUL in the path", "/v1.0/communications%00/callRecords", 400},
		{"NUL in a date", function + "(fromDateTime=2019-11-01%00,toDateTime=2019-12-01)", 400},
		{"NUL in the query", reference + "?$filter=%00", 400},
		{"a bad escape in the query", reference + "?$filter=%zz", 400},
		{"a bad escape in a name", reference + "?%zz=1", 400},
		{"half an escape", reference + "?$top=%3", 400},
		{"bytes that are no text", "/v1.0/%FF%FE%C0%80", 400},
		{"escaped slashes", "/v1.0%2Fcommunications", 400},
		{"escaped twice", strings.ReplaceAll(reference, "(", "%2528"), 400},
		{"dots", "/v1.0/../v1.0/communications", 400},
		{"deep filter", reference + "?$filter=" + long("(", 2000) + "1" + long(")", 2000), 400},
		{"numbers that are too long", function + "(fromDateTime=" + long("2", 4000) + ",toDateTime=2019-12-01)", 400},
		{"a skip that is too long", reference + "?$skip=" + long("9", 4000), 400},
		{"a token that is too long", reference + "?$skiptoken=" + long("A", 6000), 400},
		{"an alias that is too long", function + "(fromDateTime=@" + long("a", 4000) + ",toDateTime=2019-12-01)", 400},
		{"many aliases", reference + "?" + long("@a=1&", 50), 400},
	} {
		w := get(t, h, c.path)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %.200s", c.name, w.Code, c.status, w.Body)
		}
		if w.Code != 200 {
			failed(t, w)
		}
		if w.Body.Len() > 1500 {
			t.Errorf("%s: an answer of %d bytes", c.name, w.Body.Len())
		}
	}
	for name, value := range map[string]string{
		"Accept": long("application/json;q=0.1,", 10_000), "Accept-Encoding": long("gzip;q=0,", 10_000) + "gzip",
		"Prefer": long("odata.maxpagesize=1,", 10_000), "Client-Request-Id": long("x", 100_000),
	} {
		if w := get(t, h, reference, name, value); w.Code != 200 {
			t.Errorf("%s of %d bytes: status %d", name, len(value), w.Code)
		}
	}
}

// The server reads only the beginning of a list.
func TestElementsEnd(t *testing.T) {
	n := 0
	for range elements([]string{strings.Repeat("a,", 70), strings.Repeat("b,,", 70)}) {
		n++
	}
	if n != 100 {
		t.Errorf("%d elements, want 100", n)
	}
}

// A link is never longer than the longest path and query that the server accepts.
func TestLongLinkCanBeFollowed(t *testing.T) {
	for _, strict := range []bool{false, true} {
		config := testConfig(filled(t, 2100))
		config.Strict = strict
		h := New(config)
		pad := maxTarget - len(reference) - len("x=")
		path := reference + "?x=" + strings.Repeat("a", pad+1)
		if w := get(t, h, path); w.Code != 414 {
			t.Errorf("status %d, want 414", w.Code)
		}
		if got := h.Stats(); got != (Stats{TooLong: 1}) {
			t.Errorf("the counts are %+v", got)
		}
		path = path[:len(path)-1]
		n := 0
		for path != "" {
			a := page(t, get(t, h, path))
			n += len(a.Value)
			path = ""
			if a.Next != "" && n < 5000 {
				path = local(t, a.Next)
			}
		}
		if n != 2101 {
			t.Errorf("strict %v: %d rows", strict, n)
		}
	}
}

// Odd requests that net/http lets through.
func TestOddTargets(t *testing.T) {
	server := httptest.NewServer(New(testConfig(filled(t, 3))))
	defer server.Close()
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET https://other.example" + reference + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", 200},
		{"GET " + reference + " HTTP/1.0\r\nAuthorization: Bearer good\r\n\r\n", 200},
		{"GET " + reference + "?$filter=\"\x80\" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", 400},
		{"GET " + reference + "# HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", 400},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200}, // net/http itself answers
		{"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"POST " + reference + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 405},
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: %v", c.request, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%q: status %d, want %d", c.request, res.StatusCode, c.status)
		}
		_ = conn.Close()
	}
}

// FuzzHandler: any request has an answer in Graph's form. A client can follow the link in it, which
// has no braces and differs from the link that the client came by.
func FuzzHandler(f *testing.F) {
	for _, target := range []string{
		reference,
		reference + "?$top=2&$select=id&$filter=duration%20gt%201",
		"/beta/communications/callRecords/microsoft.graph.callRecords.getDirectRoutingCalls(fromDateTime=@a,toDateTime='2023-1-5')?@a=2019-11-01T00:00:00%2B01:00",
		function + "(fromDateTime=,toDateTime=)", "/v1.0/$metadata", "/v1.0", "/", "/v1.0/communications", "https://a/b", "*",
	} {
		f.Add("GET", target, "application/json", "odata.maxpagesize=1", "gzip", false)
		f.Add("HEAD", target, "text/html", "", "", true)
	}
	f.Add("POST", reference, "*/*", "", "identity;q=0", false)
	rows := []call.Row{sampleRow(f)}
	for i := range 4 {
		rows = append(rows, numbered(f, i))
	}
	store := storetest.NewModel()
	put(f, store, rows...)
	config := testConfig(store)
	usual := New(config)
	config.Strict = true
	config.Limits.Client = Limit{1 << 30, 1}
	strict := New(config)
	f.Fuzz(func(t *testing.T, method, target, accept, prefer, encoding string, narrow bool) {
		h := usual
		if narrow {
			h = strict
		}
		for pages := 0; target != ""; pages++ {
			if pages > len(rows) {
				t.Fatal("the links do not end")
			}
			u, err := url.ParseRequestURI(target)
			if err != nil {
				return // net/http does not let it through
			}
			r := &http.Request{Method: method, URL: u, Header: http.Header{
				"Authorization": {"Bearer good"}, "Accept": {accept}, "Prefer": {prefer}, "Accept-Encoding": {encoding},
			}}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			link, err := inspect(w, method)
			if err != nil {
				t.Fatalf("%s %q: %v", method, target, err)
			}
			if link == target || strings.ContainsAny(link, "{} \"<>") || pages > 0 && w.Code != 200 {
				t.Fatalf("%q gives status %d and link %q", target, w.Code, link)
			}
			target = strings.TrimPrefix(link, testRoot)
		}
	})
}

// inspect returns the link in an answer, or an error if the answer is wrong.
func inspect(w *httptest.ResponseRecorder, method string) (link string, err error) {
	switch {
	case w.Code >= 500 || w.Code < 200:
		return "", fmt.Errorf("status %d: %s", w.Code, w.Body)
	case method == http.MethodHead || w.Code == http.StatusNoContent:
		if w.Body.Len() > 0 {
			return "", fmt.Errorf("a body of %d bytes", w.Body.Len())
		}
		return "", nil
	case w.Header().Get("Content-Encoding") == "gzip", strings.HasPrefix(w.Header().Get("Content-Type"), "application/xml"):
		return "", nil
	}
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		return "", fmt.Errorf("%w in %s", err, w.Body)
	}
	if w.Code >= 400 && (a.Error == nil || a.Error.Code == nil || a.Error.Message == nil) {
		return "", fmt.Errorf("status %d without code and message: %s", w.Code, w.Body)
	}
	if w.Code == 200 && a.Next != "" && len(a.Value) == 0 {
		return "", fmt.Errorf("an empty page with a link: %s", w.Body)
	}
	return a.Next, nil
}
