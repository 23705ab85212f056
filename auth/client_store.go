package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A storedClient is the value of auth/client/TENANT/CLIENT.
type storedClient struct {
	Version  int       `json:"v"`
	ID       string    `json:"id"`
	Tenant   string    `json:"tenant"`
	Object   string    `json:"object"` // GUID: the oid and sub of its tokens
	Name     string    `json:"name"`
	Roles    []string  `json:"roles"`
	Created  time.Time `json:"created"`
	Disabled bool      `json:"disabled,omitempty"`
	// Epoch counts how often all tokens of the client were voided: each one names
	// the epoch that it was issued in, and is good in no other. A time could not
	// tell what was issued in the same second, or before the clock was set back.
	Epoch int64 `json:"epoch,omitempty"`
	// Since is the Unix time of the last time that they were. It decides where
	// Epoch is 0, because an earlier version has done it.
	Since   int64          `json:"since,omitempty"`
	Secrets []storedSecret `json:"secrets,omitempty"`

	Keys []storedClientKey `json:"keys,omitempty"`
	// Ended are the secrets and keys, by their refs, that were taken from the
	// client since its tokens were last voided: what they got is no good any more.
	Ended []string `json:"ended,omitempty"`
}

type storedSecret struct {
	ID      string    `json:"id"`
	Hash    []byte    `json:"hash"` // see hashSecret
	Hint    string    `json:"hint"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

type storedClientKey struct {
	ID       string    `json:"id"`             // RFC 7638 thumbprint
	Ref      string    `json:"ref,omitempty"`  // GUID of this registration; empty if an earlier version made it
	SPKI     []byte    `json:"spki"`           // the public key, DER
	SHA1     []byte    `json:"x5t,omitempty"`  // of the certificate
	SHA256   []byte    `json:"x5t2,omitempty"` // of the certificate
	Subject  string    `json:"subject,omitempty"`
	Created  time.Time `json:"created"`
	NotAfter time.Time `json:"notAfter,omitzero"`
}

const clientVersion = 1

// void voids all tokens that the client has.
func (c *storedClient) void(now time.Time) {
	c.Epoch++
	c.Since = now.Unix()
	c.Ended = nil // their tokens are among them
}

// maxEnded bounds how many secrets and keys are remembered by name.
const maxEnded = 20

// end voids the tokens that the client got by the secret or key with that ref.
func (c *storedClient) end(ref string, now time.Time) {
	if len(c.Ended) >= maxEnded {
		c.void(now)
		return
	}
	c.Ended = append(slices.Clone(c.Ended), ref)
}

// credential returns what tokens are told of the key by which they are got. It is
// not the id: a key that was removed may be added again, and must not bring its
// old tokens back.
func (k *storedClientKey) credential() credential { return credential{k.ID, cmp.Or(k.Ref, k.ID)} }

// A credential is a secret or key by which a client has proved who it is.
type credential struct {
	id  string
	ref string // its name in tokens, which never comes again
}

// voided reports whether a token has been voided. Of one that an earlier version
// has issued nobody can tell by what it was got.
func (c *storedClient) voided(t accessClaims) bool {
	return t.Epoch != c.Epoch || c.Epoch == 0 && t.Issued <= c.Since ||
		t.Via == "" && len(c.Ended) > 0 || slices.Contains(c.Ended, t.Via)
}

func parseClient(name string, raw []byte) (storedClient, error) {
	var c storedClient
	if err := json.Unmarshal(raw, &c); err != nil {
		return storedClient{}, fmt.Errorf("auth: reading %s: %w", name, err)
	}
	if c.Version > clientVersion {
		return storedClient{}, fmt.Errorf("auth: %s was written by a newer version of trunklog (%d, not %d)", name, c.Version, clientVersion)
	}
	if nameClient(c.Tenant, c.ID) != name {
		return storedClient{}, fmt.Errorf("auth: %s holds another client", name)
	}
	return c, nil
}

// client returns c as others see it; used are the values of auth/used that
// belong to it.
func (c storedClient) client(used map[string][]byte) Client {
	out := Client{ID: c.ID, Tenant: c.Tenant, Name: c.Name, Roles: slices.Clone(c.Roles), Created: c.Created, Disabled: c.Disabled}
	last := func(cred string) time.Time {
		t, _ := time.Parse(time.RFC3339, string(used[nameUsed(c.Tenant, c.ID, cred)])) // zero if it is missing
		if t.After(out.LastUsed) {
			out.LastUsed = t
		}
		return t
	}
	for _, s := range c.Secrets {
		out.Secrets = append(out.Secrets, ClientSecret{ID: s.ID, Hint: s.Hint, Created: s.Created, Expires: s.Expires, LastUsed: last(s.ID)})
	}
	for _, k := range c.Keys {
		out.Keys = append(out.Keys, ClientKey{
			ID: k.ID, Subject: k.Subject, Thumbprint: fmt.Sprintf("%x", k.SHA256),
			Created: k.Created, Expires: k.NotAfter, LastUsed: last(k.ID),
		})
	}
	return out
}

// usedNames returns the names under auth/used that belong to c.
func (c storedClient) usedNames() []string {
	var out []string
	for _, s := range c.Secrets {
		out = append(out, nameUsed(c.Tenant, c.ID, s.ID))
	}
	for _, k := range c.Keys {
		out = append(out, nameUsed(c.Tenant, c.ID, k.ID))
	}
	return out
}

// loadClient reads a client, and the bytes that it was read from.
func (a *Authority) loadClient(ctx context.Context, tenant, client string) (storedClient, []byte, error) {
	if !isGUID(client) {
		return storedClient{}, nil, fmt.Errorf("auth: %q is no client id; it must be a GUID: %w", client, ErrInvalid)
	}
	name := nameClient(tenant, client)
	raw, err := get(ctx, a.kv, name)
	if err != nil {
		return storedClient{}, nil, err
	}
	if raw == nil {
		return storedClient{}, nil, fmt.Errorf("auth: there is no client %s in tenant %s: %w", client, tenant, ErrNotFound)
	}
	c, err := parseClient(name, raw)
	return c, raw, err
}

// saveClient writes c if what is stored is still old, and drops the records of
// use of what c has no more.
func (a *Authority) saveClient(ctx context.Context, c storedClient, old []byte) error {
	name := nameClient(c.Tenant, c.ID)
	raw, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("auth: encoding client %s: %w", c.ID, err)
	}
	set := map[string][]byte{name: raw}
	if old != nil {
		was, err := parseClient(name, old)
		if err != nil {
			return err
		}
		now := c.usedNames()
		for _, n := range was.usedNames() {
			if !slices.Contains(now, n) {
				set[n] = nil
			}
		}
	}
	if err := a.kv.Save(ctx, set, map[string][]byte{name: old}); err != nil {
		return fmt.Errorf("auth: saving client %s: %w", c.ID, err)
	}
	a.clients.forget(name)
	return nil
}

// A clientCache keeps clients for up to ClientStale, because every request of
// every client asks for one, and the names of all, because strangers ask for
// those that do not exist.
type clientCache struct {
	mu      sync.Mutex
	clients map[string]cachedClient
	forgot  int                 // how often forget was called
	names   map[string]struct{} // of clients that there may be; there are no others
	read    time.Time           // when names was

	reading sync.Mutex // held while the names are read
}

type cachedClient struct {
	client storedClient
	loaded time.Time
}

// maxCached bounds what is kept in memory for the sake of speed.
const maxCached = 10_000

func newClientCache() *clientCache {
	return &clientCache{clients: map[string]cachedClient{}, names: map[string]struct{}{}}
}

// forget makes the next look at the client of that name a fresh one.
func (m *clientCache) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.clients, name)
	m.names[name] = struct{}{}
	m.forgot++
}

// look returns the client if it is known and read less than ClientStale ago,
// and whether there may be one of that name at all.
func (m *clientCache) look(name string, now time.Time) (c storedClient, fresh, maybe bool, forgot int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.clients[name]
	_, maybe = m.names[name]
	return known.client, ok && !now.Before(known.loaded) && now.Sub(known.loaded) < ClientStale, maybe, m.forgot
}

// client returns the client as it is now or was at most ClientStale ago. It
// returns ErrNotFound if there is none: for this it looks into its memory, which
// has the names of all, and reads them again at most every ClientStale. One that
// was made through this Authority, or of which Changed was told, is there at
// once.
func (a *Authority) client(ctx context.Context, tenant, id string) (storedClient, error) {
	m, now, name := a.clients, a.now(), nameClient(tenant, id)
	c, ok, maybe, _ := m.look(name, now)
	if ok {
		return c, nil
	}
	if !maybe {
		if err := a.readNames(ctx, now); err != nil {
			return storedClient{}, err
		}
		if _, _, maybe, _ = m.look(name, now); !maybe {
			return storedClient{}, fmt.Errorf("auth: there is no client %s in tenant %s: %w", shown(id), tenant, ErrNotFound)
		}
	}
	_, _, _, forgot := m.look(name, now)
	fresh, _, err := a.loadClient(ctx, tenant, id)
	m.mu.Lock()
	defer m.mu.Unlock()
	// What was read while somebody saved may be old already.
	current := m.forgot == forgot
	if errors.Is(err, ErrNotFound) && current {
		delete(m.names, name)
	}
	if err != nil {
		return storedClient{}, err
	}
	if current {
		if len(m.clients) >= maxCached {
			clear(m.clients)
		}
		m.clients[name] = cachedClient{fresh, now}
	}
	return fresh, nil
}

// readNames reads the names of all clients, if that was last done ClientStale
// ago and nobody is at it. Only the first time all wait for it.
func (a *Authority) readNames(ctx context.Context, now time.Time) error {
	m := a.clients
	due := func() (due, first bool, forgot int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.read.IsZero() || now.Before(m.read) || now.Sub(m.read) >= ClientStale, m.read.IsZero(), m.forgot
	}
	is, first, _ := due()
	switch {
	case !is:
		return nil
	case first:
		m.reading.Lock()
	case !m.reading.TryLock():
		return nil
	}
	defer m.reading.Unlock()
	is, _, forgot := due()
	if !is {
		return nil
	}
	all, err := a.kv.Load(ctx, prefixClient)
	if err != nil {
		return fmt.Errorf("auth: reading the names of the clients: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forgot == forgot {
		clear(m.names)
	}
	for name := range all {
		m.names[name] = struct{}{}
	}
	m.read = now
	return nil
}

// A usedCache remembers when this process has last written that a secret or key
// was used.
type usedCache struct {
	mu   sync.Mutex
	when map[string]time.Time
}

func newUsedCache() *usedCache { return &usedCache{when: map[string]time.Time{}} }

const usedEvery = time.Hour

// due reports whether the use of that name is to be written now.
func (u *usedCache) due(name string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if t, ok := u.when[name]; ok && now.Sub(t) < usedEvery {
		return false
	}
	if len(u.when) >= maxCached {
		clear(u.when)
	}
	u.when[name] = now
	return true
}

// noteUse keeps that the secret or key was used, once an hour. The client gets
// its token even if that fails.
func (a *Authority) noteUse(ctx context.Context, c storedClient, cred string) {
	name, now := nameUsed(c.Tenant, c.ID, cred), a.today()
	if !a.used.due(name, now) {
		return
	}
	err := func() error {
		raw, err := get(ctx, a.kv, name)
		if err != nil {
			return err
		}
		// Another process may have written it within the hour.
		if t, err := time.Parse(time.RFC3339, string(raw)); err == nil && now.Sub(t) < usedEvery {
			return nil
		}
		return a.kv.Save(ctx, map[string][]byte{name: []byte(now.Format(time.RFC3339))}, nil)
	}()
	if err != nil {
		a.counts.useNotSaved.Add(1)
		a.log.Warn("the last use of a client could not be saved", "tenant", c.Tenant, "client", c.ID, "err", err)
	}
}
