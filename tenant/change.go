package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

var errChanged = errors.New("somebody else has changed the tenant meanwhile: look at it again")

// Set lets change change the tenant with the given id, and writes it. Its id stays.
// The error wraps [call.ErrInvalid] if it would then have a name or a trunk that is
// taken, or that cannot be one, and [call.ErrNotFound] if there is no such tenant.
// With dry nothing is written.
func (d *Directory) Set(ctx context.Context, id call.GUID, dry bool, change func(*Tenant) error) (Tenant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, err := d.readAll(ctx)
	if err != nil {
		return Tenant{}, err
	}
	i, ok := x.byID[id]
	if !ok {
		return Tenant{}, &unknownError{id.String(), x}
	}
	t := x.all[i]
	t.Names, t.Trunks, t.Plans = slices.Clone(t.Names), slices.Clone(t.Trunks), maps.Clone(t.Plans)
	if err := change(&t); err != nil {
		return Tenant{}, err
	}
	t.ID = id
	others := slices.Delete(slices.Clone(x.all), i, i+1)
	if err := newIndex(others).check(&t); err != nil {
		return Tenant{}, err
	}
	value, err := json.Marshal(t)
	if err != nil || dry {
		return t, err
	}
	return t, d.replace(ctx, x, id, value)
}

// Remove removes the tenant with the given id from the directory. Its rows stay.
func (d *Directory) Remove(ctx context.Context, id call.GUID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, err := d.readAll(ctx)
	if err != nil {
		return err
	}
	if _, ok := x.byID[id]; !ok {
		return &unknownError{id.String(), x}
	}
	return d.replace(ctx, x, id, nil)
}

// replace writes the value of a tenant, or removes it, if it is still as x knows it.
func (d *Directory) replace(ctx context.Context, x *index, id call.GUID, value []byte) error {
	key := prefix + id.String()
	defer d.told.Add(1)
	_, err := d.store.Write(ctx, call.Batch{
		State: map[string][]byte{key: value},
		If:    map[string][]byte{key: x.raw[key]},
	})
	if errors.Is(err, call.ErrConflict) {
		return fmt.Errorf("tenant %s: %w", x.all[x.byID[id]].Name, errChanged)
	}
	return err
}

// Rename gives t another name. The old one stays as a further name, so that what is
// told it goes on working.
func (t *Tenant) Rename(name string) {
	if strings.EqualFold(name, t.Name) {
		return
	}
	t.RemoveName(name)
	t.Names, t.Name = append(t.Names, t.Name), name
}

// AddName gives t a further name.
func (t *Tenant) AddName(name string) {
	if !strings.EqualFold(name, t.Name) && !contains(t.Names, name) {
		t.Names = append(t.Names, name)
	}
}

// RemoveName takes a further name from t, and reports whether it had it.
func (t *Tenant) RemoveName(name string) bool {
	had := contains(t.Names, name)
	t.Names = slices.DeleteFunc(t.Names, func(s string) bool { return strings.EqualFold(s, name) })
	return had
}

// RemoveTrunk takes a trunk from t, with its dial plan, and reports whether it had it.
func (t *Tenant) RemoveTrunk(host string) bool {
	host = hostOf(host)
	had := contains(t.Trunks, host)
	t.Trunks = slices.DeleteFunc(t.Trunks, func(s string) bool { return strings.EqualFold(s, host) })
	delete(t.Plans, host)
	return had
}

func contains(all []string, s string) bool {
	return slices.ContainsFunc(all, func(have string) bool { return strings.EqualFold(have, s) })
}
