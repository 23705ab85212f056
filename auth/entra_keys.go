package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	jwksFresh   = 24 * time.Hour   // age at which a request reads the keys again
	jwksPause   = 5 * time.Minute  // between two attempts while there are keys
	jwksHurry   = 10 * time.Second // between two attempts while there are none
	jwksTimeout = 10 * time.Second
	jwksMax     = 1 << 20 // largest document, in bytes
)

// A jwks caches the signing keys of one Entra tenant. A request reads them again if they are old or
// lack its key; between requests the cache does nothing. While the authority is unreachable, the
// cached keys remain valid.
type jwks struct {
	issuer string // of the tenant's v2 tokens
	now    func() time.Time
	fetch  func(ctx context.Context, issuer string) (map[string]*rsa.PublicKey, error)

	turn chan struct{} // holds one element while no request reads the keys

	mu      sync.Mutex // guards the fields below
	keys    map[string]*rsa.PublicKey
	fetched time.Time // time of the last successful read
	tried   time.Time // time at which the last read ended, successful or not
}

func newJWKS(issuer string, now func() time.Time, fetch func(context.Context, string) (map[string]*rsa.PublicKey, error)) *jwks {
	j := &jwks{issuer: issuer, now: now, fetch: fetch, turn: make(chan struct{}, 1)}
	j.turn <- struct{}{}
	return j
}

var errNoKeys = errors.New("auth: the signing keys of the Entra tenant could not be read yet")

// key returns the key of that id, or nil if the tenant has no such key. An error means that the
// server does not know.
func (j *jwks) key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	key, due, err := j.look(kid)
	if !due {
		return key, err
	}
	if key != nil {
		// This key will do; if another request reads the keys already, it does so for all.
		select {
		case <-j.turn:
		default:
			return key, nil
		}
	} else {
		select {
		case <-j.turn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { j.turn <- struct{}{} }()
	if key, due, err = j.look(kid); !due {
		return key, err // another request has read them meanwhile
	}
	j.read(ctx)
	key, _, err = j.look(kid)
	return key, err
}

// look returns the key of that id, and whether a request should read the keys again.
func (j *jwks) look(kid string) (key *rsa.PublicKey, due bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	key = j.keys[kid]
	pause := jwksPause
	if j.keys == nil {
		pause, err = jwksHurry, errNoKeys
	}
	due = (key == nil || now.Sub(j.fetched) >= jwksFresh) && (j.tried.IsZero() || now.Sub(j.tried) >= pause)
	return key, due, err
}

// read reads the keys. It goes on after the end of its own request, because other requests wait for
// the result.
func (j *jwks) read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jwksTimeout)
	defer cancel()
	keys, err := j.fetch(ctx, j.issuer)
	j.mu.Lock()
	defer j.mu.Unlock()
	// The pause begins at the end of the read. If it began at the start, it would end together with
	// the time limit, and the waiting requests would try one after the other.
	j.tried = j.now()
	if err == nil {
		j.keys, j.fetched = keys, j.tried
	}
}

// fetchKeys reads the keys of the tenant whose v2 tokens have that issuer: first the discovery
// document, which has the URL of the keys, then the keys.
func (e *entra) fetchKeys(ctx context.Context, issuer string) (map[string]*rsa.PublicKey, error) {
	keys, err := e.readKeys(ctx, issuer)
	if err != nil {
		e.counts.jwksFailed.Add(1)
		e.log.Warn("the signing keys of an Entra tenant could not be read", "issuer", issuer, "err", err)
		return nil, err
	}
	e.counts.jwksFetched.Add(1)
	return keys, nil
}

func (e *entra) readKeys(ctx context.Context, issuer string) (map[string]*rsa.PublicKey, error) {
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := e.getJSON(ctx, issuer+"/.well-known/openid-configuration", &doc); err != nil {
		return nil, err
	}
	if doc.Issuer != issuer {
		return nil, fmt.Errorf("auth: the discovery document of %s is that of %q", issuer, doc.Issuer)
	}
	if !sameHost(doc.Keys, e.authority) {
		return nil, fmt.Errorf("auth: the keys of %s are said to be at %q, which is another host", issuer, doc.Keys)
	}
	var set struct {
		Keys []entraKey `json:"keys"`
	}
	if err := e.getJSON(ctx, doc.Keys, &set); err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		if p := k.public(issuer); p != nil {
			keys[k.KID] = p
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("auth: there are no RSA signing keys at %s", doc.Keys)
	}
	return keys, nil
}

// An entraKey is one key of a JWK set (RFC 7517), with the issuer that Microsoft adds.
type entraKey struct {
	KTY    string `json:"kty"`
	Use    string `json:"use"`
	KID    string `json:"kid"`
	N      string `json:"n"`
	E      string `json:"e"`
	Issuer string `json:"issuer"`
}

// public returns the RSA key, or nil if k does not sign tokens of that issuer or is not acceptable.
func (k entraKey) public(issuer string) *rsa.PublicKey {
	n, e := decodePart(k.N), decodePart(k.E)
	if k.KTY != "RSA" || k.Use != "" && k.Use != "sig" || k.KID == "" || len(n) < 256 || len(n) > 1024 || len(e) == 0 || len(e) > 4 {
		return nil
	}
	tenant := strings.TrimSuffix(issuer, "/v2.0")
	tenant = tenant[strings.LastIndexByte(tenant, '/')+1:]
	if k.Issuer != "" && strings.ReplaceAll(k.Issuer, "{tenantid}", tenant) != issuer {
		return nil
	}
	exp := int(new(big.Int).SetBytes(e).Int64())
	if exp < 3 || exp%2 == 0 {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exp}
}

// sameHost reports whether u has the scheme, host and port of root.
func sameHost(u, root string) bool {
	x, err1 := url.Parse(u)
	y, err2 := url.Parse(root)
	return err1 == nil && err2 == nil && x.Scheme == y.Scheme && x.Host == y.Host && x.User == nil
}

func (e *entra) getJSON(ctx context.Context, address string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("auth: asking for %s: %w", address, err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := e.client.Do(req)
	if err != nil {
		return fmt.Errorf("auth: reading %s: %w", address, err)
	}
	defer func() { _ = res.Body.Close() }() // the server only reads from it
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("auth: reading %s: the answer is %s", address, res.Status)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, jwksMax+1))
	if err != nil {
		return fmt.Errorf("auth: reading %s: %w", address, err)
	}
	if len(b) > jwksMax {
		return fmt.Errorf("auth: reading %s: more than %d bytes came", address, jwksMax)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("auth: reading %s: %w", address, err)
	}
	return nil
}
