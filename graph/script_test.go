package graph

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the scripts in testdata give into them")

// Scripts are requests and their answers in testdata/*.txt:
//
//	# a comment
//	@ strict            behave as Microsoft does
//	@ plain             links have $skip alone
//	@ rows 1000         the store holds the sample row and 1,000 more
//	@ brief             show rows by id and start only
//	> GET /v1.0/…       a request with a good token
//	> Name: value       one of its headers; without a value it is left out
//	> | {"requests":…   a line of its body
//	> NEXT              follow @odata.nextLink, with the headers of before
//
// The answer follows each request: the status, the headers that say something of the answer, and
// the body, indented. Of the rows it shows only the first and the last.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := withTokensOf(runScript(t, string(want)), string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
				t.Error(d)
			}
		})
	}
}

var skipToken = regexp.MustCompile(`(skip=[0-9]+&\$skiptoken=)[A-Za-z0-9_-]+`)

// withTokensOf returns got with the tokens of the links in want, in the same order. The answers in
// the scripts hold tokens of the first release, which [TestFirstTokens] follows. Today's are
// longer.
func withTokensOf(got, want string) string {
	tokens := skipToken.FindAllString(want, -1)
	if len(skipToken.FindAllString(got, -1)) != len(tokens) {
		return got
	}
	n := -1
	return skipToken.ReplaceAllStringFunc(got, func(token string) string {
		if n++; strings.HasPrefix(tokens[n], token[:strings.LastIndexByte(token, '=')+1]) {
			return tokens[n]
		}
		return token
	})
}

// ofStep matches the request-id of a request in a batch.
var ofStep = regexp.MustCompile(`((?i:"request-id"): ")[0-9a-f-]{36}`)

// TestFirstTokens follows the links of the first release in the scripts: each leads to a page.
func TestFirstTokens(t *testing.T) {
	n := 0
	for _, file := range []string{"reference", "accept", "options", "paths"} {
		data, err := os.ReadFile("testdata/" + file + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			_, link, ok := strings.Cut(strings.TrimSpace(line), `"@odata.nextLink": "`)
			if !ok || !strings.Contains(link, "$skiptoken=") {
				continue
			}
			n++
			var path string
			if err := json.Unmarshal([]byte(`"`+strings.TrimSuffix(link, ",")), &path); err != nil {
				t.Fatal(err)
			}
			if w := get(t, New(testConfig(filled(t, 1000))), local(t, path)); w.Code != 200 || len(tokenOf(t, path)) != 58 {
				t.Errorf("%s: status %d for %s", file, w.Code, path)
			}
		}
	}
	if n == 0 {
		t.Error("no links in the scripts")
	}
}

// A script holds the state of one that runs.
type script struct {
	h      *Handler
	config Config
	brief  bool
	next   string
	header []string
	out    strings.Builder
}

func runScript(t *testing.T, text string) string {
	t.Helper()
	s := &script{config: testConfig(filled(t, 0))}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "#"), line == "" && i > 0 && strings.HasPrefix(lines[i-1], "#"), line == "" && i > 0 && strings.HasPrefix(lines[i-1], "@"):
			s.out.WriteString(line + "\n")
		case strings.HasPrefix(line, "@ "):
			s.out.WriteString(line + "\n")
			s.set(t, strings.Fields(line[2:]))
		case strings.HasPrefix(line, "> "):
			s.out.WriteString(line + "\n")
			request := line[2:]
			var header []string
			body := ""
			for ; i+1 < len(lines) && isHeader(lines[i+1]); i++ {
				s.out.WriteString(lines[i+1] + "\n")
				if line, ok := strings.CutPrefix(lines[i+1], "> | "); ok {
					body += line + "\n"
					continue
				}
				name, value, _ := strings.Cut(lines[i+1][2:], ":")
				header = append(header, name, strings.TrimSpace(value))
			}
			s.request(t, request, header, body)
		}
	}
	return s.out.String()
}

// isHeader tells "> Name: value" and "> | body" apart from "> GET /path".
func isHeader(line string) bool {
	words := strings.Fields(line)
	return len(words) > 1 && words[0] == ">" && (strings.HasSuffix(words[1], ":") || words[1] == "|")
}

func (s *script) set(t *testing.T, words []string) {
	t.Helper()
	s.h = nil
	switch words[0] {
	case "strict":
		s.config.Strict = true
	case "plain":
		s.config.PlainLinks = true
	case "rows":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatal(err)
		}
		s.config.Store = filled(t, n)
	case "brief":
		s.brief = true
	default:
		t.Fatalf("@ %v", words)
	}
}

func (s *script) request(t *testing.T, request string, header []string, body string) {
	t.Helper()
	if s.h == nil {
		s.h = New(s.config)
	}
	method, path, _ := strings.Cut(request, " ")
	if request == "NEXT" {
		if s.next == "" {
			t.Fatal("NEXT without a link")
		}
		method, path = "GET", local(t, s.next)
		header = append(slices.Clone(s.header), header...)
	}
	s.header = header
	s.show(t, sendBody(t, s.h, method, path, body, header...))
}

func (s *script) show(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	fmt.Fprintln(&s.out, w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		switch name {
		case "Allow", "Content-Type", "Content-Encoding", "Preference-Applied", "Retry-After", "Www-Authenticate":
			fmt.Fprintf(&s.out, "%s: %s\n", name, w.Header().Get(name))
		}
	}
	body := w.Body.Bytes()
	s.next = ""
	if json.Valid(body) {
		var a answer
		if err := json.Unmarshal(body, &a); err == nil {
			s.next = a.Next
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		body = []byte(s.shorten(indented.String()))
	}
	text := strings.ReplaceAll(string(body), w.Header().Get("Request-Id"), "REQUEST-ID")
	text = ofStep.ReplaceAllString(text, "${1}STEP-ID")
	s.out.WriteString(strings.TrimRight(text, "\n"))
	if text != "" {
		s.out.WriteString("\n")
	}
	s.out.WriteString("\n")
}

// shorten leaves out the rows between the first and the last one and, with brief, their properties
// besides id and start.
func (s *script) shorten(body string) string {
	if strings.HasPrefix(body, "{\n  \"responses\"") {
		return body
	}
	lines := strings.Split(body, "\n")
	rows := 0
	for _, line := range lines {
		if line == "    {" {
			rows++
		}
	}
	var out []string
	row := 0
	for _, line := range lines {
		if line == "    {" {
			row++
		}
		inRow := strings.HasPrefix(line, "    ")
		switch {
		case inRow && row > 1 && row < rows:
			if line == "    {" && row == 2 {
				out = append(out, fmt.Sprintf("    … %d more", rows-2))
			}
			continue
		case s.brief && strings.HasPrefix(line, "      ") && !strings.Contains(line, `"id"`) && !strings.Contains(line, `"startDateTime"`):
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}
