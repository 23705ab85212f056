package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// A refusal is the reason why the server issues no token: an error of RFC 6749, section 5.2, with
// the number and the words that users of Entra know.
//
// Source: learn.microsoft.com, "Microsoft Entra authentication and authorization error codes".
type refusal struct {
	status int
	code   string // RFC 6749
	number int    // AADSTS
	text   string // one sentence or more, without the number
	retry  int    // Retry-After in seconds; 0 is none
	client string // GUID of the client, if it exists
	cause  error  // for the log; nil if the request is at fault
	rated  bool   // counted by the limit of failures, so that its line needs no other limit
}

// err returns the refusal as an error for a caller in this program. It wraps [ErrInvalid] if the
// request is at fault.
func (r *refusal) err() error {
	if r.cause != nil {
		return fmt.Errorf("auth: issuing a token: %w", r.cause)
	}
	if r.retry > 0 {
		return fmt.Errorf("auth: no token: AADSTS%d: %s", r.number, r.text)
	}
	return fmt.Errorf("auth: no token: AADSTS%d: %s: %w", r.number, r.text, ErrInvalid)
}

func badRequest(number int, format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", number: number, text: fmt.Sprintf(format, args...)}
}

func badClient(number int, format string, args ...any) *refusal {
	return &refusal{status: http.StatusUnauthorized, code: "invalid_client", number: number, text: fmt.Sprintf(format, args...)}
}

// badAssertion refuses a client assertion. All its texts begin in the same way.
func badAssertion(number int, format string, args ...any) *refusal {
	return badClient(number, "Client assertion is not valid. "+format, args...)
}

const numberMissing = 900144

func missing(parameter string) *refusal {
	return badRequest(numberMissing, "The request body must contain the following parameter: '%s'.", parameter)
}

// inURL adds a hint to why if a missing parameter is in the URL, a common mistake. why may be nil.
func inURL(why *refusal, r *http.Request) *refusal {
	if why == nil || why.number != numberMissing {
		return why
	}
	for name := range r.URL.Query() {
		if strings.Contains(why.text, "'"+strings.ToLower(name)+"'") {
			why.text += " It stands in the URL, which is not read: URLs are logged. Move it to the body."
			return why
		}
	}
	return why
}

// noPath refuses a path that has no endpoint; rest is the part after the tenant.
func noPath(rest string) *refusal {
	why := badRequest(90023, "There is nothing at this path. Tokens are at /{tenant}/%s, by POST.", pathToken)
	if strings.HasPrefix(rest, "oauth2/") && (strings.HasSuffix(rest, "/authorize") || strings.HasSuffix(rest, "/devicecode")) {
		why = badRequest(90023, "Nobody can sign in here: trunklog has no users. An app gets its token at /{tenant}/%s, by POST with grant_type=client_credentials.", pathToken)
	}
	why.status = http.StatusNotFound
	return why
}

func unknownTenant(name string) *refusal {
	if anyTenant(name) || strings.EqualFold(name, "consumers") {
		return badRequest(90002, "Tenant '%s' not found. An app has to name its own tenant in the URL, by name or id.", shown(name))
	}
	return badRequest(90002, "Tenant '%s' not found. Check that the tenant's name or id is right, and that this is the right server.", shown(name))
}

func unknownApp(client, tenant string) *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: "unauthorized_client", number: 700016,
		text: fmt.Sprintf("Application with identifier '%s' was not found in the directory '%s'. It may belong to another tenant.", shown(client), tenant),
	}
}

func disabledApp(client string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "unauthorized_client", number: 7000112, text: fmt.Sprintf("Application '%s' is disabled.", client)}
}

func badScope(scope string) *refusal {
	hint := ""
	if strings.Contains(scope, "%2") || strings.Contains(scope, "%3") {
		hint = " It was percent-encoded twice."
	}
	return &refusal{
		status: http.StatusBadRequest, code: "invalid_scope", number: 70011,
		text: fmt.Sprintf("The provided value for the input parameter 'scope' is not valid. The scope %s is not valid: with client credentials it is one resource followed by /.default, such as https://graph.microsoft.com/.default.%s", shown(scope), hint),
	}
}

// oddSecret says what is wrong with the form of a wrong secret. It reads only what the caller sent,
// so it tells strangers nothing about the stored secrets.
func oddSecret(s string) string {
	switch {
	case strings.TrimSpace(s) != s:
		return " There is white space at one of its ends."
	case isGUID(strings.ToLower(s)):
		return " It is a GUID, as the ids of secrets are."
	case !strings.HasPrefix(s, secretPrefix):
		return " It does not begin with " + secretPrefix + ", as all secrets of trunklog do: is it one of Entra's?"
	}
	return ""
}

const numberTooMany = 90055

func tooMany(seconds int) *refusal {
	return &refusal{status: http.StatusTooManyRequests, code: "temporarily_unavailable", number: numberTooMany, text: "There are too many requests. Please retry later.", retry: seconds}
}

func outOfOrder(cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", number: 90033, text: "The service cannot issue tokens now. Please retry later.", retry: 5, cause: cause}
}

// shown returns a text of the caller in a form for an answer: at most 100 of its characters, and
// only those that RFC 6749, section 5.2 allows. It hides a secret of ours in the wrong parameter.
func shown(s string) string {
	if strings.Contains(strings.ToLower(s), secretPrefix) {
		return redacted
	}
	s = strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	return s
}

// refusalBody is the body of a refusal, with the members in Entra's order.
type refusalBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
}

// refuse answers with why, counts the refusal and logs it.
func (a *Authority) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	trace, err := newGUID(a.rand)
	if err != nil {
		why = outOfOrder(errors.Join(why.cause, err))
	}
	correlation := strings.ToLower(r.Header.Get("client-request-id"))
	if !isGUID(correlation) {
		correlation = trace
	}
	stamp := a.now().UTC().Format("2006-01-02 15:04:05Z")
	a.counts.refused.Add(1)
	a.logRefusal(r, why, trace)
	w.Header().Set("x-ms-request-id", trace)
	if why.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(why.retry))
	}
	if why.status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm=""`) // RFC 6749, section 5.2
	}
	writeJSON(w, r, why.status, refusalBody{
		Error: why.code,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			why.number, why.text, trace, correlation, stamp),
		Codes: []int{why.number}, Timestamp: stamp, TraceID: trace, CorrelationID: correlation,
	})
}

// logRefusal writes the line about a refusal, unless there were too many from that address: with a
// line for each, strangers could fill the disk. The counter has them all.
func (a *Authority) logRefusal(r *http.Request, why *refusal, trace string) {
	from := a.sender(r)
	if why.number == numberTooMany || !why.rated && a.lines.take(from, a.now()) > 0 {
		return
	}
	failed, refused := "a request to the token issuer failed", "a request to the token issuer was refused"
	if _, rest := splitPath(r.URL.Path); rest == pathToken || rest == pathTokenV1 {
		failed, refused = "a token could not be issued", "a token was refused"
	}
	if why.cause != nil {
		a.log.Error(failed, "code", why.number, "client", why.client, "trace", trace, "err", why.cause)
		return
	}
	a.log.Info(refused, "code", why.number, "client", why.client, "trace", trace, "from", from)
}

// writeJSON answers with v. It forbids caches to keep the answer, unless the caller has set
// Cache-Control.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it fails only if the client is gone
}
