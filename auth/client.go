package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Client is a program that may ask for tokens. It belongs to one tenant.
type Client struct {
	ID       string // GUID; the client_id
	Tenant   string // GUID
	Name     string
	Roles    []string
	Created  time.Time
	Disabled bool
	Secrets  []ClientSecret // oldest first, at most two
	Keys     []ClientKey    // oldest first
	LastUsed time.Time      // accurate to an hour; zero if never
}

// A ClientSecret describes a secret without its text, which the operator sees only once.
type ClientSecret struct {
	ID       string // GUID
	Hint     string // its first three characters after the prefix
	Created  time.Time
	Expires  time.Time // zero: never
	LastUsed time.Time // accurate to an hour; zero if never
}

// A ClientKey is a public key by which a client proves its identity (private_key_jwt, RFC 7523).
type ClientKey struct {
	ID         string // RFC 7638 thumbprint of the key
	Subject    string // of the certificate; empty for a bare key
	Thumbprint string // of the certificate: SHA-256 in hexadecimal; empty for a bare key
	Created    time.Time
	Expires    time.Time // of the certificate; zero: never
	LastUsed   time.Time // accurate to an hour; zero if never
}

// DefaultExpiry is the life of a secret if the caller asks for no other.
const DefaultExpiry = 2 * 365 * 24 * time.Hour

// ClientOptions are the settings of a new client.
type ClientOptions struct {
	// Roles are the roles of the client; none stands for RoleRead.
	Roles []string
	// Expiry is the life of its secret: 0 is DefaultExpiry, and a negative one means that the
	// secret never expires.
	Expiry time.Duration
	// Certificate gives the client a key instead of a secret. [Authority.AddKey] describes its
	// form.
	Certificate []byte
}

// CreateClient adds a client to a tenant, which the caller names by GUID or by name. It returns the
// secret this once and keeps only a hash. The secret is zero if the client got a certificate.
func (a *Authority) CreateClient(ctx context.Context, tenant, name string, o ClientOptions) (Client, Secret, error) {
	tid, err := a.tenantID(ctx, tenant)
	if err != nil {
		return Client{}, Secret{}, err
	}
	if err := checkName(name); err != nil {
		return Client{}, Secret{}, err
	}
	c := storedClient{Version: clientVersion, Tenant: tid, Name: name, Created: a.today()}
	if c.Roles, err = a.checkRoles(o.Roles); err != nil {
		return Client{}, Secret{}, err
	}
	if c.ID, err = newGUID(a.rand); err != nil {
		return Client{}, Secret{}, err
	}
	if c.Object, err = newGUID(a.rand); err != nil {
		return Client{}, Secret{}, err
	}
	var s Secret
	if o.Certificate != nil {
		err = a.addKey(&c, o.Certificate)
	} else {
		s, err = a.addSecret(&c, o.Expiry)
	}
	if err != nil {
		return Client{}, Secret{}, err
	}
	if err := a.saveClient(ctx, c, nil); err != nil {
		return Client{}, Secret{}, err
	}
	return c.client(nil), s, nil
}

// Clients returns the clients of a tenant, or of all tenants if tenant is
// empty, sorted by name.
func (a *Authority) Clients(ctx context.Context, tenant string) ([]Client, error) {
	under := ""
	if tenant != "" {
		tid, err := a.tenantID(ctx, tenant)
		if err != nil {
			return nil, err
		}
		under = tid + "/"
	}
	stored, err := a.kv.Load(ctx, prefixClient+under)
	if err != nil {
		return nil, fmt.Errorf("auth: reading the clients: %w", err)
	}
	used, err := a.kv.Load(ctx, prefixUsed+under)
	if err != nil {
		return nil, fmt.Errorf("auth: reading when clients were used: %w", err)
	}
	out := make([]Client, 0, len(stored))
	for name, raw := range stored {
		c, err := parseClient(name, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, c.client(used))
	}
	slices.SortFunc(out, func(x, y Client) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Tenant, y.Tenant), strings.Compare(x.ID, y.ID))
	})
	return out, nil
}

// RotateOptions tell [Authority.RotateSecret] what to do with the client's secrets.
type RotateOptions struct {
	// Expiry is the life of the new secret, as in [ClientOptions].
	Expiry time.Duration
	// Leaked ends all of the client's secrets, keys and tokens at once. Otherwise the client keeps
	// its newest secret beside the new one, until that expires or until the next rotation. An older
	// one ends with the tokens that the client got by it, as in [Authority.RemoveKey].
	Leaked bool
}

// RotateSecret gives a client a new secret. A client that signs in only with certificates gets
// none, because it would be a way in that its operator did not want: the error is [ErrInvalid] or,
// if o.Leaked is set, the secret is zero and the client has no key left.
func (a *Authority) RotateSecret(ctx context.Context, tenant, client string, o RotateOptions) (Client, Secret, error) {
	var s Secret
	c, err := a.changeClient(ctx, tenant, client, func(c *storedClient) (err error) {
		had := len(c.Secrets)
		s = Secret{}
		if o.Leaked {
			c.Secrets, c.Keys = nil, nil
			c.void(a.now())
			if had == 0 {
				return nil
			}
		} else if had == 0 && len(c.Keys) > 0 {
			return fmt.Errorf("auth: client %s signs in with a certificate and has no secret to be rotated; give it another certificate, then remove this one: %w", c.ID, ErrInvalid)
		}
		keep := max(0, len(c.Secrets)-1)
		for _, older := range c.Secrets[:keep] {
			c.end(older.ID)
		}
		c.Secrets = slices.Clone(c.Secrets[keep:])
		s, err = a.addSecret(c, o.Expiry)
		return err
	})
	if err != nil {
		return Client{}, Secret{}, err
	}
	return c, s, nil
}

// Disable refuses the client new tokens and voids the existing ones for good: [Authority.Enable]
// does not bring them back.
func (a *Authority) Disable(ctx context.Context, tenant, client string) (Client, error) {
	return a.changeClient(ctx, tenant, client, func(c *storedClient) error {
		c.Disabled = true
		c.void(a.now())
		return nil
	})
}

// Enable lets a client ask for tokens again.
func (a *Authority) Enable(ctx context.Context, tenant, client string) (Client, error) {
	return a.changeClient(ctx, tenant, client, func(c *storedClient) error {
		c.Disabled = false
		return nil
	})
}

// AddKey gives a client one more key: a certificate or a public key in PEM, or a certificate in
// DER. An RSA key must have 2,048 to 8,192 bits, and an EC key must be on P-256. AddKey refuses a
// file that holds a private key.
func (a *Authority) AddKey(ctx context.Context, tenant, client string, file []byte) (Client, error) {
	return a.changeClient(ctx, tenant, client, func(c *storedClient) error { return a.addKey(c, file) })
}

// changeClient applies change to a client and saves the result. It may call change more than once.
// It does nothing that can fail after the save, so that an error means that nothing has changed: the
// caller would otherwise lose a secret that is in force.
func (a *Authority) changeClient(ctx context.Context, tenant, client string, change func(*storedClient) error) (Client, error) {
	tid, err := a.tenantID(ctx, tenant)
	if err != nil {
		return Client{}, err
	}
	var c storedClient
	var used map[string][]byte
	err = retry(func() error {
		var raw []byte
		if c, raw, err = a.loadClient(ctx, tid, strings.ToLower(client)); err != nil {
			return err
		}
		if used, err = a.kv.Load(ctx, prefixUsed+c.Tenant+"/"+c.ID+"/"); err != nil {
			return fmt.Errorf("auth: reading when client %s was used: %w", c.ID, err)
		}
		if err := change(&c); err != nil {
			return err
		}
		return a.saveClient(ctx, c, raw)
	})
	if err != nil {
		return Client{}, err
	}
	return c.client(used), nil
}

// tenantID returns the GUID of a tenant that an operator names by GUID or by name.
func (a *Authority) tenantID(ctx context.Context, nameOrID string) (string, error) {
	id, ok, err := a.tenant(ctx, nameOrID)
	switch {
	case err != nil:
		return "", fmt.Errorf("auth: finding tenant %q: %w", nameOrID, err)
	case !ok:
		return "", fmt.Errorf("auth: there is no tenant %q: %w", nameOrID, ErrNotFound)
	case !isGUID(id):
		return "", fmt.Errorf("auth: tenant %q has the id %q, which is not a GUID in lower case", nameOrID, id)
	}
	return id, nil
}

// today returns the time in UTC, in the whole seconds that the store keeps.
func (a *Authority) today() time.Time { return a.now().UTC().Truncate(time.Second) }

const maxName = 120

func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return fmt.Errorf("auth: %q cannot be a client's name: it is empty or has space at its ends: %w", name, ErrInvalid)
	case len(name) > maxName:
		return fmt.Errorf("auth: a client's name can have %d bytes, not %d: %w", maxName, len(name), ErrInvalid)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("auth: %q cannot be a client's name: it has characters that cannot be printed: %w", name, ErrInvalid)
	}
	return nil
}
