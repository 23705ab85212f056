package ingest

import (
	"cmp"
	"context"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

// voices are the voices that may have told of a row: Microsoft's own records, from any source, and
// the source of the import that is undone.
type voices uint8

const (
	byGraph voices = 1 << iota
	byExport
	bySource
)

func voiceOf(w call.Witness, source, format string) voices {
	switch {
	case w.Kind() == call.Graph:
		return byGraph
	case w.Kind() == call.AdminExport:
		return byExport
	case source == format:
		return bySource
	}
	return 0
}

// voicesOf returns the voices of t, of those that an import of the given format may have.
func voicesOf(t *call.Told, format string) (all voices) {
	for w, source := range t.Voices() {
		all |= voiceOf(w, source, format)
	}
	return all
}

// laterAtOnce is how many rows findLater compares at once with those of other imports. It reads
// each of these once for that. A row takes some 100 bytes.
const laterAtOnce = 200_000

// findLater notes which voices have later told of the rows of some of the pieces, those from the
// returned index on.
func (u *undoing) findLater(ctx context.Context, names []string) (from int, err error) {
	u.later = make(map[call.RowID]voices)
	if len(u.since) == 0 {
		return 0, nil
	}
	ours := make(map[call.GUID]struct{}) // with any tenant, since that may have changed
	for from = len(names); from > 0 && len(ours) < cmp.Or(u.atOnce, laterAtOnce); from-- {
		value, err := call.Value(ctx, u.store, names[from-1])
		if err != nil {
			return 0, err
		}
		_, all, err := told(names[from-1], value)
		if err != nil {
			return 0, err
		}
		for i := range all {
			ours[all[i].Row.ID] = struct{}{}
		}
	}
	return from, u.after(ctx, func(id call.RowID) bool {
		_, ok := ours[id.ID]
		return ok
	})
}

// after notes which voices have told of the wanted rows in the other imports: in those that began
// later, and, of rows that they did not make, in those that were still under way.
func (u *undoing) after(ctx context.Context, wanted func(call.RowID) bool) error {
	for _, i := range u.since {
		later := i.ID > u.it.ID
		err := u.each(ctx, i.ID, func(id call.RowID, t *call.Told) {
			if (later || t.Fate != call.New) && wanted(id) {
				u.later[id] |= voicesOf(t, u.it.Format)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// laterOf returns the voices that have later told of a row, by the id that it has now. If that is
// not the id that was told, findLater has not looked for it, so laterOf does.
func (u *undoing) laterOf(ctx context.Context, is, told call.RowID) (voices, error) {
	if _, ok := u.later[is]; is.ID == told.ID || ok {
		return u.later[is], nil
	}
	u.later[is] = 0
	err := u.after(ctx, func(id call.RowID) bool { return id == is })
	return u.later[is], err
}

// each calls f with the rows of which an import has told. An import that was undone tells of none.
func (u *undoing) each(ctx context.Context, id string, f func(call.RowID, *call.Told)) error {
	for v, err := range u.store.State(ctx, importedPrefix+id+"/") {
		if err != nil {
			return fmt.Errorf("read what import %s told: %w", id, err)
		}
		tenant, all, err := told(v.Name, v.Value)
		if err != nil {
			return err
		}
		for i := range all {
			f(call.RowID{Tenant: tenant, ID: all[i].Row.ID}, &all[i])
		}
	}
	return nil
}
