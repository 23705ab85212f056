// Package graph is the HTTP API that clients of Microsoft Graph speak: the
// function communications/callRecords/getDirectRoutingCalls, of v1.0 and of
// beta, with its paths, parameters, pages, links and errors, alone and in
// batches. It is the only place that knows Graph's wire form.
//
// It reads calls from a [call.Reader] and cannot write. It does not know how a
// token is checked, where it is mounted, or what else the server serves.
//
// A request goes through these files in this order:
//
//	graph.go      what the handler is made of, the order of the checks
//	route.go      the path, the name of the function, its parameters; route_hint.go
//	datetime.go   the two parameters
//	accept.go     Accept, Accept-Encoding, Prefer, $format
//	batch.go      several requests in one
//	limit.go      requests per client and tenant
//	fault.go      what is done wrong on purpose
//	turn.go       whose page is next
//	empty.go      what there is none of
//	page.go       the query, the rows, the body; page_token.go, page_link.go
//	row.go        one row in JSON; row_value.go
//	page_pack.go  the page in gzip, which package pack makes
//	error.go      an error in Graph's JSON
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

// A Caller is who sends a request, as its token says.
type Caller struct {
	Tenant call.GUID // whose rows it sees
	Client string    // id of the application; for limits and the log
}

// Config is what a [Handler] needs. Store, Authorize and Key must be set.
type Config struct {
	Store call.Reader
	// Strict makes the API as narrow as Microsoft's, to test clients against.
	Strict bool
	// Root returns the address under which the client reached the API, as an
	// absolute https URL without a slash at the end. It may have a path, such
	// as "https://calls.contoso.com:8443/x"; the handler is then given requests
	// without that path. Nil takes the request's host.
	Root func(r *http.Request) string
	// Authorize says who sends the request. Its error is a [*refuse.Error], such as
	// [NoToken]. It is not called for $metadata, the service document, OPTIONS
	// and paths outside of the API.
	Authorize func(r *http.Request) (Caller, error)
	// Key authenticates the links to next pages. It has 32 bytes and must stay
	// the same for as long as links shall be good.
	Key []byte
	// Now tells the time; nil is the clock.
	Now func() time.Time
	// Log gets one line a request, without anything personal; nil is no log.
	Log *slog.Logger
	// PageTimeout is how long the store may take for a page before the client
	// is told to come back. 0 is no limit.
	PageTimeout time.Duration
	// Limits are the requests that callers may make. Zero is no limit; in
	// strict mode it stands for Microsoft's.
	Limits Limits
	// PlainLinks leaves $skiptoken out of links to next pages, as in strict mode.
	// They speak of places as they are: whoever follows them while rows come or
	// move may miss some or meet them twice, and each page counts through those
	// before it.
	PlainLinks bool
	// Faults are done on purpose; nil does none.
	Faults *Faults
}

// A Handler serves the API under /v1.0 and /beta. Whoever mounts it must not
// clean its paths or redirect them: SDKs do not follow. It answers every
// request, also those that are none of its own, in Graph's JSON.
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

// New returns a handler. It panics if c lacks what it must have.
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

// Fail answers a request with an error, as the API does: with its JSON, its
// headers and a line in the log. It is for what happens around the handler. The
// caller is zero if nobody knows who it is.
//
// The error is a [*refuse.Error] or is turned into one: the text of one that wraps
// [call.ErrInvalid] is shown to the client, of any other only the status is.
func (h *Handler) Fail(w http.ResponseWriter, r *http.Request, c Caller, err error) {
	x := h.begin(w, r)
	x.caller = c
	x.fail(err)
	x.log()
}

// maxTarget is how many bytes the path and the query may have. A link to a
// next page has maxPlace more, which is room for $skip and $skiptoken.
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

// serve answers the request, or returns the error to answer with. Whose it is, is
// known already if it came in a batch.
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

// read answers a request whose caller is known. Wrong is what is wrong with its path.
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

// count counts one request of the caller, or refuses it.
func (x *exchange) count() error {
	wait := x.h.limiter.take(x.caller)
	if wait <= 0 {
		return nil
	}
	x.h.counts.limited.Add(1)
	return TooManyRequests(wait)
}
