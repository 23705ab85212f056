package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trunklog/trunklog/refuse"
)

// An Identity is the sender of a request.
type Identity struct {
	Tenant string   // GUID of the tenant whose data the client may see
	Client string   // GUID of the application
	Roles  []string // roles in the token; of ours, only those that the client still has

	token *checked
}

// A bearer is the identity in a valid token.
type bearer struct {
	Identity
	delegated bool // issued to a user, not to an application
}

// Verify returns the sender of r, if its access token is valid and grants one of the roles.
// Otherwise the error is a [*refuse.Error]: 401 for a missing or invalid token, 403 for a valid one
// that grants none of the roles or belongs to a user, 503 if the server cannot tell now.
//
// Verify reads the token from the one Authorization header and nowhere else (RFC 6750, section
// 2.1). If an operator disables or deletes a client of this server, or takes a role from it, Verify
// sees that at once; or within [ClientStale], if another process has done it and nothing has told
// [Authority.Changed]. A client of Entra keeps its roles until its token expires.
func (a *Authority) Verify(ctx context.Context, r *http.Request, roles ...string) (Identity, error) {
	id, refused := a.verify(ctx, r, roles)
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

func (a *Authority) verify(ctx context.Context, r *http.Request, roles []string) (Identity, *refuse.Error) {
	token, refused := bearerToken(r)
	if refused != nil {
		return Identity{}, refused
	}
	if len(token) > maxToken {
		return Identity{}, malformed(token)
	}
	hash := sha256.Sum256([]byte(token))
	t := a.seen.find(hash)
	if t == nil {
		c, err := parseCompact(token, maxToken, maxTokenHeader)
		if err != nil {
			return Identity{}, malformed(token)
		}
		t = &checked{compact: c}
	}
	key := t.key
	var b bearer
	switch t.typ {
	case typAccess:
		t, b, refused = a.verifyOwn(ctx, t)
	case "JWT":
		t, b, refused = a.verifyEntra(ctx, t)
	default:
		refused = unauthorized(msgMalformed)
	}
	if refused == nil && t.key != key {
		a.seen.keep(hash, t, a.now())
	}
	if refused != nil {
		return Identity{}, refused
	}
	b.token = t
	return b.Identity, a.permits(b, roles)
}

// permits returns nil if a valid token grants one of the roles to an application.
func (a *Authority) permits(b bearer, roles []string) *refuse.Error {
	if !b.delegated && a.allows(b.Roles, roles) {
		return nil
	}
	refused := forbidden()
	if b.token.typ == typAccess {
		refused.Tenant, refused.Client = b.Tenant, b.Client
	}
	return refused
}

// Still returns nil if the grounds on which Verify accepted id still hold: the tenant and the
// client exist, no operator has voided the token or its signing key, and the token grants one of the
// roles. Of an Entra token it checks the tenant and the roles only. Otherwise the error is a
// [*refuse.Error], as of Verify. The token may have expired meanwhile, and its key have grown old,
// because a client may finish a request that it began in time.
func (a *Authority) Still(ctx context.Context, id Identity, roles ...string) error {
	b := bearer{Identity: id}
	var refused *refuse.Error
	if id.token.typ == typAccess {
		if refused = a.keyStanding(ctx, id.token.signer); refused == nil {
			b, refused = a.standing(ctx, id.token)
		}
	} else {
		refused = a.tenantStillThere(ctx, id.Tenant)
	}
	if refused == nil {
		refused = a.permits(b, roles)
	}
	if refused != nil {
		return refused
	}
	return nil
}

// keyStanding returns nil if no operator has revoked the key.
func (a *Authority) keyStanding(ctx context.Context, key *signKey) *refuse.Error {
	revoked, err := a.keys.revoked(ctx, key)
	switch {
	case err != nil:
		return unavailable(err)
	case revoked:
		return unauthorized(msgSignature)
	}
	return nil
}

// bearerToken returns the text after the scheme in the one Authorization header. Like Graph, it
// also accepts a token without a scheme.
func bearerToken(r *http.Request) (string, *refuse.Error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", noToken()
	}
	if len(values) > 1 {
		return "", unauthorized(msgMalformed)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimLeft(token, " ") // RFC 9110, section 11.4 allows 1*SP
	switch {
	case token == "" && strings.Count(scheme, ".") == 2:
		return scheme, nil
	case token == "" || !strings.EqualFold(scheme, "Bearer"):
		return "", noBearer()
	}
	return token, nil
}

// verifyOwn verifies a token with typ at+jwt. It returns it with its claims and the key that has
// signed it.
func (a *Authority) verifyOwn(ctx context.Context, t *checked) (*checked, bearer, *refuse.Error) {
	t, refused := a.checkSignature(ctx, t)
	if refused != nil {
		return nil, bearer{}, refused
	}
	if refused := a.checkOwn(t.own); refused != nil {
		return nil, bearer{}, refused
	}
	b, refused := a.standing(ctx, t)
	return t, b, refused
}

// standing judges one of our tokens, whose signature is valid, by the present state of its tenant
// and its client.
func (a *Authority) standing(ctx context.Context, t *checked) (bearer, *refuse.Error) {
	own := t.own
	if refused := a.tenantStillThere(ctx, own.Tenant); refused != nil {
		return bearer{}, refused
	}
	client, err := a.client(ctx, own.Tenant, own.Client)
	if err == nil && client.voided(own) {
		// Another process may have given the client the secret since this one has read it.
		if client, _, err = a.loadClient(ctx, own.Tenant, own.Client); err == nil && !client.voided(own) {
			a.clients.forget(nameClient(own.Tenant, own.Client))
		}
	}
	var refused *refuse.Error
	switch {
	case errors.Is(err, ErrNotFound):
		refused = unauthorized(msgUnknownApp)
	case err != nil:
		refused = unavailable(err)
	case client.Disabled:
		refused = unauthorized(msgUnknownApp)
	case client.voided(own) || own.Object != client.Object:
		refused = unauthorized(msgRevoked)
	}
	return bearer{
		Identity:  Identity{Tenant: own.Tenant, Client: own.Client, Roles: common(own.Roles, client.Roles), token: t},
		delegated: t.claims.has("scp"),
	}, refused
}

// checkSignature returns t with its claims if one of our keys has signed it.
func (a *Authority) checkSignature(ctx context.Context, t *checked) (*checked, *refuse.Error) {
	if !t.only("typ", "alg", "kid") {
		return nil, unauthorized(msgMalformed)
	}
	key, err := a.keys.find(ctx, t.kid)
	if err != nil {
		return nil, unavailable(err)
	}
	if key == nil {
		return nil, unauthorized(msgSignature)
	}
	public := key.private.Public()
	if t.key == public {
		return t, nil
	}
	if key.alg == jose.ES256 && t.highS() {
		return nil, unauthorized(msgSignature)
	}
	o, err := t.verify(key.alg, public)
	if err != nil {
		return nil, unauthorized(msgSignature)
	}
	own, ok := parseAccessClaims(o)
	if !ok {
		return nil, unauthorized(msgClaims)
	}
	return &checked{compact: t.compact, key: public, claims: o, own: own, signer: key, until: own.Expires + int64(Skew/time.Second)}, nil
}

// checkOwn checks the claims that do not need the store.
func (a *Authority) checkOwn(t accessClaims) *refuse.Error {
	root, ok := strings.CutSuffix(t.Issuer, issuerOf("", t.Tenant, t.Version == verV1))
	switch {
	case !ok || !a.known(root):
		return unauthorized(msgIssuer)
	case t.Audience != a.audience:
		return unauthorized(msgAudience)
	case t.Expires-t.Issued > int64(TokenLife/time.Second):
		return unauthorized(msgClaims)
	}
	return inTime(t.Expires, t.NotBefore, t.Issued, a.now(), Skew)
}

// inTime checks exp, nbf and iat.
func inTime(exp, nbf, iat int64, now time.Time, skew time.Duration) *refuse.Error {
	at, tol := now.Unix(), int64(skew/time.Second)
	switch {
	case at >= exp+tol:
		return unauthorized(msgExpired)
	case at+tol < nbf || at+tol < iat:
		return unauthorized(msgNotYet)
	}
	return nil
}

// tenantStillThere returns nil if the tenant exists.
func (a *Authority) tenantStillThere(ctx context.Context, tenant string) *refuse.Error {
	id, ok, err := a.tenant(ctx, tenant)
	switch {
	case err != nil:
		return unavailable(err)
	case !ok || id != tenant:
		return unauthorized(msgTenant)
	}
	return nil
}
