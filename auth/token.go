package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// typAccess is the typ of our access tokens (RFC 9068, section 2.1). No other kind of token has it.
const typAccess = "at+jwt"

// accessClaims are the claims of our access tokens: those of RFC 9068, and Entra's names for the
// same things.
type accessClaims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	Issued    int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	AppID     string   `json:"appid"` // as in Entra's v1 tokens
	Party     string   `json:"azp"`   // as in Entra's v2 tokens
	Client    string   `json:"client_id"`
	Object    string   `json:"oid"`
	Roles     []string `json:"roles"`
	Subject   string   `json:"sub"`
	Tenant    string   `json:"tid"`
	JTI       string   `json:"jti"`
	Version   string   `json:"ver"`
	Epoch     int64    `json:"epoch,omitempty"` // see storedClient
	Via       string   `json:"via,omitempty"`   // the secret or key by which the client got it; see credential

	// These are as in tokens for Graph, for command lines that read them. The server decides
	// nothing by them, but refuses a token with another idtyp.
	Name   string `json:"app_displayname"`
	AppACR string `json:"appidacr"` // how the client proved its identity: 1 by a secret, 2 by a key
	AzpACR string `json:"azpacr"`   // as appidacr
	Kind   string `json:"idtyp"`    // always "app"
	UTI    string `json:"uti"`      // as jti
}

// parseAccessClaims parses the claims of a token that we have signed. It accepts only the forms
// that this version and earlier ones write.
func parseAccessClaims(o object) (t accessClaims, ok bool) {
	text := func(name string) string {
		s, is := o.text(name)
		ok = ok && is && s != ""
		return s
	}
	number := func(name string) int64 {
		n, is := o.seconds(name)
		ok = ok && is
		return n
	}
	ok = true
	t = accessClaims{
		Audience: text("aud"), Issuer: text("iss"),
		Issued: number("iat"), NotBefore: number("nbf"), Expires: number("exp"),
		AppID: text("appid"), Party: text("azp"), Client: text("client_id"),
		Object: text("oid"), Subject: text("sub"), Tenant: text("tid"), JTI: text("jti"), Version: text("ver"),
	}
	if o.has("roles") {
		var is bool
		t.Roles, is = o.texts("roles")
		ok = ok && is
	}
	if o.has("epoch") {
		t.Epoch = number("epoch")
	}
	// Tokens of earlier versions may lack these.
	for name, to := range map[string]*string{
		"app_displayname": &t.Name, "appidacr": &t.AppACR, "azpacr": &t.AzpACR, "idtyp": &t.Kind, "uti": &t.UTI, "via": &t.Via,
	} {
		if o.has(name) {
			*to = text(name)
		}
	}
	return t, ok && isGUID(t.Tenant) && isGUID(t.Client) && t.AppID == t.Client && t.Party == t.Client &&
		t.Subject == t.Object && (t.Version == verV2 || t.Version == verV1) && (t.Kind == "" || t.Kind == kindApp)
}

// The values of ver and idtyp.
const (
	verV1   = "1.0"
	verV2   = "2.0"
	kindApp = "app"
)

// issue signs an access token for c, which has proved its identity in req by cred.
func (a *Authority) issue(ctx context.Context, req request, c storedClient, cred credential) (Secret, time.Time, error) {
	key, err := a.keys.current(ctx)
	if err != nil {
		return Secret{}, time.Time{}, err
	}
	jti, err := newGUID(a.rand)
	if err != nil {
		return Secret{}, time.Time{}, err
	}
	iat := a.now().Unix()
	if c.Epoch == 0 {
		iat = max(iat, c.Since+1) // later than Since, so that the token is not void
	}
	exp := iat + int64(TokenLife/time.Second)
	ver, acr := verV2, "1"
	if req.v1 {
		ver = verV1
	}
	if req.assertion != "" {
		acr = "2"
	}
	payload, err := json.Marshal(accessClaims{
		Audience: a.audience, Issuer: issuerOf(req.root, c.Tenant, req.v1),
		Issued: iat, NotBefore: iat, Expires: exp,
		AppID: c.ID, Party: c.ID, Client: c.ID, Object: c.Object, Subject: c.Object,
		Roles: c.Roles, Tenant: c.Tenant, JTI: jti, Version: ver, Epoch: c.Epoch, Via: cred.ref,
		Name: c.Name, AppACR: acr, AzpACR: acr, Kind: kindApp, UTI: jti,
	})
	if err != nil {
		return Secret{}, time.Time{}, fmt.Errorf("auth: encoding a token: %w", err)
	}
	token, err := key.sign(typAccess, payload)
	if err != nil {
		return Secret{}, time.Time{}, err
	}
	return NewSecret(token), time.Unix(exp, 0).UTC(), nil
}

// Mint returns a token for the client as the token endpoint does, with the canonical root as its
// issuer. The caller names the tenant by GUID or by name. A mistake of the caller is [ErrInvalid],
// and an unknown tenant [ErrNotFound].
func (a *Authority) Mint(ctx context.Context, tenant, client string, secret Secret) (token Secret, expires time.Time, err error) {
	tid, err := a.tenantID(ctx, tenant)
	if err != nil {
		return Secret{}, time.Time{}, err
	}
	token, expires, refused := a.grant(ctx, request{
		tenant: tid, root: a.issuer(nil), client: strings.ToLower(client), secret: secret,
	})
	if refused != nil {
		a.counts.refused.Add(1)
		return Secret{}, time.Time{}, refused.err()
	}
	return token, expires, nil
}
