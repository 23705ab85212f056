package ingest

import (
	"context"
	"errors"
	"slices"

	"github.com/trunklog/trunklog/call"
)

// Assign gives rows to another tenant, with all that belongs to them: messages, legs, further ids,
// and the rows that became part of them. A row whose call the tenant's log has already becomes part
// of the row there. Assign reads a row again if it has changed, and leaves out one that is gone. No
// row may be in rows twice.
func (in *Ingest) Assign(ctx context.Context, rows []call.Row, owner call.GUID) (n call.Counts, err error) {
	n, err = in.assign(ctx, rows, owner)
	if !errors.Is(err, call.ErrConflict) || len(rows) == 0 {
		return n, err
	}
	const tries = 10
	for i := range rows { // one of them has changed since it was read
		for range tries {
			var r call.Row
			if r, err = in.store.Row(ctx, rows[i].Tenant, rows[i].ID); err != nil {
				break
			}
			var one call.Counts
			if one, err = in.assign(ctx, []call.Row{r}, owner); !errors.Is(err, call.ErrConflict) {
				n.New, n.Changed, n.Same = n.New+one.New, n.Changed+one.Changed, n.Same+one.Same
				break
			}
		}
		if err != nil && !errors.Is(err, call.ErrNotFound) {
			return n, err
		}
	}
	return n, nil
}

// assign does so in one batch, and writes the links of each row in a second one.
func (in *Ingest) assign(ctx context.Context, rows []call.Row, owner call.GUID) (n call.Counts, err error) {
	b := call.Batch{State: make(map[string][]byte), If: make(map[string][]byte)}
	links := make([][]byte, len(rows))
	for i := range rows {
		if err := in.assignRow(ctx, &rows[i], owner, &b); err != nil {
			return n, err
		}
		name := linkedName(&rows[i])
		if links[i], err = call.Value(ctx, in.store, name); err != nil {
			return n, err
		}
		if links[i] != nil {
			b.State[name], b.If[name] = nil, links[i]
		}
	}
	res, err := in.Write(ctx, b)
	if err != nil {
		return n, err
	}
	for i, w := range res.Rows {
		if err := in.assignLinks(ctx, call.Row{Tenant: owner, ID: w.Place.ID, Start: w.Place.Start}, links[i]); err != nil {
			return n, err
		}
	}
	return res.Counts(), nil
}

func (in *Ingest) assignRow(ctx context.Context, r *call.Row, owner call.GUID, b *call.Batch) error {
	b.Replace = append(b.Replace, call.Replacement{Was: *r, Gone: true})
	legs, err := in.store.Legs(ctx, r.Tenant, r.Cursor())
	if err != nil {
		return err
	}
	for _, leg := range legs {
		if err := keepMessages(ctx, in.store, leg, b); err != nil {
			return err
		}
		leg.Tenant = owner
		b.Legs = append(b.Legs, leg)
	}
	row := r.Clone()
	row.Tenant = owner
	b.Rows = append(b.Rows, row)
	return nil
}

// assignLinks gives a row the links of the row that it was at another tenant.
func (in *Ingest) assignLinks(ctx context.Context, row call.Row, links []byte) error {
	if links == nil {
		return nil
	}
	t, err := in.tenantLinks(ctx, row.Tenant)
	if err != nil {
		return err
	}
	if t.value == nil {
		if err := in.beginLinking(ctx, &row); err != nil {
			return err
		}
	}
	const tries = 10
	for range tries {
		name := linkedName(&row)
		var have []byte
		if have, err = call.Value(ctx, in.store, name); err != nil {
			return err
		}
		b := call.Batch{State: map[string][]byte{name: slices.Concat(have, links)}, If: map[string][]byte{name: have}}
		for entry := range slices.Chunk(links, linkSize) {
			if id := call.GUID(entry[1:]); id != row.ID && entry[0]&byHearsay == 0 {
				b.Aliases = append(b.Aliases, call.Alias{Tenant: row.Tenant, ID: id, Of: row.ID})
			}
		}
		if _, err = in.store.Write(ctx, b); !errors.Is(err, call.ErrConflict) {
			return err
		}
	}
	return err
}
