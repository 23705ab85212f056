package auth

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/trunklog/trunklog/refuse"
)

// An EntraConfig lets the server accept tokens of a real Entra tenant. Entra must have issued them
// for an API of the operator's. The server refuses tokens for Microsoft Graph, because only Graph
// can verify them.
type EntraConfig struct {
	// Cloud is the name of a [Cloud]; empty is "global".
	Cloud string
	// Tenants are the GUIDs of the accepted tenants. The single entry "*" stands for every tenant
	// that [Config.Tenant] knows.
	Tenants []string
	// Audiences are the accepted values of aud: the application id of the API, and its App ID URI
	// for tokens of version 1.
	Audiences []string
	// HTTP is the client that reads the keys of the tenants; nil is one with a time limit. It
	// follows no redirect.
	HTTP *http.Client
	// AuthorityOverride replaces the cloud's authority in tests.
	AuthorityOverride string
}

// entraSkew is the difference between two clocks that Microsoft's own libraries accept.
const entraSkew = 5 * time.Minute

// entra verifies tokens of Entra tenants.
type entra struct {
	cloud     Cloud
	authority string
	tenants   map[string]bool
	any       bool
	audiences []string
	client    *http.Client
	now       func() time.Time
	log       *slog.Logger
	counts    *counters

	mu   sync.Mutex
	sets map[string]*jwks // by tenant
}

func newEntra(c EntraConfig, now func() time.Time, log *slog.Logger, counts *counters) (*entra, error) {
	cloud, err := CloudNamed(c.Cloud)
	if err != nil {
		return nil, err
	}
	e := &entra{
		cloud: cloud, authority: cloud.Authority, tenants: map[string]bool{}, audiences: slices.Clone(c.Audiences),
		now: now, log: log, counts: counts, sets: map[string]*jwks{},
	}
	if c.AuthorityOverride != "" {
		e.authority = strings.TrimSuffix(c.AuthorityOverride, "/")
	}
	for _, t := range c.Tenants {
		if t = strings.ToLower(t); t == "*" {
			e.any = true
		} else if !isGUID(t) {
			return nil, fmt.Errorf("auth: %q cannot be an Entra tenant; its GUID is needed: %w", t, ErrInvalid)
		}
		e.tenants[t] = true
	}
	if len(e.tenants) == 0 {
		return nil, fmt.Errorf("auth: no Entra tenant was given whose tokens are good; name them, or * for each one that is known: %w", ErrInvalid)
	}
	if e.any && len(e.tenants) > 1 {
		return nil, fmt.Errorf("auth: %s cannot stand beside * in the list of Entra tenants: %w", slices.Sorted(maps.Keys(e.tenants))[1], ErrInvalid)
	}
	if len(e.audiences) == 0 {
		return nil, fmt.Errorf("auth: no audience was given for tokens of Entra; name the application id of the API that you have registered: %w", ErrInvalid)
	}
	for i, aud := range e.audiences {
		if id := strings.ToLower(aud); isGUID(id) {
			e.audiences[i] = id // Entra writes it in lower case
		}
		if aud == "" || graphAudience(aud) {
			return nil, fmt.Errorf("auth: %q cannot be the audience of tokens of Entra; register an API of your own: %w", aud, ErrInvalid)
		}
	}
	e.client = &http.Client{Timeout: jwksTimeout}
	if c.HTTP != nil {
		*e.client = *c.HTTP
	}
	e.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return e, nil
}

// set returns the keyset of a tenant.
func (e *entra) set(tenant string) *jwks {
	e.mu.Lock()
	defer e.mu.Unlock()
	j := e.sets[tenant]
	if j == nil {
		j = newJWKS(tenantIssuer(e.authority, tenant), e.now, e.fetchKeys)
		e.sets[tenant] = j
	}
	return j
}

// addressee returns the tenant that the claims name, and whether they are of version 1. It refuses
// a token whose aud, iss or tid is not acceptable.
func (e *entra) addressee(claims object) (tenant string, v1 bool, refused *refuse.Error) {
	if aud, ok := claims.text("aud"); !ok || !slices.Contains(e.audiences, aud) {
		refused := unauthorized(msgAudience)
		if graphAudience(aud) {
			refused.Hint = hintForGraph
		}
		return "", false, refused
	}
	tid, _ := claims.text("tid")
	iss, _ := claims.text("iss")
	if !isGUID(tid) || !e.any && !e.tenants[tid] {
		return "", false, unauthorized(msgIssuer)
	}
	switch iss {
	case tenantIssuer(e.authority, tid):
		return tid, false, nil
	case e.cloud.STS + "/" + tid + "/":
		return tid, true, nil
	}
	return "", false, unauthorized(msgIssuer)
}

// verifyEntra verifies a token with typ JWT. It returns it with its claims and the key that has
// signed it.
func (a *Authority) verifyEntra(ctx context.Context, t *checked) (*checked, bearer, *refuse.Error) {
	e := a.entra
	if e == nil {
		// Most of these are tokens for Graph.
		return nil, bearer{}, hinted(unauthorized(msgAudience), hintNotOurs)
	}
	claims := t.claims
	if claims == nil {
		var err error
		if claims, err = t.unverified(); err != nil || !t.plain() || t.header.has("x5c") {
			return nil, bearer{}, unauthorized(msgMalformed)
		}
	}
	tenant, _, refused := e.addressee(claims)
	if refused != nil {
		return nil, bearer{}, refused
	}
	// This check comes first, so that a stranger cannot make the server fetch keys.
	if refused := a.tenantStillThere(ctx, tenant); refused != nil {
		return nil, bearer{}, refused
	}
	if t, refused = e.checkSignature(ctx, tenant, t); refused != nil {
		return nil, bearer{}, refused
	}
	b, refused := e.bearer(t.claims)
	return t, b, refused
}

// checkSignature returns t with its claims if a key of that tenant has signed it.
func (e *entra) checkSignature(ctx context.Context, tenant string, t *checked) (*checked, *refuse.Error) {
	if t.alg != string(jose.RS256) || t.kid == "" {
		return nil, unauthorized(msgSignature)
	}
	key, err := e.set(tenant).key(ctx, t.kid)
	switch {
	case err != nil:
		return nil, unavailable(err)
	case key == nil:
		return nil, unauthorized(msgSignature)
	case t.key == crypto.PublicKey(key):
		return t, nil
	}
	claims, err := t.verify(jose.RS256, key)
	if err != nil {
		return nil, unauthorized(msgSignature)
	}
	exp, _ := claims.seconds("exp")
	return &checked{compact: t.compact, key: key, claims: claims, until: exp + int64(entraSkew/time.Second)}, nil
}

// bearer returns the identity in the claims of a token, after a check of all claims. The caller has
// verified the signature.
func (e *entra) bearer(claims object) (bearer, *refuse.Error) {
	tenant, v1, refused := e.addressee(claims)
	if refused != nil {
		return bearer{}, refused
	}
	ver, app := "2.0", "azp"
	if v1 {
		ver, app = "1.0", "appid"
	}
	got, _ := claims.text("ver")
	client, _ := claims.text(app)
	client = strings.ToLower(client)
	if got != ver || !isGUID(client) {
		return bearer{}, unauthorized(msgClaims)
	}
	exp, ok1 := claims.seconds("exp")
	nbf, ok2 := claims.seconds("nbf")
	iat, ok3 := claims.seconds("iat")
	if !ok1 || !ok2 || !ok3 {
		return bearer{}, unauthorized(msgClaims)
	}
	if refused := inTime(exp, nbf, iat, e.now(), entraSkew); refused != nil {
		return bearer{}, refused
	}
	b := bearer{Identity: Identity{Tenant: tenant, Client: client}, delegated: claims.has("scp")}
	if claims.has("idtyp") {
		typ, _ := claims.text("idtyp")
		b.delegated = b.delegated || typ != "app"
	}
	if claims.has("roles") {
		var ok bool
		if b.Roles, ok = claims.texts("roles"); !ok {
			return bearer{}, unauthorized(msgClaims)
		}
	}
	return b, nil
}
