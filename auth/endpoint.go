package auth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// The paths behind the tenant, in lower case.
const (
	pathToken    = "oauth2/v2.0/token"
	pathConfig   = "v2.0/.well-known/openid-configuration"
	pathKeys     = "discovery/v2.0/keys"
	pathInstance = "discovery/instance"
)

// splitPath returns the tenant in a path, as it was written, and what is behind
// it in lower case.
func splitPath(path string) (tenant, rest string) {
	tenant, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return tenant, strings.ToLower(rest)
}

// Handler serves the token endpoint and what clients and other servers read to
// find it:
//
//	POST /{tenant}/oauth2/v2.0/token
//	GET  /{tenant}/v2.0/.well-known/openid-configuration
//	GET  /{tenant}/discovery/v2.0/keys
//	GET  /common/discovery/instance
//
// The tenant is a GUID or a name, and the rest may be in any case. Other paths
// get a 404 in JSON.
func (a *Authority) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	tenant, rest := splitPath(r.URL.Path)
	method, serve := http.MethodGet, a.serveConfig
	switch rest {
	case pathToken:
		method, serve = http.MethodPost, a.serveToken
	case pathConfig:
	case pathKeys:
		serve = a.serveKeys
	case pathInstance:
		serve = a.serveInstance
	default:
		why := badRequest(90023, "There is nothing at this path.")
		why.status = http.StatusNotFound
		a.refuse(w, r, why)
		return
	}
	if r.Method != method && (r.Method != http.MethodHead || method != http.MethodGet) {
		w.Header().Set("Allow", method)
		why := badRequest(900561, "The endpoint only accepts %s requests. Received a %s request.", method, shown(r.Method))
		why.status = http.StatusMethodNotAllowed
		a.refuse(w, r, why)
		return
	}
	serve(w, r, tenant)
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

// configuration is the discovery document of a tenant (OpenID Connect Discovery
// 1.0 and RFC 8414) with what the libraries of Entra look for. MSAL for Go wants
// the issuer on the host that it asked; MSAL for Python takes the tenant from
// the first part of the token endpoint's path; all want an authorization
// endpoint, and no client of ours ever goes there.
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

func (a *Authority) serveConfig(w http.ResponseWriter, r *http.Request, tenant string) {
	id, why := a.resolve(r, tenant)
	if why != nil {
		if why.number == 90002 {
			why.code = "invalid_tenant" // as Entra says it here
		}
		a.refuse(w, r, why)
		return
	}
	root := a.issuer(r)
	host := hostOf(root)
	writeJSON(w, r, http.StatusOK, configuration{
		TokenEndpoint: root + "/" + id + "/" + pathToken,
		AuthMethods:   []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		AuthAlgs:      []string{string(jose.PS256), string(jose.RS256), string(jose.ES256)},
		JWKS:          root + "/" + id + "/" + pathKeys,
		ResponseModes: []string{"query"},
		SubjectTypes:  []string{"pairwise"},
		IDTokenAlgs:   []string{string(jose.RS256)},
		ResponseTypes: []string{"code"},
		Scopes:        []string{"openid", "profile", "email", "offline_access"},
		Grants:        []string{grantClientCredentials},
		Issuer:        tenantIssuer(root, id),
		Authorization: root + "/" + id + "/oauth2/v2.0/authorize",
		Claims:        []string{"sub", "iss", "aud", "exp", "iat", "tid", "ver", "roles"},
		CloudInstance: host, CloudGraphHost: host, GraphHost: host,
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

func (a *Authority) serveKeys(w http.ResponseWriter, r *http.Request, tenant string) {
	// Some verifiers ask under "common", as the keys are the same for all.
	if !strings.EqualFold(tenant, "common") {
		if _, why := a.resolve(r, tenant); why != nil {
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

// instance answers the question whether a host is an authority at all. The
// libraries put it to Microsoft unless they are told not to; only MSAL for
// Python can be made to put it to us.
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

func (a *Authority) serveInstance(w http.ResponseWriter, r *http.Request, _ string) {
	root := a.issuer(r)
	host := hostOf(root)
	asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if err != nil || asked.Scheme != "https" || asked.Host != host {
		why := badRequest(50049, "Unknown or invalid instance.")
		why.code = "invalid_instance"
		a.refuse(w, r, why)
		return
	}
	tenant, _ := splitPath(strings.TrimPrefix(asked.Path, strings.TrimSuffix(pathOf(root), "/")))
	id, why := a.resolve(r, tenant)
	if why != nil {
		a.refuse(w, r, why)
		return
	}
	writeJSON(w, r, http.StatusOK, instance{
		Discovery: root + "/" + id + "/" + pathConfig,
		Version:   "1.1",
		Metadata:  []instanceHost{{Network: host, Cache: host, Aliases: []string{host}}},
	})
}

func pathOf(root string) string {
	u, err := url.Parse(root)
	if err != nil {
		return ""
	}
	return u.Path
}
