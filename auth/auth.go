// Package auth issues access tokens and checks them: the token endpoint, the
// clients and their secrets, the signing keys, and the test that a request may
// do what it asks for.
//
// Its endpoints have the shape of Microsoft Entra's, so that the libraries
// that speak to Entra work with nothing but another authority host. Two
// verifiers stand side by side and never mix: one for the tokens issued here
// (RFC 9068, typ "at+jwt"), one for those of a real Entra tenant (typ "JWT").
//
// The package does not know what it guards. A tenant is a GUID for it, in lower
// case, and a role is a word in a list. It keeps its state in a [KV], takes time
// and randomness from its [Config], and starts no goroutine of its own.
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

// The figures that hold for every token issued here.
const (
	// TokenLife is how long an access token is good.
	TokenLife = time.Hour
	// Skew is how far the clocks of two machines may be apart.
	Skew = time.Minute
	// ClientStale is the longest time for which a client that another process
	// has changed is still seen as it was. Changes made through the same
	// [Authority] are seen at once.
	ClientStale = 5 * time.Second
	// KeyStale is the same for the signing keys.
	KeyStale = time.Minute
)

// DefaultAudience is the aud of tokens if [Config.Audience] is empty.
const DefaultAudience = "api://trunklog"

// A Config says what an [Authority] works with. KV, Key, Tenant and Issuer are
// needed; the zero value of everything else is a good one.
type Config struct {
	// KV keeps the clients, the keys and the assertions that were used.
	KV KV
	// Key is the master key, 32 bytes. The pepper of the secrets' hashes and the
	// key that seals the signing keys are derived from it by HKDF (RFC 5869).
	// All processes on one KV have the same one.
	Key []byte
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log is told of tokens that were issued or refused; nil is silence.
	Log *slog.Logger
	// Rand is where secrets and ids come from; nil is crypto/rand.
	Rand io.Reader

	// Tenant finds a tenant by its GUID or by its name. It is asked for every
	// request and has to be fast. An error means that nobody knows now, and the
	// request is answered with 503.
	Tenant func(ctx context.Context, nameOrID string) (id string, ok bool, err error)
	// Issuer returns the root under which the request reached us, such as
	// "https://host:port", without a slash at its end; nil stands for the
	// canonical root.
	Issuer func(r *http.Request) string
	// Known reports whether we may have issued tokens under root; nil allows
	// the canonical root only. It compares exactly.
	Known func(root string) bool
	// Audience is the aud of our tokens, DefaultAudience if empty. Whatever
	// resource a client asks for, this is what its token is good for.
	Audience string
	// Entra adds the second verifier.
	Entra *EntraConfig

	// Alg signs new tokens: "RS256", the default, or "ES256".
	Alg string
	// Rotate is how long a key signs; 0 is 90 days.
	Rotate time.Duration
	// Every is the pause between two rounds of [Authority.Run]; 0 is 10 minutes.
	Every time.Duration
	// TokenRate limits the token endpoint.
	TokenRate TokenRate
	// Address returns where a request comes from; nil takes the other end of its
	// connection. Behind a proxy that is the proxy's.
	Address func(r *http.Request) netip.Addr
	// PSTNRole makes CallRecord-PstnCalls.Read.All as good as
	// CallRecords.Read.All, as it once was at Microsoft.
	PSTNRole bool
	// IssuerAudience refuses client assertions that name the token endpoint as
	// their audience. Then only the issuer is left, as the successor of RFC 7523
	// wants it, and no library of Microsoft's can use a certificate.
	IssuerAudience bool
	// ReuseAssertions lets a client present one assertion more than once until
	// it expires. By default that is a replay. MSAL for Python and for Node
	// keep an assertion for about ten minutes and present it again if they are
	// asked for a token of another scope; see docs/decisions/0004-own-issuer.md.
	ReuseAssertions bool
}

// An Authority issues tokens and checks them. Its methods may be called from
// many goroutines at once. Several authorities, in one process or in many, may
// share a KV.
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
	address func(r *http.Request) netip.Addr
	counts  counters
}

// New returns an authority that works on c.KV. It makes the first signing keys
// if there are none, and fails if those that are there were sealed under
// another master key.
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

// authority returns what c describes, before anything was read or written.
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
	if a.keys, err = newKeyring(c, a.now, a.rand); err != nil {
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

// tenantIssuer returns the iss of the tokens of a tenant.
func tenantIssuer(root, tenant string) string { return root + "/" + tenant + "/v2.0" }

// issuerOf returns the same, or the iss of tokens that were asked for by v1.0.
func issuerOf(root, tenant string, v1 bool) string {
	if v1 {
		return root + "/" + tenant
	}
	return tenantIssuer(root, tenant)
}
