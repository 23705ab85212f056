package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// turnName names a value of the state that each change of the directory changes. A change is
// written only if no other came between, so its checks against all tenants still hold.
const turnName = "tenants/turn"

// change reads the tenants and writes the result of f for the given id, or removes that tenant if
// the result is nil without an error. If another caller or process has changed the directory
// meanwhile, it begins anew.
func (d *Directory) change(ctx context.Context, id call.GUID, f func(*index) ([]byte, error)) error {
	const tries = 1000 // each that fails is another's success
	key := prefix + id.String()
	var err error
	for range tries {
		var turn, value []byte
		if turn, err = call.Value(ctx, d.store, turnName); err != nil {
			return err
		}
		x, err2 := d.readAll(ctx, d.told.Load())
		if err2 != nil {
			return err2
		}
		if value, err = f(x); err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(turn))
		d.told.Add(1)
		_, err = d.store.Write(ctx, call.Batch{
			State: map[string][]byte{key: value, turnName: strconv.AppendInt(nil, int64(n+1), 10)},
			If:    map[string][]byte{key: x.raw[key], turnName: turn},
		})
		d.told.Add(1)
		if !errors.Is(err, call.ErrConflict) {
			break
		}
	}
	return err
}

// errDry says that a change writes nothing.
var errDry = errors.New("nothing is written")

// Set calls change for the tenant with the given id, perhaps several times, and writes the result.
// The id stays. The error wraps [call.ErrInvalid] if the tenant would then have a name or a trunk
// that is taken or impossible, and [call.ErrNotFound] if there is no such tenant. With dry it
// writes nothing.
func (d *Directory) Set(ctx context.Context, id call.GUID, dry bool, change func(*Tenant) error) (t Tenant, err error) {
	err = d.change(ctx, id, func(x *index) ([]byte, error) {
		i, ok := x.byID[id]
		if !ok {
			return nil, &unknownError{id.String(), x}
		}
		t = x.all[i]
		t.Names, t.Trunks, t.Plans, t.Senders = slices.Clone(t.Names), slices.Clone(t.Trunks), maps.Clone(t.Plans), maps.Clone(t.Senders)
		if err := change(&t); err != nil {
			return nil, err
		}
		t.ID = id
		others := slices.Delete(slices.Clone(x.all), i, i+1)
		if err := newIndex(others).check(&t); err != nil {
			return nil, err
		}
		if dry {
			return nil, errDry
		}
		return json.Marshal(t)
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return t, err
}

// Remove removes the tenant with the given id from the directory. Its rows stay.
func (d *Directory) Remove(ctx context.Context, id call.GUID) error {
	return d.change(ctx, id, func(x *index) ([]byte, error) {
		if _, ok := x.byID[id]; !ok {
			return nil, &unknownError{id.String(), x}
		}
		return nil, nil
	})
}

// Rename gives t another name. The old one stays as a further name, so that scripts which use it go
// on working.
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

// RemoveName removes a further name from t, and reports whether it had it.
func (t *Tenant) RemoveName(name string) bool {
	had := contains(t.Names, name)
	t.Names = slices.DeleteFunc(t.Names, func(s string) bool { return strings.EqualFold(s, name) })
	return had
}

// AddTrunk gives t a trunk.
func (t *Tenant) AddTrunk(host string) {
	if host = hostOf(host); !contains(t.Trunks, host) {
		t.Trunks = append(t.Trunks, host)
	}
}

// RemoveTrunk removes a trunk from t, with its dial plan and what senders may say of it, and reports
// whether it had it.
func (t *Tenant) RemoveTrunk(host string) bool {
	host = hostOf(host)
	had := contains(t.Trunks, host)
	t.Trunks = slices.DeleteFunc(t.Trunks, func(s string) bool { return strings.EqualFold(s, host) })
	delete(t.Plans, host)
	t.ownSenders()
	return had
}

func contains(all []string, s string) bool {
	return slices.ContainsFunc(all, func(have string) bool { return strings.EqualFold(have, s) })
}
