package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

func (f *fixture) latest(tenant call.GUID) call.Version {
	f.Helper()
	got, err := f.store.Latest(f.Context(), tenant)
	want, _ := f.model.Latest(f.Context(), tenant)
	if err != nil || got != want {
		f.Fatalf("latest is %v, %v; want %v", got, err, want)
	}
	return got
}

func numbersRise(f *fixture) {
	a, b := rowAt("a", noon()), rowAt("b", noon())
	other := a
	other.Tenant = call.NameGUID("other tenant")
	if v := f.latest(a.Tenant); v.Number != 0 || v.Epoch == 0 {
		f.Fatalf("of an empty log: %v", v)
	}
	f.write(call.Batch{Rows: []call.Row{a, b, other}})
	f.write(call.Batch{Rows: []call.Row{a}}) // nothing new
	if v := f.latest(a.Tenant); v.Number != 2 {
		f.Fatalf("after two rows: %v", v)
	}
	if v := f.latest(other.Tenant); v.Number != 1 {
		f.Fatalf("after one row: %v", v)
	}
	f.reopen()
	f.latest(a.Tenant)
	f.trim(a.Tenant, noon().Add(time.Hour))
	f.trim(a.Tenant, noon().Add(time.Hour)) // of nothing
	if v := f.latest(a.Tenant); v.Number != 3 {
		f.Fatalf("after a trim of two rows: %v", v)
	}
	v := f.latest(a.Tenant)
	if got, err := call.ParseVersion(v.String()); err != nil || got != v {
		f.Fatalf("%q is %v, %v", v, got, err)
	}
}

// sameChanges checks that both stores give the same changes, and returns them.
func (f *fixture) sameChanges(tenant call.GUID, since call.Version) []call.Change {
	f.Helper()
	got, err := changes(f, f.store, tenant, since)
	want, wantErr := changes(f, f.model, tenant, since)
	if errors.Is(err, call.ErrGone) != errors.Is(wantErr, call.ErrGone) || len(got) != len(want) {
		f.Fatalf("%d changes since %v, %v; want %d, %v", len(got), since, err, len(want), wantErr)
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if g.Number != w.Number || g.Fate != w.Fate || g.ID != w.ID || !g.Before.Equal(w.Before) || (g.Row == nil) != (w.Row == nil) || g.Row != nil && !g.Row.Equal(w.Row) {
			f.Fatalf("change %d is %+v, want %+v", i, g, w)
		}
	}
	return got
}

func changes(f *fixture, s call.ChangeReader, tenant call.GUID, since call.Version) (out []call.Change, err error) {
	for c, err := range s.Changes(f.Context(), tenant, since) {
		if err != nil {
			return out, err
		}
		kept := *c
		if c.Row != nil {
			r := c.Row.Clone()
			kept.Row = &r
		}
		out = append(out, kept)
	}
	return out, nil
}

func changesInOrder(f *fixture) {
	a, b := rowAt("a", noon()), rowAt("b", noon())
	begin := f.latest(a.Tenant)
	f.write(call.Batch{Rows: []call.Row{a, b}})
	f.write(call.Batch{Rows: []call.Row{movedTo(a, noon().Add(time.Hour))}})
	f.result(call.Batch{Remove: []call.RowID{{Tenant: b.Tenant, ID: b.ID}}})
	f.trim(a.Tenant, noon().Add(time.Minute)) // nothing is left there
	f.trim(a.Tenant, noon().Add(2*time.Hour))
	all := f.sameChanges(a.Tenant, begin)
	if len(all) != 5 || all[0].Row != nil || all[3].Fate != call.Removed || all[4].Fate != call.Trimmed {
		f.Fatalf("changes %+v", all)
	}
	for i := range all {
		f.sameChanges(a.Tenant, call.Version{Epoch: begin.Epoch, Number: all[i].Number})
	}
	f.write(call.Batch{Rows: Rows(9, 2500)})
	for _, tenant := range Tenants() {
		f.sameChanges(tenant, begin)
	}
	f.reopen()
	f.sameChanges(a.Tenant, begin)
}

func changesAreForgotten(f *fixture) {
	a := rowAt("a", noon())
	begin := f.latest(a.Tenant)
	f.write(call.Batch{Rows: []call.Row{a}})
	f.result(call.Batch{Remove: []call.RowID{{Tenant: a.Tenant, ID: a.ID}}})
	half := f.latest(a.Tenant)
	f.forget(time.Now().Add(-time.Hour)) // nothing is so old
	f.sameChanges(a.Tenant, begin)
	f.forget(time.Now().Add(time.Hour))
	if _, err := changes(f, f.store, a.Tenant, begin); !errors.Is(err, call.ErrGone) {
		f.Fatalf("changes that are forgotten: %v", err)
	}
	f.sameChanges(a.Tenant, begin)
	f.sameChanges(a.Tenant, half)
	f.write(call.Batch{Rows: []call.Row{a}})
	f.reopen()
	if n := len(f.sameChanges(a.Tenant, half)); n != 1 {
		f.Fatalf("%d changes", n)
	}
	f.sameAll()
}

func (f *fixture) forget(before time.Time) {
	f.Helper()
	if err := errors.Join(f.store.TrimChanges(f.Context(), before), f.model.TrimChanges(f.Context(), before)); err != nil {
		f.Fatal(err)
	}
}

func awaitWakes(f *fixture) {
	a := rowAt("a", noon())
	begin := f.latest(a.Tenant)
	ctx, cancel := context.WithTimeout(f.Context(), 30*time.Second)
	defer cancel()
	type answer struct {
		v   call.Version
		err error
	}
	got := make(chan answer, 1)
	await := func(since call.Version) {
		go func() {
			v, err := f.store.Await(ctx, a.Tenant, since)
			got <- answer{v, err}
		}()
	}
	await(begin)
	other := a
	other.Tenant = call.NameGUID("other tenant")
	f.write(call.Batch{Rows: []call.Row{other}})
	select {
	case x := <-got:
		f.Fatalf("another tenant's change woke it: %v, %v", x.v, x.err)
	case <-time.After(20 * time.Millisecond):
	}
	f.write(call.Batch{Rows: []call.Row{a}})
	if x := <-got; x.err != nil || x.v != f.latest(a.Tenant) {
		f.Fatalf("await says %v, %v", x.v, x.err)
	}
	if v, err := f.store.Await(ctx, a.Tenant, begin); err != nil || v != f.latest(a.Tenant) {
		f.Fatalf("await of what has been: %v, %v", v, err)
	}
	await(f.latest(a.Tenant))
	cancel()
	if x := <-got; !errors.Is(x.err, context.Canceled) {
		f.Fatalf("await that is given up: %v", x.err)
	}
	ctx = f.Context()
	for range 4 {
		await(f.latest(a.Tenant))
	}
	if err := f.store.Close(); err != nil {
		f.Fatal(err)
	}
	for range 4 {
		if x := <-got; x.err == nil {
			f.Fatalf("a store that is closed answers %v", x.v)
		}
	}
	f.store = f.open(f.T, f.dir)
}

// readerOfChanges follows the changes of a tenant through kills, restarts and retention, and must
// have exactly the rows in the end.
func readerOfChanges(f *fixture) {
	g := newGenerator(Seed(f))
	tenant := call.NameGUID("followed", fmt.Sprint(g.Uint64()))
	w := &walker{g: g, there: map[call.GUID]bool{}, trimmed: map[call.GUID]bool{}, always: map[call.GUID]bool{}, matches: map[call.GUID]bool{}}
	for i := range 20 {
		r := rowAt(fmt.Sprint(i), w.time())
		r.Tenant = tenant
		w.rows = append(w.rows, told(r, call.SIP.Witness(), func(r *call.Row) { r.Caller = walkedNumber }))
	}
	r := &follower{}
	for range Scale(300) {
		f.disturb(w, tenant)
		switch {
		case g.oneIn(40):
			f.forget(time.Now().Add(time.Hour))
		case g.oneIn(30):
			r = &follower{rows: r.rows, at: r.saved, saved: r.saved} // killed: changes since the last save come again
		case g.oneIn(3):
			r.read(f, tenant, 1+g.IntN(10))
		}
	}
	r.read(f, tenant, 1<<30)
	want := f.same(call.Query{Tenant: tenant})
	if len(want) != len(r.rows) {
		f.Fatalf("the reader has %d rows, the log %d", len(r.rows), len(want))
	}
	for i := range want {
		if have, ok := r.rows[want[i].ID]; !ok || !have.Equal(&want[i]) {
			f.Fatalf("the reader has %+v, the log %+v", have, want[i])
		}
	}
}

// A follower keeps a copy of a tenant's rows.
type follower struct {
	rows      map[call.GUID]call.Row
	at, saved call.Version
}

// read reads up to so many changes.
func (r *follower) read(f *fixture, tenant call.GUID, most int) {
	f.Helper()
	for c, err := range f.store.Changes(f.Context(), tenant, r.at) {
		if errors.Is(err, call.ErrGone) {
			r.anew(f, tenant)
			return
		}
		if err != nil {
			f.Fatal(err)
		}
		switch {
		case c.Fate == call.Trimmed:
			for id, row := range r.rows {
				if row.Start.Before(c.Before) {
					delete(r.rows, id)
				}
			}
		case c.Row == nil:
			delete(r.rows, c.ID)
		default:
			r.rows[c.ID] = c.Row.Clone()
		}
		r.at.Number = c.Number
		if most--; most == 0 {
			return
		}
	}
	r.saved = r.at
}

// anew reads everything.
func (r *follower) anew(f *fixture, tenant call.GUID) {
	f.Helper()
	v, err := f.store.Latest(f.Context(), tenant)
	if err != nil {
		f.Fatal(err)
	}
	rows, err := all(f.T, f.store, call.Query{Tenant: tenant})
	if err != nil {
		f.Fatal(err)
	}
	r.rows, r.at, r.saved = map[call.GUID]call.Row{}, v, v
	for _, row := range rows {
		r.rows[row.ID] = row
	}
}
