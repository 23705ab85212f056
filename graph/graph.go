// Package graph is the HTTP API that clients of Microsoft Graph speak: the function
// communications/callRecords/getDirectRoutingCalls, of v1.0 and of beta, with its paths,
// parameters, pages, links and errors, alone and in batches. Only this package writes Graph's wire
// form; package graphjson reads rows in it.
//
// It reads calls from a [call.Reader] and cannot write. It does not know how the server checks a
// token, under which path it mounts the handler, or what else it serves.
//
// A request goes through these files in this order:
//
//	graph.go      the handler, its settings, the order of the checks
//	route.go      the path, the name of the function, its parameters; route_hint.go
//	metadata.go   the service document and the schema
//	datetime.go   the two parameters
//	accept.go     Accept, Accept-Encoding, Prefer, $format
//	batch.go      several requests in one
//	limit.go      requests per client and tenant
//	fault.go      injected faults
//	turn.go       the order in which pages are made
//	empty.go      the functions that always answer with an empty list
//	page.go       the query, the rows, the body; page_token.go, page_link.go
//	row.go        one row in JSON; row_value.go
//	page_pack.go  the page in gzip, which package pack makes
//	error.go      an error in Graph's JSON; error_token.go
//	respond.go    headers, gzip, the log line
//
// Sources: learn.microsoft.com, "callRecord: getDirectRoutingCalls", "Paging
// Microsoft Graph data in your app", "Microsoft Graph error responses";
// OData JSON Format 4.01 and OData Protocol 4.01 (OASIS).
package graph

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/graph/pack"
)

// A Caller is the tenant and the application that a request's token names.
type Caller struct {
	Tenant call.GUID // the caller sees the rows of this tenant alone
	Client string    // id of the application; for limits and the log
}

// Config is what a [Handler] needs. Store, Authorize and Key must be set.
type Config struct {
	Store call.Reader
	// Strict narrows the API to what Microsoft's accepts, so that developers can test their clients
	// against it.
	Strict bool
	// Root returns the address under which the client reached the API, as an
	// absolute https URL without a slash at the end. It may have a path, such
	// as "https://calls.contoso.com:8443/x"; the handler is then given requests
	// without that path. Nil takes the request's host.
	Root func(r *http.Request) string
	// Authorize returns the caller of a request. Its error is a [*refuse.Error], such as [NoToken].
	// The handler does not call it for $metadata, the service document, OPTIONS and paths outside
	// of the API. It calls it once for a batch.
	Authorize func(r *http.Request) (Caller, error)
	// Key authenticates the links to next pages. It has 32 bytes. A link is valid only under the
	// key that it was made with.
	Key []byte
	// Now tells the time; nil is the clock.
	Now func() time.Time
	// Log gets one line for each request, without personal data; nil is no log.
	Log *slog.Logger
	// PageTimeout is how long a page may wait for its turn and for the store, in total, before the
	// client gets 503. 0 is no limit.
	PageTimeout time.Duration
	// Limits bound the requests of callers. Zero is no limit; in strict mode it stands for
	// Microsoft's limits.
	Limits Limits
	// PlainLinks leaves $skiptoken out of links to next pages, as strict mode does. Such a link
	// only counts the rows to skip. If rows arrive or move meanwhile, a client that follows it may
	// miss some or read them twice. With a $filter, the store goes through all earlier rows again
	// for each page.
	PlainLinks bool
	// Faults are injected on purpose; nil injects none.
	Faults *Faults
}

// A Handler serves the API under /v1.0 and /beta. The server that mounts it must not clean its
// paths or redirect them, because SDKs do not follow redirects. It answers every request in Graph's
// JSON, also those to paths outside of the API.
type Handler struct {
	conf    Config
	limiter *limiter
	counts  counts
	turns   *turns
	packer  *pack.Packer
	bodies  sync.Pool // of *[]byte
	zips    sync.Pool // of *zip

	pstnAsked sync.Once
	saboteur  *saboteur
}

const keySize = 32

// New returns a handler. It panics if c has no Store, no Authorize or no Key of 32 bytes.
func New(c Config) *Handler {
	if c.Store == nil || c.Authorize == nil || len(c.Key) != keySize {
		panic("graph: New needs a Store, an Authorize and a Key of 32 bytes")
	}
	if c.Root == nil {
		c.Root = func(r *http.Request) string { return "https://" + r.Host }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Strict && c.Limits == (Limits{}) {
		c.Limits = microsoftLimits()
	}
	return &Handler{conf: c, limiter: newLimiter(c.Limits, c.Now), turns: newTurns(), packer: pack.New(rowKinds, marks), saboteur: newSaboteur(c.Faults)}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	if err := x.serve(); err != nil {
		x.fail(err)
	}
	x.log()
}

// Fail answers a request with an error in the form of the API: its JSON, its headers and a line in
// the log. The server calls it for failures outside of the handler. c is zero if the caller is not
// known.
//
// The error is a [*refuse.Error], or Fail turns it into one. The client reads the text of an error
// that wraps [call.ErrInvalid]; of any other it learns only the status.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, c Caller, err error) {
	x := h.begin(w, r)
	x.caller = c
	x.fail(err)
	x.log()
}

// maxTarget limits the path and the query together, in bytes. A link to a next page may have
// maxPlace more, which is room for $skip and $skiptoken.
const (
	maxTarget = 8 << 10
	maxPlace  = 128
)

func targetTooLong(r *http.Request) bool {
	most := maxTarget
	if strings.Contains(r.URL.RawQuery, "skip=") {
		most += maxPlace
	}
	return len(r.URL.EscapedPath())+len(r.URL.RawQuery) > most
}

// serve answers the request, or returns the error to answer with. A request in a batch has its
// caller already.
func (x *exchange) serve() error {
	r := x.r
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	case http.MethodOptions:
		x.options()
		return nil
	default:
		return methodNotAllowed(allowed)
	}
	if targetTooLong(r) {
		x.h.counts.tooLong.Add(1)
		return uriTooLong()
	}
	rt, err := parseRoute(r.URL.EscapedPath())
	switch {
	case (r.Method == http.MethodPost) != (rt.kind == routeBatch):
		return methodNotAllowed(rt.allowed())
	case rt.kind == routeNone:
		return err
	case rt.kind == routeService:
		return x.serviceDocument(rt)
	case rt.kind == routeMetadata:
		return x.metadata(rt)
	}
	if x.batchID == "" {
		caller, authErr := x.h.conf.Authorize(r)
		if authErr != nil {
			return authErr
		}
		x.caller = caller
	}
	if rt.kind == routeBatch {
		return x.batch(rt)
	}
	return x.read(rt, err)
}

// read answers a request whose caller is known. wrong is the error of its path, or nil.
func (x *exchange) read(rt route, wrong error) error {
	if err := x.count(); err != nil {
		return err
	}
	if wrong != nil {
		return wrong
	}
	if err := x.sabotage(); err != nil {
		return err
	}
	switch rt.kind {
	case routeRecords:
		return x.records(rt)
	case routePSTN:
		return x.pstn(rt)
	}
	return x.page(rt)
}

// count counts one request against the caller's limits, or returns the error that refuses it.
func (x *exchange) count() error {
	wait := x.h.limiter.take(x.caller)
	if wait <= 0 {
		return nil
	}
	x.h.counts.limited.Add(1)
	return TooManyRequests(wait)
}
