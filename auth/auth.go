// Package auth issues access tokens and verifies them. It holds the token endpoint, the clients and
// their secrets, the signing keys, and the check that a request may do what it asks for.
//
// Its endpoints have the shape of Microsoft Entra's, so that a library for Entra needs only another
// authority host. Two verifiers stand side by side and never mix: one for the tokens of this server
// (RFC 9068, typ "at+jwt"), one for those of a real Entra tenant (typ "JWT").
//
// The package knows nothing of the data that it guards. It takes a tenant as a GUID in lower case,
// and a role as a word in a list. It keeps its state in a [KV], reads the time from [Config.Now]
// and starts no goroutine. Secrets and ids come from [Config.Rand]; keys, signatures and seals
// always take their randomness from Go's crypto library.
package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Limits that hold for every token of this server.
const (
	// TokenLife is how long an access token is valid.
	TokenLife = time.Hour
	// Skew is the accepted difference between the clocks of two machines.
	Skew = time.Minute
	// ClientStale is the longest time for which an [Authority] uses an old state of a client after
	// another process has changed it. It sees the changes that callers make through itself at once.
	ClientStale = 5 * time.Second
	// KeyStale is the same for the signing keys.
	KeyStale = time.Minute
)

// DefaultAudience is the aud of tokens if [Config.Audience] is empty.
const DefaultAudience = "api://trunklog"

// A Config holds the settings of an [Authority]. The caller must set KV, Key, Tenant and Issuer;
// the zero value of every other field is a good default.
type Config struct {
	// KV keeps the clients, the keys and the used assertions.
	KV KV
	// Key is the master key, 32 bytes. HKDF (RFC 5869) derives from it the pepper of the secrets'
	// hashes and the key that seals the signing keys. All processes on one KV must have the same
	// master key.
	Key []byte
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log receives a line for each token that the authority issues, lines for what it refuses, up to a
	// rate for each address, and its warnings; nil discards them.
	Log *slog.Logger
	// Rand is the source of secrets and ids; nil is crypto/rand.
	Rand io.Reader

	// Tenant finds a tenant by its GUID or by its name. It must be fast, because the authority
	// calls it for every request with a token. An error means that it does not know now; the caller
	// then gets 503.
	Tenant func(ctx context.Context, nameOrID string) (id string, ok bool, err error)
	// Issuer returns the root of the URL by which the request reached this server, such as
	// "https://host:port", without a slash at its end. For a nil request it returns the canonical
	// root.
	Issuer func(r *http.Request) string
	// Known reports whether this server may have issued tokens under root, which it compares
	// exactly. Nil allows the canonical root only.
	Known func(root string) bool
	// Audience is the aud of our tokens, DefaultAudience if empty. A token has this aud whatever
	// resource its client asked for.
	Audience string
	// Entra adds the second verifier.
	Entra *EntraConfig

	// Alg is the algorithm that signs new tokens: "RS256", the default, or "ES256".
	Alg string
	// Rotate is how long a key signs; 0 is 90 days, and the least is twice TokenLife.
	Rotate time.Duration
	// Every is the pause between two rounds of [Authority.Run]; 0 is 10 minutes.
	Every time.Duration
	// TokenRate limits the token endpoint.
	TokenRate TokenRate
	// Address returns the address that a request came from. Nil takes the peer of the connection,
	// which behind a proxy is the proxy.
	Address func(r *http.Request) netip.Addr
	// PSTNRole lets CallRecord-PstnCalls.Read.All do what CallRecords.Read.All does, as Microsoft
	// once did.
	PSTNRole bool
	// IssuerAudience refuses client assertions whose audience is the token endpoint. Only the
	// issuer remains, as the successor of RFC 7523 demands; then no library of Microsoft's can use
	// a certificate.
	IssuerAudience bool
	// ReuseAssertions lets a client present an assertion again until it expires. By default the
	// server refuses that as a replay. MSAL for Python and for Node keep an assertion for about ten
	// minutes and present it again when the program asks for a token of another scope; see
	// docs/decisions/0004-own-issuer.md.
	ReuseAssertions bool
}

// An Authority issues and verifies tokens. Its methods may be called from many goroutines at once.
// Several authorities, in one process or in many, may share a KV.
type Authority struct {
	kv       KV
	now      func() time.Time
	log      *slog.Logger
	rand     io.Reader
	tenant   func(ctx context.Context, nameOrID string) (string, bool, error)
	issuer   func(r *http.Request) string
	known    func(root string) bool
	audience string
	every    time.Duration
	pstn     bool

	issuerAudience  bool
	reuseAssertions bool

	pepper  []byte
	keys    *keyring
	clients *clientCache
	seen    *seen
	used    *usedCache
	entra   *entra
	byID    *limiter
	failed  *limiter
	lines   *limiter // of the log, about other refusals
	address func(r *http.Request) netip.Addr
	counts  counters
}

// New returns an authority on c.KV. It makes the first signing keys if there are none. It returns
// an error if another master key sealed the existing ones.
func New(ctx context.Context, c Config) (*Authority, error) {
	a, err := c.authority()
	if err != nil {
		return nil, err
	}
	if err := a.keys.renew(ctx); err != nil {
		return nil, fmt.Errorf("auth: preparing the signing keys: %w", err)
	}
	return a, nil
}

// authority returns the authority that c describes. It neither reads nor writes the KV.
func (c Config) authority() (*Authority, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	a := &Authority{
		kv: c.KV, now: c.Now, log: c.Log, rand: c.Rand,
		tenant: c.Tenant, issuer: c.Issuer, known: c.Known,
		audience: c.Audience, every: c.Every, pstn: c.PSTNRole,
		issuerAudience: c.IssuerAudience, reuseAssertions: c.ReuseAssertions,
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.rand == nil {
		a.rand = rand.Reader
	}
	if a.known == nil {
		a.known = func(root string) bool { return root == a.issuer(nil) }
	}
	if a.audience == "" {
		a.audience = DefaultAudience
	}
	if a.every <= 0 {
		a.every = 10 * time.Minute
	}
	var err error
	if a.pepper, err = derive(c.Key, "pepper of client secrets"); err != nil {
		return nil, err
	}
	if a.keys, err = newKeyring(c, a.now); err != nil {
		return nil, err
	}
	if c.Entra != nil {
		if a.entra, err = newEntra(*c.Entra, a.now, a.log, &a.counts); err != nil {
			return nil, err
		}
	}
	a.clients = newClientCache()
	a.seen = newSeen()
	a.used = newUsedCache()
	a.byID = newLimiter(c.TokenRate.PerClient, defaultPerClient)
	a.failed = newLimiter(c.TokenRate.Failures, defaultFailures)
	a.lines = newLimiter(Rate{}, defaultFailures)
	if a.address = c.Address; a.address == nil {
		a.address = remoteAddress
	}
	return a, nil
}

func (c Config) check() error {
	switch {
	case c.KV == nil:
		return errors.New("auth: no KV was given")
	case len(c.Key) != 32:
		return fmt.Errorf("auth: the master key has %d bytes instead of 32", len(c.Key))
	case c.Tenant == nil:
		return errors.New("auth: nothing was given to find tenants with")
	case c.Issuer == nil:
		return errors.New("auth: nothing was given to name the issuer with")
	case c.Rotate < 0 || c.Rotate > 0 && c.Rotate < 2*TokenLife:
		return fmt.Errorf("auth: keys cannot rotate every %v; use %v or more", c.Rotate, 2*TokenLife)
	}
	root := c.Issuer(nil)
	if !strings.HasPrefix(root, "https://") || strings.HasSuffix(root, "/") || strings.ContainsAny(root, "?#{} ") {
		return fmt.Errorf("auth: %q cannot be an issuer's root; use the form https://host:port", root)
	}
	switch c.Alg {
	case "", string(jose.RS256), string(jose.ES256):
		return nil
	}
	return fmt.Errorf("auth: tokens cannot be signed with %q; use RS256 or ES256", c.Alg)
}

// tenantIssuer returns the iss of the tokens of a tenant, in the form of v2.0.
func tenantIssuer(root, tenant string) string { return root + "/" + tenant + "/v2.0" }

// issuerOf returns the iss of the tokens of a tenant, in the form of v1.0 or v2.0.
func issuerOf(root, tenant string, v1 bool) string {
	if v1 {
		return root + "/" + tenant
	}
	return tenantIssuer(root, tenant)
}
