package auth

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// The paths after the tenant, in lower case: Entra's v2.0 and, where it differs, its v1.0.
const (
	pathToken    = "oauth2/v2.0/token"
	pathTokenV1  = "oauth2/token"
	pathConfig   = "v2.0/.well-known/openid-configuration"
	pathConfigV1 = ".well-known/openid-configuration"
	pathKeys     = "discovery/v2.0/keys"
	pathKeysV1   = "discovery/keys"
	pathInstance = "discovery/instance"
)

// A place is the part of a path that its handler needs.
type place struct {
	tenant string // as the client wrote it
	v1     bool   // an endpoint of Entra's v1.0
}

// splitPath returns the tenant in a path, as the client wrote it, and the rest in lower case,
// without a slash at its end.
func splitPath(path string) (tenant, rest string) {
	tenant, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return tenant, strings.TrimSuffix(strings.ToLower(rest), "/")
}

// Handler serves the token endpoint, and the documents by which clients and other servers find it:
//
//	POST /{tenant}/oauth2/v2.0/token                        /{tenant}/oauth2/token
//	GET  /{tenant}/v2.0/.well-known/openid-configuration    /{tenant}/.well-known/openid-configuration
//	GET  /{tenant}/discovery/v2.0/keys                      /{tenant}/discovery/keys
//	GET  /common/discovery/instance
//
// The tenant is a GUID or a name, and for a GET also common or organizations. The rest may be in
// any case. Other paths get a 404 in JSON.
func (a *Authority) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	tenant, rest := splitPath(r.URL.Path)
	method, serve := http.MethodGet, a.serveConfig
	switch rest {
	case pathToken, pathTokenV1:
		method, serve = http.MethodPost, a.serveToken
	case pathConfig, pathConfigV1:
	case pathKeys, pathKeysV1:
		serve = a.serveKeys
	case pathInstance:
		serve = a.serveInstance
	default:
		a.refuse(w, r, noPath(rest))
		return
	}
	if r.Method != method && (r.Method != http.MethodHead || method != http.MethodGet) {
		w.Header().Set("Allow", method)
		why := badRequest(900561, "The endpoint only accepts %s requests. Received a %s request.", method, shown(r.Method))
		why.status = http.StatusMethodNotAllowed
		a.refuse(w, r, why)
		return
	}
	serve(w, r, place{tenant, rest == pathTokenV1 || rest == pathConfigV1})
}

// anyTenant reports whether a name stands for no tenant in particular.
func anyTenant(name string) bool {
	return strings.EqualFold(name, "common") || strings.EqualFold(name, "organizations")
}

// resolve returns the GUID of the tenant in a path.
func (a *Authority) resolve(r *http.Request, name string) (string, *refusal) {
	id, ok, err := a.tenant(r.Context(), name)
	switch {
	case err != nil:
		return "", outOfOrder(err)
	case !ok || !isGUID(id):
		return "", unknownTenant(name)
	}
	return id, nil
}

// configuration is the discovery document of a tenant (OpenID Connect Discovery 1.0 and RFC 8414),
// with the members that the libraries for Entra need. MSAL for Go expects the issuer on the host
// that it asked; MSAL for Python takes the tenant from the first part of the token endpoint's path;
// all expect an authorization endpoint, although our clients never use it.
type configuration struct {
	TokenEndpoint  string   `json:"token_endpoint"`
	AuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs       []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	JWKS           string   `json:"jwks_uri"`
	ResponseModes  []string `json:"response_modes_supported"`
	SubjectTypes   []string `json:"subject_types_supported"`
	IDTokenAlgs    []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes  []string `json:"response_types_supported"`
	Scopes         []string `json:"scopes_supported"`
	Grants         []string `json:"grant_types_supported"`
	Issuer         string   `json:"issuer"`
	RequestURI     bool     `json:"request_uri_parameter_supported"`
	Authorization  string   `json:"authorization_endpoint"`
	Claims         []string `json:"claims_supported"`
	CloudInstance  string   `json:"cloud_instance_name"`
	CloudGraphHost string   `json:"cloud_graph_host_name"`
	GraphHost      string   `json:"msgraph_host"`
}

// serveConfig answers for one tenant, or as Entra does for common and organizations: there the
// issuer has a placeholder for the tenant.
//
// The URL of the document begins with the issuer (OpenID Connect Discovery 1.0, section 4.3), in
// v1.0 too, where Entra names another host.
func (a *Authority) serveConfig(w http.ResponseWriter, r *http.Request, at place) {
	id, why := strings.ToLower(at.tenant), (*refusal)(nil)
	tenant := "{tenantid}"
	if !anyTenant(id) {
		id, why = a.resolve(r, at.tenant)
		tenant = id
	}
	if why != nil {
		if why.number == 90002 {
			why.code = "invalid_tenant" // Entra's code at this endpoint
		}
		a.refuse(w, r, why)
		return
	}
	root := a.issuer(r)
	host := hostOf(root)
	token, keys, authorize := pathToken, pathKeys, "oauth2/v2.0/authorize"
	if at.v1 {
		token, keys, authorize = pathTokenV1, pathKeysV1, "oauth2/authorize"
	}
	writeJSON(w, r, http.StatusOK, configuration{
		TokenEndpoint: root + "/" + id + "/" + token,
		AuthMethods:   []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		AuthAlgs:      []string{string(jose.PS256), string(jose.RS256), string(jose.ES256)},
		JWKS:          root + "/" + id + "/" + keys,
		ResponseModes: []string{"query"},
		SubjectTypes:  []string{"pairwise"},
		IDTokenAlgs:   []string{string(jose.RS256)},
		ResponseTypes: []string{"code"},
		Scopes:        []string{"openid", "profile", "email", "offline_access"},
		Grants:        []string{grantClientCredentials},
		Issuer:        issuerOf(root, tenant, at.v1),
		Authorization: root + "/" + id + "/" + authorize,
		Claims:        []string{"sub", "iss", "aud", "exp", "iat", "tid", "ver", "roles"},
		CloudInstance: host, CloudGraphHost: a.graphOf(host), GraphHost: a.graphOf(host),
	})
}

// hostOf returns the host and port of a root.
func hostOf(root string) string {
	u, err := url.Parse(root)
	if err != nil {
		return ""
	}
	return u.Host
}

// jwkSet is a JWK set (RFC 7517, section 5).
type jwkSet struct {
	Keys []jose.JSONWebKey `json:"keys"`
}

func (a *Authority) serveKeys(w http.ResponseWriter, r *http.Request, at place) {
	// Some verifiers ask for common, because all tenants have the same keys.
	if !anyTenant(at.tenant) {
		if _, why := a.resolve(r, at.tenant); why != nil {
			a.refuse(w, r, why)
			return
		}
	}
	keys, err := a.keys.published(r.Context())
	if err != nil {
		a.refuse(w, r, outOfOrder(err))
		return
	}
	set := jwkSet{Keys: []jose.JSONWebKey{}}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Algorithm: string(k.alg), Use: "sig"})
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	writeJSON(w, r, http.StatusOK, set)
}

// instance tells a library whether a host is an authority. By default the libraries ask this of
// login.microsoftonline.com. If that name leads to this server, they ask here, about any of our
// hosts. A program can also make MSAL for Python ask us under another name.
type instance struct {
	Discovery string         `json:"tenant_discovery_endpoint"`
	Version   string         `json:"api-version"`
	Metadata  []instanceHost `json:"metadata"`
}

type instanceHost struct {
	Network string   `json:"preferred_network"`
	Cache   string   `json:"preferred_cache"`
	Aliases []string `json:"aliases"`
}

func (a *Authority) serveInstance(w http.ResponseWriter, r *http.Request, _ place) {
	asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if err != nil {
		asked = &url.URL{}
	}
	here := a.rootOf(r, asked)
	if here == nil {
		why := badRequest(50049, "Unknown or invalid instance. The authorization_endpoint must be on %s; a library that asks for another authority must be told its host, or not to validate it.", a.issuer(r))
		why.code = "invalid_instance"
		a.refuse(w, r, why)
		return
	}
	tenant, _ := splitPath(strings.TrimPrefix(asked.Path, here.Path))
	id, why := strings.ToLower(tenant), (*refusal)(nil)
	if !anyTenant(id) {
		id, why = a.resolve(r, tenant)
	}
	if why != nil {
		a.refuse(w, r, why)
		return
	}
	names := []string{here.Host, withoutPort(here)}
	writeJSON(w, r, http.StatusOK, instance{
		Discovery: here.String() + "/" + id + "/" + pathConfig,
		Version:   "1.1",
		Metadata:  []instanceHost{{Network: here.Host, Cache: here.Host, Aliases: slices.Compact(names)}},
	})
}

// rootOf returns our root that an authorization endpoint is on, or nil. On the host that the client
// asked, the endpoint must have the same port or none: MSAL for Python leaves out every port.
func (a *Authority) rootOf(r *http.Request, asked *url.URL) *url.URL {
	const usual = "443"
	here, err := url.Parse(a.issuer(r))
	switch {
	case err != nil || asked.Scheme != "https":
		return nil
	case strings.EqualFold(withoutPort(asked), withoutPort(here)):
		if asked.Port() == "" || asked.Port() == cmp.Or(here.Port(), usual) {
			return here
		}
		return nil
	}
	other := &url.URL{Scheme: asked.Scheme, Host: strings.ToLower(asked.Host)}
	if !a.known(other.String()) {
		return nil
	}
	return other
}

// withoutPort returns the host of u in the form in which u has it, IPv6 in brackets, without the
// port.
func withoutPort(u *url.URL) string { return strings.TrimSuffix(u.Host, ":"+u.Port()) }
