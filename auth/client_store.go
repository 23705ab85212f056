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
	// Epoch counts how often all tokens of the client were voided. Each token names the epoch in
	// which the server issued it, and is valid in no other. A time would not do: it cannot separate
	// tokens of the same second, or those from before the clock was set back.
	Epoch int64 `json:"epoch,omitempty"`
	// Since is the Unix time at which they were last voided. It decides while Epoch is 0, because
	// an earlier version voided tokens by this time only.
	Since   int64          `json:"since,omitempty"`
	Secrets []storedSecret `json:"secrets,omitempty"`

	Keys []storedClientKey `json:"keys,omitempty"`
	// Ended are the refs of the last secrets and keys that the client has lost since its tokens were
	// last voided, at most maxEnded. While there are any, a token that names no secret or key is void.
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

// void voids all tokens of the client.
func (c *storedClient) void(now time.Time) {
	c.Epoch++
	c.Since = now.Unix()
	c.Ended = nil // the new epoch voids their tokens as well
}

const maxEnded = 20

// end notes that the client has lost the secret or key with that ref.
func (c *storedClient) end(ref string) {
	c.Ended = append(slices.Clone(c.Ended[max(0, len(c.Ended)-maxEnded+1):]), ref)
}

// credential returns the name of the key in tokens. It is not the id, because an operator may add a
// removed key again, and that must not make its old tokens valid.
func (k *storedClientKey) credential() credential { return credential{k.ID, cmp.Or(k.Ref, k.ID)} }

// A credential is a secret or key by which a client has proved its identity.
type credential struct {
	id  string
	ref string // its name in tokens, which is never used again
}

// voided reports whether t is void. A token ends with the secret or key by which the client got it.
// One of an earlier version names neither, so the loss of any voids it.
func (c *storedClient) voided(t accessClaims) bool {
	if t.Epoch != c.Epoch || c.Epoch == 0 && t.Issued <= c.Since {
		return true
	}
	if t.Via == "" {
		return len(c.Ended) > 0
	}
	return !slices.ContainsFunc(c.Secrets, func(s storedSecret) bool { return s.ID == t.Via }) &&
		!slices.ContainsFunc(c.Keys, func(k storedClientKey) bool { return k.credential().ref == t.Via })
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

// client returns the exported form of c. used are the values of auth/used that belong to c.
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

// loadClient reads a client, and returns the stored bytes besides.
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

// saveClient writes c if the KV still holds old, and deletes the records of use of the secrets and
// keys that c has lost.
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

// A clientCache keeps clients for up to ClientStale, because every request with a token needs its
// client. It also keeps the names of all clients, because strangers ask for clients that do not
// exist.
type clientCache struct {
	mu      sync.Mutex
	clients map[string]cachedClient
	forgot  int                 // number of calls of forget
	names   map[string]struct{} // of all clients that may exist
	read    time.Time           // time at which names was read

	reading sync.Mutex // held by the goroutine that reads the names
}

type cachedClient struct {
	client storedClient
	loaded time.Time
}

// maxCached limits the entries of a cache.
const maxCached = 10_000

func newClientCache() *clientCache {
	return &clientCache{clients: map[string]cachedClient{}, names: map[string]struct{}{}}
}

// forget makes the next request for that client read it again.
func (m *clientCache) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.clients, name)
	m.names[name] = struct{}{}
	m.forgot++
}

// look returns the cached client, whether it was read less than ClientStale ago, whether a client
// of that name may exist at all, and the count of forget.
func (m *clientCache) look(name string, now time.Time) (c storedClient, fresh, maybe bool, forgot int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.clients[name]
	_, maybe = m.names[name]
	return known.client, ok && !now.Before(known.loaded) && now.Sub(known.loaded) < ClientStale, maybe, m.forgot
}

// client returns the client as it is now or was at most ClientStale ago, or ErrNotFound if there is
// none. A client is missing if the cached names lack it; the authority reads the names again at
// most once per ClientStale. It sees a new client at once if the caller made it through this
// Authority, or has told Changed.
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
	// A change during the read may have made its result old.
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

// readNames reads the names of all clients if the last read is at least ClientStale ago and no
// other request is reading them. Only the first read makes all requests wait.
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

// A usedCache holds the time at which this process last recorded the use of a secret or key.
type usedCache struct {
	mu   sync.Mutex
	when map[string]time.Time
}

func newUsedCache() *usedCache { return &usedCache{when: map[string]time.Time{}} }

const (
	usedEvery = time.Hour   // between two records of the use of one secret or key
	usedRetry = time.Minute // after a record that failed
)

// due reports whether the caller should record that use now, and takes it as recorded.
func (u *usedCache) due(name string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if t, ok := u.when[name]; ok && lately(t, now) {
		return false
	}
	if len(u.when) >= maxCached {
		clear(u.when)
	}
	u.when[name] = now
	return true
}

// failed makes that use due again after usedRetry, because the record failed.
func (u *usedCache) failed(name string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.when[name] = now.Add(usedRetry - usedEvery)
}

// lately reports whether t is less than usedEvery ago. A time to come is not: the operator has set
// the clock back.
func lately(t, now time.Time) bool { return !now.Before(t) && now.Sub(t) < usedEvery }

// noteUse records, at most once an hour, that the client used the secret or key. The client gets
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
		// Another process may have recorded a use within the hour.
		if t, err := time.Parse(time.RFC3339, string(raw)); err == nil && lately(t, now) {
			return nil
		}
		return a.kv.Save(ctx, map[string][]byte{name: []byte(now.Format(time.RFC3339))}, nil)
	}()
	if err != nil {
		a.used.failed(name, now)
		a.counts.useNotSaved.Add(1)
		a.log.Warn("the last use of a client could not be saved", "tenant", c.Tenant, "client", c.ID, "err", err)
	}
}
