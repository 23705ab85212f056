package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Imports are kept in the state, so that they can be listed and undone:
//
//	imports/ID               what it was: an [Import] in JSON
//	imported/ID/TENANT/N     what one batch has told of a tenant's rows, see [call.Batch.Keep]
const (
	importsPrefix  = "imports/"
	importedPrefix = "imported/"
)

// An Import is one run of an import.
type Import struct {
	ID       string    `json:"id"` // sorts by time
	Format   string    `json:"format"`
	Files    []string  `json:"files"`
	Tenant   call.GUID `json:"tenant,omitzero"` // zero: that of each call's trunk
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"` // zero: it is under way, or was broken off
	New      int64     `json:"new"`
	Changed  int64     `json:"changed"`
	Same     int64     `json:"same"`
	Rejected int64     `json:"rejected"`
	Broken   bool      `json:"broken,omitempty"` // it ended with an error
	// Undone is when it was undone, and Left of how many rows it was not.
	Undone time.Time `json:"undone,omitzero"`
	Left   int64     `json:"left,omitempty"`
	// Forgotten says that what it told is kept no longer.
	Forgotten bool `json:"forgotten,omitempty"`
}

// Save writes what is known of an import.
func (i *Import) Save(ctx context.Context, store call.StateStore) error {
	value, err := json.Marshal(i)
	if err != nil {
		return err
	}
	if _, err := store.Write(ctx, call.Batch{State: map[string][]byte{importsPrefix + i.ID: value}}); err != nil {
		return fmt.Errorf("note import %s: %w", i.ID, err)
	}
	return nil
}

// change changes what is known of an import, as it is now.
func change(ctx context.Context, store call.StateStore, id string, f func(*Import)) error {
	const tries = 10
	name := importsPrefix + id
	var err error
	for range tries {
		var was, is []byte
		if was, err = call.Value(ctx, store, name); err != nil {
			return err
		}
		var i Import
		if err := json.Unmarshal(was, &i); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		f(&i)
		if is, err = json.Marshal(i); err != nil {
			return err
		}
		_, err = store.Write(ctx, call.Batch{State: map[string][]byte{name: is}, If: map[string][]byte{name: was}})
		if !errors.Is(err, call.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("note import %s: %w", id, err)
	}
	return nil
}

// End notes how an import went that was saved when it began.
func (i *Import) End(ctx context.Context, store call.StateStore) error {
	return change(ctx, store, i.ID, func(is *Import) {
		undone, left := is.Undone, is.Left
		*is = *i
		is.Undone, is.Left = undone, left
	})
}

// Imports returns all imports, the first one first.
func Imports(ctx context.Context, store call.StateReader) (all []Import, err error) {
	for v, err := range store.State(ctx, importsPrefix) {
		if err != nil {
			return nil, fmt.Errorf("list the imports: %w", err)
		}
		var i Import
		if err := json.Unmarshal(v.Value, &i); err != nil {
			return nil, fmt.Errorf("read %s: %w", v.Name, err)
		}
		all = append(all, i)
	}
	return all, nil
}

// keep has b keep what it tells, if the rows are those of an import.
func (in *Ingest) keep(b *call.Batch) {
	if in.imported == "" || len(b.Rows) == 0 {
		return
	}
	n := in.pieces.Add(1)
	b.Keep = make(map[call.GUID]string)
	for i := range b.Rows {
		tenant := b.Rows[i].Tenant
		if _, ok := b.Keep[tenant]; !ok {
			b.Keep[tenant] = fmt.Sprintf("%s%s/%s/%010d", importedPrefix, in.imported, tenant, n)
		}
	}
}

// ForgetImports forgets what imports told that began before t: they cannot be undone
// any more.
func ForgetImports(ctx context.Context, store call.StateStore, t time.Time) error {
	all, err := Imports(ctx, store)
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Forgotten || !i.Began.Before(t) {
			continue
		}
		names, err := pieces(ctx, store, i.ID)
		if err != nil {
			return err
		}
		const atOnce = 100
		for some := range slices.Chunk(names, atOnce) {
			gone := make(map[string][]byte, len(some))
			for _, name := range some {
				gone[name] = nil
			}
			if _, err := store.Write(ctx, call.Batch{State: gone}); err != nil {
				return fmt.Errorf("forget import %s: %w", i.ID, err)
			}
		}
		if err := change(ctx, store, i.ID, func(i *Import) { i.Forgotten = true }); err != nil {
			return err
		}
	}
	return nil
}

// pieces returns the names of what an import has told.
func pieces(ctx context.Context, store call.StateReader, id string) (names []string, err error) {
	for v, err := range store.State(ctx, importedPrefix+id+"/") {
		if err != nil {
			return nil, fmt.Errorf("read what import %s told: %w", id, err)
		}
		names = append(names, v.Name)
	}
	return names, nil
}

// told yields what a piece of an import says, whose name is given.
func told(name string, value []byte) (tenant call.GUID, all []call.Told, err error) {
	const number = 1 + 10
	if len(name) < number+len(tenant.String()) {
		return tenant, nil, fmt.Errorf("read %s: it names no tenant", name)
	}
	end := len(name) - number
	if tenant, err = call.ParseGUID(name[end-len(tenant.String()) : end]); err != nil {
		return tenant, nil, fmt.Errorf("read %s: %w", name, err)
	}
	for t, err := range call.ParseTold(string(value), tenant) {
		if err != nil {
			return tenant, nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, t)
	}
	return tenant, all, nil
}

// errForgotten says why an import cannot be undone.
var errForgotten = errors.New("what it told is kept no longer")
