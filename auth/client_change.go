package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RemoveKey takes a key or a secret from a client. The caller names it by its id or by the
// thumbprint of its certificate, SHA-256 or SHA-1 in hexadecimal, with or without colons. RemoveKey
// voids the tokens that the client got by it, and those of earlier versions, which do not name
// their key. The client's other tokens stay valid.
func (a *Authority) RemoveKey(ctx context.Context, tenant, client, key string) (Client, error) {
	print := strings.ToLower(strings.ReplaceAll(key, ":", ""))
	return a.changeClient(ctx, tenant, client, func(c *storedClient) error {
		if print == "" {
			return fmt.Errorf("auth: no key of client %s is named: %w", c.ID, ErrInvalid)
		}
		had := len(c.Keys) + len(c.Secrets)
		c.Keys = slices.DeleteFunc(slices.Clone(c.Keys), func(k storedClientKey) bool {
			is := k.ID == key || fmt.Sprintf("%x", k.SHA256) == print || fmt.Sprintf("%x", k.SHA1) == print
			if is {
				c.end(k.credential().ref)
			}
			return is
		})
		c.Secrets = slices.DeleteFunc(slices.Clone(c.Secrets), func(s storedSecret) bool {
			is := s.ID == strings.ToLower(key)
			if is {
				c.end(s.ID)
			}
			return is
		})
		if len(c.Keys)+len(c.Secrets) == had {
			return fmt.Errorf("auth: client %s has no key and no secret %q: %w", c.ID, key, ErrNotFound)
		}
		return nil
	})
}

// ChangeRoles gives a client the roles in add, and takes those in remove from it. At least one role
// must remain. A token that the client already has never grants a role that it lacked, and loses a
// removed one at once.
func (a *Authority) ChangeRoles(ctx context.Context, tenant, client string, add, remove []string) (Client, error) {
	return a.changeClient(ctx, tenant, client, func(c *storedClient) error {
		var err error
		if len(add) > 0 {
			if add, err = a.checkRoles(add); err != nil {
				return err
			}
		}
		for _, r := range remove {
			if !slices.Contains(c.Roles, r) {
				return fmt.Errorf("auth: client %s has no role %q, only %s: %w", c.ID, r, strings.Join(c.Roles, ", "), ErrInvalid)
			}
		}
		roles := slices.DeleteFunc(slices.Clone(c.Roles), func(r string) bool { return slices.Contains(remove, r) })
		for _, r := range add {
			if slices.Contains(remove, r) {
				return fmt.Errorf("auth: the role %s cannot be given and taken at once: %w", r, ErrInvalid)
			}
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
		if len(roles) == 0 {
			return fmt.Errorf("auth: client %s would have no role; disable or delete it, if it may do nothing: %w", c.ID, ErrInvalid)
		}
		c.Roles = roles
		return nil
	})
}

// DeleteClient removes a client, and thereby voids its tokens.
func (a *Authority) DeleteClient(ctx context.Context, tenant, client string) error {
	tid, err := a.tenantID(ctx, tenant)
	if err != nil {
		return err
	}
	return retry(func() error {
		c, raw, err := a.loadClient(ctx, tid, strings.ToLower(client))
		if err != nil {
			return err
		}
		set := map[string][]byte{nameClient(c.Tenant, c.ID): nil, prefixSwept + c.ID: nil}
		for _, name := range c.usedNames() {
			set[name] = nil
		}
		if err := a.kv.Save(ctx, set, map[string][]byte{nameClient(c.Tenant, c.ID): raw}); err != nil {
			return fmt.Errorf("auth: deleting client %s: %w", c.ID, err)
		}
		a.clients.forget(nameClient(c.Tenant, c.ID))
		return nil
	})
}

// EndClients disables all clients of a tenant, which the caller names by its GUID, and voids their
// tokens. A command that removes a tenant calls it, so that no client of it works in a later
// tenant of the same id. EndClients returns the number of clients and needs no master key.
func EndClients(ctx context.Context, kv KV, tenant string, now time.Time) (int, error) {
	all, err := kv.Load(ctx, prefixClient+tenant+"/")
	if err != nil {
		return 0, fmt.Errorf("auth: reading the clients: %w", err)
	}
	for name := range all {
		err := retry(func() error {
			raw, err := get(ctx, kv, name)
			if raw == nil || err != nil {
				return err
			}
			c, err := parseClient(name, raw)
			if err != nil {
				return err
			}
			c.Disabled = true
			c.void(now)
			changed, err := json.Marshal(c)
			if err != nil {
				return err
			}
			return kv.Save(ctx, map[string][]byte{name: changed}, map[string][]byte{name: raw})
		})
		if err != nil {
			return 0, fmt.Errorf("auth: disabling the clients of tenant %s: %w", tenant, err)
		}
	}
	return len(all), nil
}
