package push

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// A head is what a request's headers and query say of its body.
type head struct {
	lines bool   // JSON lines; otherwise JSON of any layout
	gzip  bool   // packed by gzip
	key   string // Idempotency-Key; empty if there is none
	kind  call.Kind
}

func parseHead(r *http.Request) (h head, err error) {
	if h.lines, err = parseType(r.Header.Values("Content-Type")); err != nil {
		return h, err
	}
	if h.gzip, err = parseEncoding(r.Header.Values("Content-Encoding")); err != nil {
		return h, err
	}
	if h.kind, err = parseQuery(r.URL.RawQuery); err != nil {
		return h, err
	}
	h.key, err = parseKey(r.Header.Values("Idempotency-Key"))
	return h, err
}

// parseType reports whether the body is JSON lines. JSON lines have no registered media type, so it
// accepts all that are in use.
func parseType(values []string) (lines bool, err error) {
	if len(values) != 1 {
		return false, unsupported("One Content-Type is needed: application/x-ndjson, application/jsonl or application/json.")
	}
	name, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return false, unsupported("The Content-Type cannot be read: application/x-ndjson, application/jsonl and application/json are possible.")
	}
	for p, v := range params {
		if p == "charset" && !strings.EqualFold(v, "utf-8") {
			return false, unsupported("Only the charset utf-8 is possible.")
		}
	}
	switch name {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines", "application/x-jsonlines":
		return true, nil
	case "application/json":
		return false, nil
	}
	return false, unsupported("This Content-Type is not supported: application/x-ndjson, application/jsonl and application/json are possible.")
}

func parseEncoding(values []string) (gzip bool, err error) {
	switch strings.ToLower(strings.Join(values, ",")) {
	case "", "identity":
		return false, nil
	case "gzip", "x-gzip":
		return true, nil
	}
	return false, badEncoding()
}

// parseQuery reads kind=…, the maker of the records. It decides what they are worth beside what
// other witnesses say of the same call, and which clients may deliver them. It is 0 if there is an
// error.
func parseQuery(query string) (call.Kind, error) {
	kind := call.CDR
	values, err := url.ParseQuery(query)
	if err != nil {
		return 0, badQuery("The query cannot be read.")
	}
	for name, v := range values {
		if name != "kind" {
			return 0, badQuery("There is an unknown parameter in the query: only kind is possible.")
		}
		if len(v) > 1 {
			return 0, badQuery("The parameter kind is there more than once.")
		}
		switch v[0] {
		case "cdr":
		case "graph":
			kind = call.Graph
		default:
			return 0, badQuery("The parameter kind is cdr, for records that the SBC made, or graph, for what Microsoft Graph has answered.")
		}
	}
	return kind, nil
}

// maxKey is the longest Idempotency-Key, in bytes.
const maxKey = 255

func parseKey(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", badKey()
	}
	key := values[0]
	if key == "" || len(key) > maxKey {
		return "", badKey()
	}
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return "", badKey()
		}
	}
	return key, nil
}
