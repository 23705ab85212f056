package storetest

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/trunklog/trunklog/call"
)

// randomOperations does the same random operations to the engine and to the model, and demands the
// same answers.
func randomOperations(f *fixture) {
	g := newGenerator(Seed(f))
	rows := []call.Row{g.row()}
	for step := range Scale(700) {
		switch g.IntN(23) {
		case 0:
			f.reopen()
		case 20:
			f.sameKept()
		case 21:
			if g.oneIn(4) {
				f.trimMessages(g.messageTime())
			}
		case 1:
			r := &rows[g.IntN(len(rows))]
			if g.oneIn(4) {
				f.trim(r.Tenant, r.Start)
			}
		case 2, 3, 4, 5, 6, 7, 8:
			f.same(g.query(rows))
		case 22:
			f.sameGroups(g.groupQuery(rows), g.grouping([]*time.Location{time.UTC, time.FixedZone("", 3600)}))
		case 9:
			f.sameState(pick(g, "", "a", "a/", "b"))
		case 10:
			r := &rows[g.IntN(len(rows))]
			got, err := f.store.Row(f.Context(), r.Tenant, r.ID)
			want, wantErr := f.model.Row(f.Context(), r.Tenant, r.ID)
			if !got.Equal(&want) || errors.Is(err, call.ErrNotFound) != (wantErr != nil) {
				f.Fatalf("row %v: %+v, %v; want %+v, %v", r.ID, got, err, want, wantErr)
			}
		default:
			f.randomWrite(g, &rows)
		}
		if f.Failed() {
			f.Logf("at step %d", step)
			return
		}
	}
	f.sameAll()
	f.reopen()
	f.sameAll()
}

// randomWrite writes new rows, other witnesses' rows of old calls, rows once more, and state, some
// of it under conditions.
func (f *fixture) randomWrite(g *generator, rows *[]call.Row) {
	var b call.Batch
	for range g.IntN(pick(g, 1, 2, 20)) {
		r := (*rows)[g.IntN(len(*rows))]
		switch g.IntN(4) {
		case 0:
			r = g.again(&r)
		case 1: // once more as it is
		default:
			r = g.row()
			*rows = append(*rows, r)
		}
		b.Rows = append(b.Rows, r)
	}
	f.randomMessages(g, &b, *rows)
	for g.oneIn(6) {
		r := &(*rows)[g.IntN(len(*rows))]
		b.Remove = append(b.Remove, call.RowID{Tenant: r.Tenant, ID: r.ID})
	}
	if g.oneIn(6) {
		r := &(*rows)[g.IntN(len(*rows))]
		b.Aliases = append(b.Aliases, call.Alias{Tenant: r.Tenant, ID: pick(g, g.guid(), (*rows)[g.IntN(len(*rows))].ID), Of: r.ID})
	}
	names := []string{"a", "a/1", "a/2", "b/1"}
	values := [][]byte{nil, {}, []byte("1"), []byte("2")}
	b.State, b.If = map[string][]byte{}, map[string][]byte{}
	for range g.IntN(3) {
		b.State[pick(g, names...)] = pick(g, values...)
	}
	if g.oneIn(4) {
		name := pick(g, names...)
		b.If[name] = pick(g, values...)
	}
	got, err := f.store.Write(f.Context(), b)
	want, wantErr := f.model.Write(f.Context(), b)
	if !sameResult(got, want) || errors.Is(err, call.ErrConflict) != errors.Is(wantErr, call.ErrConflict) || (err == nil) != (wantErr == nil) {
		f.Fatalf("write of %d rows, state %v, if %v: %+v, %v; want %+v, %v", len(b.Rows), fmt.Sprint(b.State), maps.Clone(b.If), got, err, want, wantErr)
	}
}
