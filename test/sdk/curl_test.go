package sdk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// A curl is curl with a token.
type curl struct {
	s     *server
	token string
	flags []string
}

// An answer is what curl got.
type answer struct {
	proto  string // "HTTP/1.1" or "HTTP/2"
	status string // with what stands behind it
	header http.Header
	body   []byte
}

func newCurl(t *testing.T, s *server, flags ...string) *curl {
	t.Helper()
	kit.Need(t, "curl")
	return &curl{s, s.house.token(t, s.reader), flags}
}

// get runs curl.
func (c *curl) get(t *testing.T, args ...string) answer {
	t.Helper()
	dir := t.TempDir()
	head, body := filepath.Join(dir, "head"), filepath.Join(dir, "body")
	all := []string{"--silent", "--show-error", "--max-time", "60", "--cacert", c.s.CA(), "--dump-header", head, "--output", body}
	if c.token != "" {
		all = append(all, "--header", "Authorization: Bearer "+c.token)
	}
	all = append(append(all, c.flags...), args...)
	if out, err := exec.CommandContext(t.Context(), "curl", all...).CombinedOutput(); err != nil {
		t.Fatalf("curl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	var a answer
	b, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	line, err := r.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	a.proto, a.status, _ = strings.Cut(line, " ")
	a.status = strings.TrimSpace(a.status)
	h, err := r.ReadMIMEHeader()
	if err != nil && err != io.EOF {
		t.Fatalf("headers %q: %v", b, err)
	}
	a.header = http.Header(h)
	if a.body, err = os.ReadFile(body); err != nil && !os.IsNotExist(err) { // without a body there is no file
		t.Fatal(err)
	}
	return a
}

// A curlPage is a page as a script reads it.
type curlPage struct {
	Context  string            `json:"@odata.context"`
	Count    int               `json:"@odata.count"`
	Value    []json.RawMessage `json:"value"`
	NextLink *string           `json:"@odata.nextLink"`
}

func (a answer) page(t *testing.T) curlPage {
	t.Helper()
	if !strings.HasPrefix(a.status, "200") {
		t.Fatalf("%s %s: %.500s", a.proto, a.status, a.body)
	}
	return decode[curlPage](t, a.body)
}

// path is what a script asks for.
const path = "/communications/callRecords/getDirectRoutingCalls(fromDateTime=" + fromDate + ",toDateTime=" + toDate + ")"

// needHTTP2 skips or fails the test if curl speaks HTTP/1.1 only.
func needHTTP2(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "curl", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "HTTP2") {
		kit.Missing(t, "this curl speaks no HTTP/2")
	}
}

func TestCurlPages(t *testing.T) {
	t.Parallel()
	kit.Need(t, "curl")
	rows := generate(t, rowCount, 1)
	s := newHouse(t, rows).serve(t)
	for _, test := range []struct{ name, flag, proto string }{
		{"HTTP 1.1", "--http1.1", "HTTP/1.1"},
		{"HTTP 2", "--http2", "HTTP/2"},
	} {
		for _, compressed := range []bool{false, true} {
			name, flags, encoding := test.name, []string{test.flag}, ""
			if compressed {
				name, flags, encoding = name+" compressed", append(flags, "--compressed"), "gzip"
			}
			t.Run(name, func(t *testing.T) {
				if test.proto == "HTTP/2" {
					needHTTP2(t)
				}
				c := newCurl(t, s, flags...)
				walkByCurl(t, c, s.url+"/beta"+path, rows, func(a answer) {
					if a.proto != test.proto || a.header.Get("Content-Encoding") != encoding {
						t.Errorf("the answer came by %s in encoding %q", a.proto, a.header.Get("Content-Encoding"))
					}
				})
			})
		}
	}
}

// walkByCurl follows the links, as a script does, and compares every row byte
// by byte.
func walkByCurl(t *testing.T, c *curl, url string, rows []row, check func(answer)) {
	t.Helper()
	at := 0
	for {
		a := c.get(t, url)
		check(a)
		p := a.page(t)
		if p.Count != len(p.Value) || p.Count == 0 || p.Count > pageSize {
			t.Fatalf("@odata.count is %d in a page of %d rows", p.Count, len(p.Value))
		}
		for _, line := range p.Value {
			if at >= len(rows) || string(line) != rows[at].line {
				t.Fatalf("row %d is\n%s, want\n%s", at, line, rows[min(at, len(rows)-1)].line)
			}
			at++
		}
		if p.NextLink == nil {
			break
		}
		url = *p.NextLink
	}
	if at != len(rows) {
		t.Errorf("%d rows came, want %d", at, len(rows))
	}
}

// All the ways in which people and tools write the same request.
func TestCurlSpellings(t *testing.T) {
	t.Parallel()
	kit.Need(t, "curl")
	rows := generate(t, 1_500, 1)
	s := newHouse(t, rows).serve(t)
	c := newCurl(t, s)
	root := s.url + "/v1.0/communications/callRecords/"
	encoded := strings.NewReplacer("(", "%28", ")", "%29", ",", "%2C", "=", "%3D")
	for name, args := range map[string][]string{
		"as on the reference page": {root + "getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)"},
		"path as is":               {"--path-as-is", root + "getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)"},
		"qualified":                {root + "microsoft.graph.callRecords.getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)"},
		"encoded":                  {root + encoded.Replace("getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)")},
		"other case and order":     {strings.ToLower(root) + "GetDirectRoutingCalls(toDateTime=2026-11-01,fromDateTime=2026-09-01)"},
		"full times":               {root + "getDirectRoutingCalls(fromDateTime=2026-09-01T00:00:00Z,toDateTime=2026-10-31T23:59:59.9999999Z)"},
		"offset with a raw plus":   {root + "getDirectRoutingCalls(fromDateTime=2026-09-01T02:00:00+02:00,toDateTime=2026-11-01T00:00:00+00:00)"},
		"colons encoded":           {root + "getDirectRoutingCalls(fromDateTime=2026-09-01T02%3A00%3A00%2B02%3A00,toDateTime=2026-11-01)"},
		"quoted":                   {root + "getDirectRoutingCalls(fromDateTime='2026-09-01',toDateTime='2026-11-01')"},
		"aliases":                  {"--get", "--data-urlencode", "@a=2026-09-01", "--data-urlencode", "@b=2026-11-01", root + "getDirectRoutingCalls(fromDateTime=@a,toDateTime=@b)"},
		"options by --get":         {"--get", "--data-urlencode", "$top=1000", "--data-urlencode", "$count=true", root + "getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)"},
		"options raw":              {root + "getDirectRoutingCalls(fromDateTime=2026-09-01,toDateTime=2026-11-01)?$top=1000"},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.get(t, args...).page(t)
			if p.Count != 1000 || p.NextLink == nil {
				t.Fatalf("the page has %d rows and the link %v", p.Count, p.NextLink)
			}
			next := c.get(t, *p.NextLink).page(t)
			if next.Count != 500 || next.NextLink != nil {
				t.Fatalf("the second page has %d rows and the link %v", next.Count, next.NextLink)
			}
			for i, line := range append(p.Value, next.Value...) {
				if id := parseRow(t, string(line)).id; id != rows[i].id {
					t.Fatalf("row %d is %s, want %s", i, id, rows[i].id)
				}
			}
		})
	}
}

// A filter stays in force on the pages behind the first.
func TestCurlFilter(t *testing.T) {
	t.Parallel()
	kit.Need(t, "curl")
	rows := generate(t, 1_500, 1)
	s := newHouse(t, rows).serve(t)
	c := newCurl(t, s)
	var want []string
	for _, r := range rows {
		if strings.Contains(r.line, `"successfulCall":false`) {
			want = append(want, r.id)
		}
	}
	if len(want) < 20 || len(want) > 1_000 {
		t.Fatalf("%d of the generated calls failed: the test shows nothing", len(want))
	}
	var got []string
	a := c.get(t, "--get", "--data-urlencode", "$filter=successfulCall eq false", "--data-urlencode", "$top=10", s.url+"/v1.0"+path)
	for {
		p := a.page(t)
		for _, line := range p.Value {
			got = append(got, parseRow(t, string(line)).id)
		}
		if p.NextLink == nil {
			break
		}
		a = c.get(t, *p.NextLink)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%d rows came, want %d", len(got), len(want))
	}
}

func TestCurlMethods(t *testing.T) {
	t.Parallel()
	kit.Need(t, "curl")
	s := newHouse(t, generate(t, 10, 1)).serve(t)
	c := newCurl(t, s)
	url := s.url + "/v1.0" + path

	got, head := c.get(t, url), c.get(t, "--head", url)
	// With --head, what curl puts out is the headers again.
	if !strings.HasPrefix(head.status, "200") || !bytes.HasPrefix(head.body, []byte("HTTP/")) {
		t.Errorf("HEAD was answered by %s with %.100q", head.status, head.body)
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Odata-Version", "Cache-Control"} {
		if a, b := got.header.Get(name), head.header.Get(name); a != b || a == "" {
			t.Errorf("%s is %q for GET and %q for HEAD", name, a, b)
		}
	}

	anyone := &curl{s: s}
	options := anyone.get(t, "--request", "OPTIONS", url)
	if !strings.HasPrefix(options.status, "20") || !strings.Contains(options.header.Get("Allow"), "GET") {
		t.Errorf("OPTIONS was answered by %s, Allow %q", options.status, options.header.Get("Allow"))
	}
	for _, method := range []string{"POST", "DELETE"} {
		a := c.get(t, "--request", method, url)
		if !strings.HasPrefix(a.status, "405") || !strings.Contains(a.header.Get("Allow"), "GET") {
			t.Errorf("%s was answered by %s, Allow %q", method, a.status, a.header.Get("Allow"))
		}
		checkError(t, a, "405")
	}
}

// Whatever goes wrong, the answer is Graph's JSON.
func TestCurlErrors(t *testing.T) {
	t.Parallel()
	kit.Need(t, "curl")
	h := newHouse(t, generate(t, 10, 1))
	s := h.serve(t)
	c := newCurl(t, s)
	for _, test := range []struct {
		status string
		client *curl
		args   []string
	}{
		{"401", &curl{s: s}, []string{s.url + "/v1.0" + path}},
		{"401", &curl{s: s, token: forge(c.token)}, []string{s.url + "/v1.0" + path}},
		{"403", &curl{s: s, token: h.token(t, h.feeder)}, []string{s.url + "/v1.0" + path}},
		{"400", c, []string{s.url + "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=,toDateTime=)"}},
		{"400", c, []string{s.url + "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-02-30,toDateTime=2026-11-01)"}},
		{"400", c, []string{s.url + "/v1.0/users"}},
		{"406", c, []string{"--header", "Accept: text/csv", s.url + "/v1.0" + path}},
	} {
		checkError(t, test.client.get(t, test.args...), test.status)
	}
}

// checkError checks that an answer is an error of Graph's.
func checkError(t *testing.T, a answer, status string) {
	t.Helper()
	if !strings.HasPrefix(a.status, status) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s %s %.300s, want %s", a.status, a.header.Get("Content-Type"), a.body, status)
		return
	}
	e := decode[struct {
		Error struct {
			Code       string
			Message    *string
			InnerError map[string]string
		}
	}](t, a.body).Error
	if e.Code == "" || e.Message == nil || e.InnerError["request-id"] != a.header.Get("Request-Id") || len(e.InnerError["date"]) != 19 {
		t.Errorf("%s has the body %s", status, a.body)
	}
}

func TestCurlPagesStrict(t *testing.T) {
	t.Parallel()
	kit.Need(t, "curl")
	rows := generate(t, 3_000, 1)
	s := newHouse(t, rows).serve(t, "--strict")
	c := newCurl(t, s)
	links := 0
	walkByCurl(t, c, s.url+"/beta"+path, rows, func(a answer) {
		if link := a.page(t).NextLink; link != nil {
			links++
			if want := s.url + "/beta" + path + "?$skip=" + strconv.Itoa(links*pageSize); *link != want {
				t.Errorf("the link is %s, want %s", *link, want)
			}
		}
	})
	if links != 2 {
		t.Errorf("%d links, want 2", links)
	}
}
