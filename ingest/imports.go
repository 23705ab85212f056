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

// The state has what lists imports and undoes them:
//
//	imports/ID               an [Import] in JSON
//	imported/ID/TENANT/N     what one batch has told of a tenant's rows, see [call.Batch.Keep]
const (
	importsPrefix  = "imports/"
	importedPrefix = "imported/"
)

// An Import is one run of an import.
type Import struct {
	ID       string    `json:"id"` // ids sort by time
	Format   string    `json:"format"`
	Files    []string  `json:"files"`
	Tenant   call.GUID `json:"tenant,omitzero"` // zero: the owner of each call's trunk
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"` // zero: it is under way, or was interrupted
	New      int64     `json:"new"`
	Changed  int64     `json:"changed"`
	Same     int64     `json:"same"`
	Rejected int64     `json:"rejected"`
	Broken   bool      `json:"broken,omitempty"` // it ended with an error
	// Undone is when the last [Undo] ended, and Left is how many rows it left.
	Undone time.Time `json:"undone,omitzero"`
	Left   int64     `json:"left,omitempty"`
	// Forgotten says that the state no longer has what the import told.
	Forgotten bool `json:"forgotten,omitempty"`
}

// Save writes the import to the state.
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

// change reads an import from the state, lets f change it, and writes it back.
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

// End notes how an import went that Save has written at its begin. It keeps what an Undo has noted.
func (i *Import) End(ctx context.Context, store call.StateStore) error {
	return change(ctx, store, i.ID, func(is *Import) {
		undone, left := is.Undone, is.Left
		*is = *i
		is.Undone, is.Left = undone, left
	})
}

// Imports returns all imports, the oldest first.
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

// keep makes the store keep what b tells, if the rows are those of an import.
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

// ForgetImports deletes what imports told that began before t. They can no longer be undone.
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

// pieces returns the names in the state of what an import has told, in order.
func pieces(ctx context.Context, store call.StateReader, id string) (names []string, err error) {
	for v, err := range store.State(ctx, importedPrefix+id+"/") {
		if err != nil {
			return nil, fmt.Errorf("read what import %s told: %w", id, err)
		}
		names = append(names, v.Name)
	}
	return names, nil
}

// told decodes a piece of an import. name is the piece's name in the state.
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

// errForgotten is why an import cannot be undone.
var errForgotten = errors.New("what it told is kept no longer")
