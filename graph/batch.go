package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trunklog/trunklog/refuse"
)

// A batch is up to 20 requests in one (learn.microsoft.com, "Combine multiple HTTP requests using
// JSON batching"). It gets around no check: its requests share the batch's token, and each counts
// against the limits, waits for its turn and may be refused as if it had come alone. The server
// answers one after the other, and sends each answer before it makes the next, so that a batch
// takes no more memory than a page.
//
// The server checks the form of the whole batch before it answers any part of it. As in Graph, an
// error of form is 400 for the whole batch; any other error is the answer to its own request, with
// a status of its own.
const (
	maxBatch     = 20
	maxBatchBody = 256 << 10 // bytes, decompressed: 20 URLs of the greatest length, and headers
	// batchTime is the time limit for all answers together. Requests without an answer by then get
	// 503.
	batchTime = time.Minute
)

// A step is one request of a batch.
type step struct {
	ID        stepID            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"` // what follows the version
	Headers   map[string]string `json:"headers"`
	DependsOn []json.RawMessage `json:"dependsOn"`
}

// A stepID is the client's name for a step. By Microsoft's page it is a string, but scripts also
// write numbers.
type stepID string

// UnmarshalJSON implements [json.Unmarshaler].
func (id *stepID) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && isDigit(b[0]) {
		*id = stepID(b)
		return nil
	}
	if err := json.Unmarshal(b, (*string)(id)); err != nil {
		return errors.New("the id of a request is a text")
	}
	return nil
}

// batch answers a batch whose caller is known.
func (x *exchange) batch(rt route) error {
	steps, err := x.readBatch()
	if err != nil {
		if tooMany := x.count(); tooMany != nil { // no request in it counts, so the batch itself does
			return tooMany
		}
		return err
	}
	// Over HTTP/1 the read deadline would also end the request while the server answers it.
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(batchTime + 10*time.Second))
	ctx, cancel := context.WithTimeout(x.r.Context(), batchTime)
	defer cancel()
	out := &batchWriter{x: x, to: x.w}
	head := x.w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Vary", "Accept-Encoding")
	if acceptsGzip(x.r.Header) {
		head.Set("Content-Encoding", "gzip")
		z := x.h.zip()
		defer x.h.keepZip(z)
		z.gz.Reset(out)
		out.to = z.gz
		defer func() {
			_ = z.gz.Close() // it fails if the client is gone
			z.gz.Reset(z)    // the compressor outlives out, so it must not refer to it
		}()
	}
	x.status = http.StatusOK
	x.w.WriteHeader(x.status)
	out.text(`{"responses":[`)
	for i := range steps {
		if i > 0 {
			out.text(",")
		}
		x.step(ctx, rt.version, &steps[i], out)
		if out.err != nil {
			return nil
		}
	}
	out.text("]}")
	return nil
}

// A batchWriter writes the answer to a batch, through a compressor if the client accepts gzip.
type batchWriter struct {
	x   *exchange
	to  io.Writer
	err error
}

// Write implements [io.Writer] for the compressor, and counts the bytes sent.
func (o *batchWriter) Write(p []byte) (int, error) {
	n, err := o.x.w.Write(p)
	o.x.bytes += n
	return n, err
}

func (o *batchWriter) text(s string) { o.bytes([]byte(s)) }

func (o *batchWriter) bytes(p []byte) {
	if o.err != nil {
		return
	}
	if o.to == o.x.w {
		_, o.err = o.Write(p)
		return
	}
	_, o.err = o.to.Write(p)
}

// step answers one request of the batch.
func (x *exchange) step(ctx context.Context, version string, s *step, out *batchWriter) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		// The answer to the batch has begun, so the server breaks the connection: the client must
		// not take what it has for the whole.
		if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way too
			x.h.conf.Log.Error("bug: a step of a batch panicked", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
		panic(http.ErrAbortHandler)
	}()
	r := x.r.Clone(ctx)
	r.Method, r.Body, r.ContentLength, r.Header = http.MethodGet, http.NoBody, 0, http.Header{}
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Del("Accept-Encoding") // the batch is compressed as a whole
	if r.Header.Get("Client-Request-Id") == "" {
		r.Header.Set("Client-Request-Id", x.clientID)
	}
	path, query, _ := strings.Cut(s.URL, "?")
	path = "/" + version + "/" + strings.TrimPrefix(path, "/")
	r.URL = &url.URL{RawPath: path, RawQuery: query}
	var err error
	r.URL.Path, err = url.PathUnescape(path)
	inner := x.h.begin(&stepWriter{out: out, id: string(s.ID), head: http.Header{}}, r)
	inner.caller, inner.batchID = x.caller, x.id
	if err == nil {
		err = inner.serve()
	} else {
		err = badEscape()
	}
	if err != nil {
		inner.fail(err)
	}
	inner.log()
}

// A stepWriter writes the answer to one step into the answer to the batch.
type stepWriter struct {
	out  *batchWriter
	id   string
	head http.Header
	json bool
}

// Header implements [http.ResponseWriter].
func (w *stepWriter) Header() http.Header { return w.head }

// WriteHeader implements [http.ResponseWriter].
func (w *stepWriter) WriteHeader(status int) {
	b := appendText([]byte(`{"id":`), w.id)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(status), 10)
	b = append(b, `,"headers":{`...)
	for _, name := range slices.Sorted(maps.Keys(w.head)) {
		switch name {
		case "Content-Length", "Vary", "X-Content-Type-Options", "Strict-Transport-Security":
			continue // these headers belong to the whole answer
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendText(append(appendText(b, name), ':'), w.head.Get(name))
	}
	w.json = strings.HasPrefix(w.head.Get("Content-Type"), "application/json")
	w.out.bytes(append(b, `},"body":`...))
}

// Write implements [http.ResponseWriter]. The handler calls it once, with the whole body. A body
// that is not JSON goes out in base64.
func (w *stepWriter) Write(p []byte) (int, error) {
	if w.json {
		w.out.bytes(p)
	} else {
		w.out.text(`"` + base64.StdEncoding.EncodeToString(p) + `"`)
	}
	w.out.text("}")
	return len(p), w.out.err
}

// readBatch returns the steps of the batch in the body, or an error if their form is wrong.
func (x *exchange) readBatch() ([]step, error) {
	body, err := x.readBody()
	if err != nil {
		return nil, err
	}
	var batch struct {
		Requests []step `json:"requests"`
	}
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &batch); {
	case errors.As(err, &kind) && kind.Field == "":
		return nil, badBatch("the body is not an object, in which 'requests' is a list of {id, method, url}.")
	case errors.As(err, &kind):
		return nil, badBatch("what '" + clip(kind.Field, 64) + "' holds is of the wrong kind (" + kind.Value + ").")
	case err != nil:
		return nil, badBatch("the body cannot be read: " + err.Error() + ".")
	case len(batch.Requests) == 0:
		return nil, badBatch("there is nothing in 'requests', which is a list of {id, method, url}.")
	case len(batch.Requests) > maxBatch:
		return nil, badRequest(fmt.Sprintf("Number of requests inside batch exceeds the limit: it has %d, and %d are possible.", len(batch.Requests), maxBatch))
	}
	seen := map[string]bool{}
	for i, s := range batch.Requests {
		if s.ID == "" {
			return nil, badBatch(fmt.Sprintf("request %d of it has no id.", i+1))
		}
		id := strings.ToLower(string(s.ID))
		if seen[id] {
			return nil, badRequest("Request Id " + clip(string(s.ID), 64) + " has to be unique in a batch.")
		}
		seen[id] = true
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	return batch.Requests, nil
}

func badBatch(why string) *refuse.Error { return badRequest("Invalid batch payload format: " + why) }

// check returns an error if the step is incomplete or asks for something that this server does not
// do.
func (s *step) check() error {
	id := "request " + clip(string(s.ID), 64)
	address, _, _ := strings.Cut(s.URL, "?")
	switch {
	case s.Method == "":
		return badBatch(id + " has no method.")
	case !strings.EqualFold(s.Method, http.MethodGet):
		return badBatch(id + " has the method " + clip(s.Method, 16) + ", and this server has calls to read: in a batch, only GET is possible.")
	case s.URL == "":
		return badBatch(id + " has no url.")
	case strings.Contains(address, "://"):
		return badBatch("the url of " + id + " is absolute: write what stands behind the version, such as /communications/callRecords/… .")
	case len(s.DependsOn) > 0:
		return badBatch(id + " has dependsOn, which this server does not do: nothing that it reads depends on anything that was read before. Leave it out.")
	}
	return nil
}

// readBody returns the body of the request, decompressed.
func (x *exchange) readBody() ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(x.w, x.r.Body, maxBatchBody)
	switch encoding := x.r.Header.Get("Content-Encoding"); {
	case strings.EqualFold(encoding, "gzip"):
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, badBatch("the body is not in gzip, as its Content-Encoding says.")
		}
		body = z
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return nil, &refuse.Error{Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType", Message: "The Content-Encoding '" + clip(encoding, 64) + "' is not known: gzip is."}
	}
	b, err := io.ReadAll(io.LimitReader(body, maxBatchBody+1))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long), len(b) > maxBatchBody:
		return nil, &refuse.Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The batch has more than 256 KiB."}
	case err != nil:
		return nil, badBatch("the body ends before its end.")
	}
	return b, nil
}
