package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An Identity is who a request comes from.
type Identity struct {
	Tenant string   // GUID: the tenant whose data the client may see
	Client string   // GUID of the application
	Roles  []string // what the token grants, and the client still has
}

// A bearer is what a good token says.
type bearer struct {
	Identity
	delegated bool // issued to a user, not to an application
}

// Verify returns who sent r, if its access token is good for role. Otherwise the
// error is an [*Error]: 401 for a token that is missing or no good, 403 for a
// good one without the role or of a user, 503 if nobody can tell now.
//
// The token stands in one Authorization header and nowhere else (RFC 6750,
// section 2.1). That its client was disabled, deleted or lost the role is seen
// at once, or within [ClientStale] if it was done by another process.
func (a *Authority) Verify(ctx context.Context, r *http.Request, role string) (Identity, error) {
	id, refused := a.verify(ctx, r, role)
	switch {
	case refused == nil:
		a.counts.allowed.Add(1)
		return id, nil
	case refused.Status == http.StatusServiceUnavailable:
		a.counts.unavailable.Add(1)
	default:
		a.counts.denied.Add(1)
	}
	return Identity{}, refused
}

func (a *Authority) verify(ctx context.Context, r *http.Request, role string) (Identity, *Error) {
	token, refused := bearerToken(r)
	if refused != nil {
		return Identity{}, refused
	}
	c, err := parseCompact(token, maxToken, maxTokenHeader)
	if err != nil {
		return Identity{}, unauthorized(msgMalformed)
	}
	var b bearer
	switch c.typ {
	case typAccess:
		b, refused = a.verifyOwn(ctx, c)
	case "JWT":
		b, refused = a.verifyEntra(ctx, c)
	default:
		refused = unauthorized(msgMalformed)
	}
	switch {
	case refused != nil:
		return Identity{}, refused
	case b.delegated || !a.allows(b.Roles, role):
		return Identity{}, forbidden()
	}
	return b.Identity, nil
}

// bearerToken returns what follows the scheme in the one Authorization header.
func bearerToken(r *http.Request) (string, *Error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", noToken()
	}
	if len(values) > 1 {
		return "", unauthorized(msgMalformed)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", noToken()
	}
	return token, nil
}

// verifyOwn judges a token with typ at+jwt.
func (a *Authority) verifyOwn(ctx context.Context, c compact) (bearer, *Error) {
	if !c.only("typ", "alg", "kid") {
		return bearer{}, unauthorized(msgMalformed)
	}
	key, err := a.keys.find(ctx, c.kid)
	if err != nil {
		return bearer{}, unavailable(err)
	}
	if key == nil || key.alg == jose.ES256 && c.highS() {
		return bearer{}, unauthorized(msgSignature)
	}
	o, err := c.verify(key.alg, key.private.Public())
	if err != nil {
		return bearer{}, unauthorized(msgSignature)
	}
	t, ok := parseAccessClaims(o)
	if !ok {
		return bearer{}, unauthorized(msgClaims)
	}
	if refused := a.checkOwn(o, t); refused != nil {
		return bearer{}, refused
	}
	if refused := a.tenantStillThere(ctx, t.Tenant); refused != nil {
		return bearer{}, refused
	}
	client, err := a.client(ctx, t.Tenant, t.Client)
	switch {
	case errors.Is(err, ErrNotFound):
		return bearer{}, unauthorized(msgUnknownApp)
	case err != nil:
		return bearer{}, unavailable(err)
	case client.Disabled:
		return bearer{}, unauthorized(msgUnknownApp)
	case t.Issued <= client.Since || t.Object != client.Object:
		return bearer{}, unauthorized(msgRevoked)
	}
	return bearer{
		Identity:  Identity{Tenant: t.Tenant, Client: t.Client, Roles: common(t.Roles, client.Roles)},
		delegated: o.has("scp"),
	}, nil
}

// checkOwn checks the claims that need no look at the store.
func (a *Authority) checkOwn(o object, t accessClaims) *Error {
	root, ok := strings.CutSuffix(t.Issuer, tenantIssuer("", t.Tenant))
	switch {
	case !ok || !a.known(root):
		return unauthorized(msgIssuer)
	case t.Audience != a.audience:
		return unauthorized(msgAudience)
	case t.Expires-t.Issued > int64(TokenLife/time.Second):
		return unauthorized(msgClaims)
	}
	return inTime(o, a.now(), Skew)
}

// inTime checks exp, nbf and iat, all of which must be there.
func inTime(o object, now time.Time, skew time.Duration) *Error {
	exp, ok1 := o.seconds("exp")
	nbf, ok2 := o.seconds("nbf")
	iat, ok3 := o.seconds("iat")
	at, tol := now.Unix(), int64(skew/time.Second)
	switch {
	case !ok1 || !ok2 || !ok3:
		return unauthorized(msgClaims)
	case at >= exp+tol:
		return unauthorized(msgExpired)
	case at+tol < nbf || at+tol < iat:
		return unauthorized(msgNotYet)
	}
	return nil
}

// tenantStillThere returns nil if the tenant is known.
func (a *Authority) tenantStillThere(ctx context.Context, tenant string) *Error {
	id, ok, err := a.tenant(ctx, tenant)
	switch {
	case err != nil:
		return unavailable(err)
	case !ok || id != tenant:
		return unauthorized(msgTenant)
	}
	return nil
}
