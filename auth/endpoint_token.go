package auth

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	grantClientCredentials = "client_credentials"
	assertionType          = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

	maxBody       = 64 << 10
	maxParameters = 200
)

// A request asks for a token, from the token endpoint or from Mint.
type request struct {
	tenant    string   // GUID
	root      string   // the root of ours that the client asked
	v1        bool     // by Entra's v1.0
	resource  string   // as the client wrote it; v1.0 only
	endpoints []string // spellings of the token endpoint's URL that an assertion may have
	client    string   // in lower case and unchecked; empty if only the assertion names it
	secret    Secret
	assertion string
}

// tokenBody is the answer to a successful request (RFC 6749, section 5.1).
type tokenBody struct {
	Type      string `json:"token_type"`
	Expires   int64  `json:"expires_in"`
	ExtExpire int64  `json:"ext_expires_in"`
	Token     string `json:"access_token"`
}

// tokenBodyV1 is the answer by v1.0, where numbers are strings and times are seconds since 1970.
//
// Source: learn.microsoft.com, "Azure AD v1.0: service to service calls using client credentials".
type tokenBodyV1 struct {
	Type      string `json:"token_type"`
	Expires   string `json:"expires_in"`
	ExtExpire string `json:"ext_expires_in"`
	ExpiresOn string `json:"expires_on"`
	NotBefore string `json:"not_before"`
	Resource  string `json:"resource"`
	Token     string `json:"access_token"`
}

func (a *Authority) serveToken(w http.ResponseWriter, r *http.Request, at place) {
	req, why := a.readRequest(w, r, at)
	var token Secret
	var expires time.Time
	if why == nil {
		token, expires, why = a.grant(r.Context(), req)
	}
	if why != nil {
		a.refuse(w, r, a.failure(r, why))
		return
	}
	// Like Entra, the answer gives one second less than the life of the token.
	life := int64(TokenLife/time.Second) - 1
	if at.v1 {
		number := func(n int64) string { return strconv.FormatInt(n, 10) }
		writeJSON(w, r, http.StatusOK, tokenBodyV1{
			Type: "Bearer", Expires: number(life), ExtExpire: number(life),
			ExpiresOn: number(expires.Unix()), NotBefore: number(expires.Add(-TokenLife).Unix()),
			Resource: req.resource, Token: token.Reveal(),
		})
		return
	}
	writeJSON(w, r, http.StatusOK, tokenBody{Type: "Bearer", Expires: life, ExtExpire: life, Token: token.Reveal()})
}

// failure counts a refused request, and returns why, or the refusal to wait if there were too many.
// It comes after all other checks, so that valid credentials pass even from an address that also
// sends wrong ones.
func (a *Authority) failure(r *http.Request, why *refusal) *refusal {
	if why.status >= http.StatusInternalServerError || why.retry > 0 {
		return why // not the sender's fault, or already counted
	}
	if wait := a.failed.take(a.sender(r)+" "+why.client, a.now()); wait > 0 {
		a.counts.limited.Add(1)
		limited := tooMany(retryAfter(wait))
		limited.client = why.client
		return limited
	}
	why.rated = true
	return why
}

// readRequest returns the content of r, if r is a well-formed request for a token.
func (a *Authority) readRequest(w http.ResponseWriter, r *http.Request, at place) (request, *refusal) {
	form, why := readForm(w, r)
	if why != nil {
		return request{}, why
	}
	id, why := a.resolve(r, at.tenant)
	if why != nil {
		return request{}, why
	}
	if why := checkGrant(form); why != nil {
		return request{}, inURL(why, r)
	}
	path, check := pathToken, checkScope
	if at.v1 {
		path, check = pathTokenV1, checkResource
	}
	if why := check(form); why != nil {
		return request{}, inURL(why, r)
	}
	root := a.issuer(r)
	req := request{tenant: id, root: root, v1: at.v1, resource: form.Get("resource"), endpoints: []string{
		root + "/" + id + "/" + path,
		root + r.URL.Path, // with the tenant's name, as MSAL for .NET and Java write it
	}}
	return req, inURL(req.readCredentials(r, form), r)
}

// readForm returns the parameters of the body. It ignores those of the URL, because proxies and
// servers log URLs.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != "application/x-www-form-urlencoded" {
		return nil, badRequest(900144, "The request body must be application/x-www-form-urlencoded and contain the following parameter: 'grant_type'.")
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, badRequest(9002313, "Invalid request. The request body must not be compressed.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		why := badRequest(9002313, "Invalid request. The request body is longer than %d bytes.", maxBody)
		why.status = http.StatusRequestEntityTooLarge
		return nil, why
	}
	if err != nil {
		return nil, badRequest(9002313, "Invalid request. The request body ended early.")
	}
	return parseForm(string(body))
}

// parseForm parses a form in which no name may appear twice (RFC 6749, section 3.2). Names may be
// in any case, as at Entra, and it returns them in lower case. It accepts unknown names, because
// libraries send many.
func parseForm(body string) (url.Values, *refusal) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, badRequest(9002313, "Invalid request. There are more than %d parameters.", maxParameters)
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, badRequest(9002313, "Invalid request. The request body is malformed.")
	}
	out := make(url.Values, len(form))
	for name, values := range form {
		lower := strings.ToLower(name)
		if out[lower] = append(out[lower], values...); len(out[lower]) > 1 {
			return nil, badRequest(9000411, "The request is not properly formatted. The parameter '%s' is duplicated.", shown(lower))
		}
	}
	return out, nil
}

// checkGrant accepts only client_credentials.
func checkGrant(form url.Values) *refusal {
	switch grant := form.Get("grant_type"); grant {
	case grantClientCredentials:
		return nil
	case "":
		return missing("grant_type")
	default:
		why := badRequest(70003, "The app requested an unsupported grant type '%s'. Only client_credentials is supported.", shown(grant))
		why.code = "unsupported_grant_type"
		return why
	}
}

// checkScope checks the scope of v2.0: it names one resource, as RESOURCE/.default. ".default"
// alone stands for Graph. The server does not compare the resource with anything, because every
// token has the same audience.
func checkScope(form url.Values) *refusal {
	scope := form.Get("scope")
	if strings.TrimSpace(scope) == "" {
		why := missing("scope")
		if form.Get("resource") != "" {
			why.text += " 'resource' belongs to /{tenant}/oauth2/token; here it is scope=RESOURCE/.default."
		}
		return why
	}
	resource := ""
	for _, s := range strings.Fields(scope) {
		s = strings.ToLower(s)
		switch s {
		case "openid", "profile", "email", "offline_access":
			continue // MSAL for Go always adds these
		}
		if resource != "" && resource != s || s != ".default" && (!strings.HasSuffix(s, "/.default") || s == "/.default") {
			return badScope(scope)
		}
		resource = s
	}
	if resource == "" {
		return badScope(scope)
	}
	return nil
}

// checkResource checks the resource of v1.0, which must not be empty.
func checkResource(form url.Values) *refusal {
	if strings.TrimSpace(form.Get("resource")) != "" {
		return nil
	}
	why := badRequest(50001, "Resource identifier is not provided. Add the parameter 'resource', such as https://graph.microsoft.com.")
	why.code = "invalid_resource"
	if form.Get("scope") != "" {
		why.text += " 'scope' belongs to /{tenant}/oauth2/v2.0/token."
	}
	return why
}

// readCredentials reads the credentials of the client, which must be of exactly one kind (RFC 6749,
// section 2.3 and RFC 7521, section 4.2).
func (req *request) readCredentials(r *http.Request, form url.Values) *refusal {
	req.client = strings.ToLower(form.Get("client_id"))
	req.secret = NewSecret(form.Get("client_secret"))
	req.assertion = form.Get("client_assertion")
	typ := form.Get("client_assertion_type")
	switch {
	case req.assertion != "" && typ == "":
		return missing("client_assertion_type")
	case req.assertion == "" && typ != "":
		return missing("client_assertion")
	case typ != "" && typ != assertionType:
		return badRequest(50027, "Invalid JWT token. The client_assertion_type must be %s.", assertionType)
	}
	basic, why := req.readBasic(r)
	if why != nil {
		return why
	}
	ways := 0
	for _, there := range []bool{basic, form.Get("client_secret") != "", req.assertion != ""} {
		if there {
			ways++
		}
	}
	switch {
	case ways > 1:
		return badRequest(9002313, "Invalid request. The client must prove who it is in one way, not in %d: client_secret, client_assertion or the Authorization header.", ways)
	case req.client == "" && req.assertion == "":
		return missing("client_id")
	case ways == 0 && form.Has("client_secret"):
		return badClient(7000216, "The parameter 'client_secret' is empty. Is the variable set that it comes from?")
	case ways == 0:
		return badClient(7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	}
	return nil
}

// readBasic reads a client id and secret from the Authorization header (RFC 6749, section 2.3.1),
// and reports whether the header has them. It ignores other schemes.
func (req *request) readBasic(r *http.Request) (bool, *refusal) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return false, badRequest(9002313, "Invalid request. There is more than one Authorization header.")
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		return false, nil
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	id = strings.ToLower(id)
	if err1 != nil || err2 != nil || id == "" || secret == "" || req.client != "" && req.client != id {
		return false, badRequest(9002313, "Invalid request. The Authorization header is malformed, or names another client than the request body.")
	}
	req.client = id
	if req.secret.IsZero() {
		req.secret = NewSecret(secret)
	}
	return true, nil
}

// grant returns a token if the credentials in req are valid. It uses up an assertion last, so that
// the client can send it again after another failure.
func (a *Authority) grant(ctx context.Context, req request) (token Secret, expires time.Time, why *refusal) {
	c, cred, once, why := a.authenticate(ctx, req)
	defer func() {
		if why != nil {
			why.client = c.ID
			token = Secret{}
		}
	}()
	if why != nil {
		return token, expires, why
	}
	name := nameClient(c.Tenant, c.ID)
	if wait := a.byID.take(name, a.now()); wait > 0 {
		a.counts.limited.Add(1)
		return token, expires, tooMany(retryAfter(wait))
	}
	defer func() {
		if why != nil {
			a.byID.back(name) // the rate counts issued tokens only
		}
	}()
	token, expires, err := a.issue(ctx, req, c, cred)
	if err != nil {
		return token, expires, outOfOrder(err)
	}
	if why := once(ctx); why != nil {
		return token, expires, why
	}
	a.counts.issued.Add(1)
	a.noteUse(ctx, c, cred.id)
	a.log.Debug("a token was issued", "tenant", c.Tenant, "client", c.ID, "credential", cred.id)
	return token, expires, nil
}

// authenticate returns the client of req, and the secret or key that proves its identity. The
// caller calls once after all other checks, because once uses up the credentials.
func (a *Authority) authenticate(ctx context.Context, req request) (c storedClient, cred credential, once func(context.Context) *refusal, why *refusal) {
	once = func(context.Context) *refusal { return nil }
	var j assertion
	id := req.client
	if req.assertion != "" {
		if j, why = parseAssertion(req.assertion); why != nil {
			return c, credential{}, nil, why
		}
		if id == "" {
			id = j.subject
		}
	}
	if !isGUID(id) {
		why = unknownApp(id, req.tenant)
		why.text += " A client_id is a GUID, as 'trunklog client list' shows it."
		return c, credential{}, nil, why
	}
	c, err := a.client(ctx, req.tenant, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return c, credential{}, nil, unknownApp(id, req.tenant)
	case err != nil:
		return c, credential{}, nil, outOfOrder(err)
	}
	if req.assertion != "" {
		if cred, why = a.checkAssertion(c, j, req); why == nil && !a.reuseAssertions {
			once = func(ctx context.Context) *refusal { return a.useAssertion(ctx, c, j) }
		}
	} else {
		cred, why = a.checkSecret(c, req.secret)
	}
	// Only a caller that has proved to be the client may know that it is disabled.
	if why == nil && c.Disabled {
		why = disabledApp(c.ID)
	}
	return c, cred, once, why
}

// checkSecret returns the credential of s, if s is a secret of c that has not expired.
func (a *Authority) checkSecret(c storedClient, s Secret) (credential, *refusal) {
	x, ok := a.secretOf(c, s)
	switch {
	case !ok:
		return credential{}, badClient(7000215, "Invalid client secret provided. Ensure that it is the secret's value, not its id, of a secret added to app '%s'.%s", c.ID, oddSecret(s.Reveal()))
	case !x.Expires.IsZero() && !a.now().Before(x.Expires):
		return credential{}, badClient(7000222, "The provided client secret keys for app '%s' are expired. Make a new one with: trunklog client rotate.", c.ID)
	}
	return credential{x.ID, x.ID}, nil
}
