package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// replacedIfUnchanged: a batch replaces or takes out a row only if it has not changed; its legs,
// messages and aliases stay with it, or go.
func replacedIfUnchanged(f *fixture) {
	rows := []call.Row{rowAt("a", noon()), rowAt("b", noon().Add(time.Minute)), rowAt("c", noon().Add(time.Hour))}
	tenant := rows[0].Tenant
	leg := call.Leg{Tenant: tenant, Row: rows[0].Cursor(), ID: call.NameGUID("leg"), From: noon(), To: noon()}
	m := call.Message{Leg: leg.ID, At: noon(), Raw: []byte("INVITE sip:x SIP/2.0\r\n\r\n")}
	alias := call.NameGUID("another id of a")
	f.write(call.Batch{Rows: rows, Legs: []call.Leg{leg}, Messages: []call.Message{m}, Aliases: []call.Alias{{Tenant: tenant, ID: alias, Of: rows[0].ID}}})

	now := func(r call.Row, start time.Time, caller string) call.Row {
		n := call.Row{Tenant: r.Tenant, ID: r.ID, Start: start, Caller: caller}
		n.Settle(call.CDR.Witness(), false)
		return n
	}
	replace := func(was, is call.Row) call.Batch {
		return call.Batch{Replace: []call.Replacement{{Was: was, Now: is}}}
	}
	moved := now(rows[0], noon().Add(2*time.Hour), "+49301")
	if res := f.result(replace(rows[0], moved)); res.Replaced[0].Fate != call.Moved || len(res.Rows)+len(res.Removed) != 0 {
		f.Fatalf("a row that is replaced by one of another start: %+v", res)
	}
	f.sameAll()
	if r, err := f.store.Row(f.Context(), tenant, alias); err != nil || !r.Equal(&moved) {
		f.Fatalf("the alias of a row that was replaced: %+v, %v", r, err)
	}
	if legs, err := f.store.Legs(f.Context(), tenant, moved.Cursor()); err != nil || len(legs) != 1 {
		f.Fatalf("the legs of a row that was replaced: %v, %v", legs, err)
	}
	f.refused(replace(rows[0], now(rows[0], noon(), "+49302")), call.ErrConflict) // it has changed
	f.refused(call.Batch{Replace: []call.Replacement{{Was: rows[0], Gone: true}}, Rows: []call.Row{rowAt("d", noon())}}, call.ErrConflict)
	f.refused(replace(rowAt("nowhere", noon()), now(rowAt("nowhere", noon()), noon(), "")), call.ErrConflict)
	f.refused(call.Batch{Replace: []call.Replacement{{Was: rowAt("nowhere", noon()), Gone: true}}}, call.ErrConflict)
	f.refused(replace(moved, rows[1]), call.ErrInvalid)
	twice := replace(rows[1], now(rows[1], noon(), "x"))
	twice.Rows = rows[1:2]
	f.refused(twice, call.ErrInvalid)
	twice = replace(rows[1], now(rows[1], noon(), "x"))
	twice.Replace = append(twice.Replace, call.Replacement{Was: rows[1], Gone: true})
	f.refused(twice, call.ErrInvalid)

	if res := f.result(replace(moved, moved)); res.Replaced[0].Fate != call.Same || res.Replaced[0].Number != 0 {
		f.Fatalf("a row that is replaced by itself: %+v", res)
	}
	res := f.result(call.Batch{
		Rows:   []call.Row{rowAt("d", noon()), told(rows[2], call.Graph.Witness(), func(r *call.Row) { r.Callee = "+4930" })},
		Remove: []call.RowID{{Tenant: tenant, ID: call.NameGUID("none")}},
		Replace: []call.Replacement{
			{Was: moved, Gone: true},
			{Was: rows[1], Now: now(rows[1], rows[1].Start, "+49303")},
		},
	})
	if fmt.Sprint(res.Replaced[0].Fate, res.Replaced[1].Fate, res.Rows[0].Fate, res.Rows[1].Fate, res.Removed[0].Fate) != "removed changed new changed same" {
		f.Fatalf("a batch of all kinds: %+v", res)
	}
	f.sameAll()
	if _, err := f.store.Row(f.Context(), tenant, alias); err == nil {
		f.Fatal("the alias of a row that is gone leads somewhere")
	}
	f.reopen()
	f.sameAll()
}

// whatWasToldIsKept: a batch keeps on request what it says of each row, and what the row was
// before.
func whatWasToldIsKept(f *fixture) {
	a, b := rowAt("a", noon()), rowAt("b", noon())
	other := rowAt("c", noon())
	other.Tenant = call.NameGUID("another tenant")
	alias := call.NameGUID("another id of a")
	f.write(call.Batch{Rows: []call.Row{a, other}, Aliases: []call.Alias{{Tenant: a.Tenant, ID: alias, Of: a.ID}}})
	callee := func(r call.Row, number string) call.Row {
		return told(r, call.Graph.Witness(), func(r *call.Row) { r.Callee = number })
	}
	byAlias := callee(a, "+4931")
	byAlias.ID = alias
	first := call.Batch{
		Rows: []call.Row{callee(a, "+4930"), b, movedTo(b, noon().Add(time.Second)), byAlias, a, callee(other, "+4930")},
		Keep: map[call.GUID]string{a.Tenant: "kept/1", call.NameGUID("nobody"): "kept/nobody"},
	}
	f.write(first)
	f.write(call.Batch{Rows: []call.Row{movedTo(a, noon().Add(time.Hour)), callee(other, "+4932")}, Keep: map[call.GUID]string{a.Tenant: "kept/2", other.Tenant: "kept/3"}})
	f.write(call.Batch{State: map[string][]byte{"x": {1}}, Keep: map[call.GUID]string{a.Tenant: "kept/4"}})
	f.sameAll()
	for name, want := range map[string]string{"kept/1": "changed changed same new changed", "kept/2": "moved", "kept/3": "changed", "kept/4": ""} {
		value, err := call.Value(f.Context(), f.store, name)
		if err != nil {
			f.Fatal(err)
		}
		tenant := a.Tenant
		if name == "kept/3" {
			tenant = other.Tenant
		}
		got := ""
		fates := map[call.GUID]string{}
		for t, err := range call.ParseTold(string(value), tenant) {
			if err != nil {
				f.Fatalf("%s: %v", name, err)
			}
			if t.Row.ID == alias {
				f.Fatalf("%s: a row is told under an alias", name)
			}
			fates[t.Row.ID] += " " + t.Fate.String()
		}
		for _, r := range []call.Row{a, b, other} {
			got += fates[r.ID]
		}
		if len(got) > 0 {
			got = got[1:]
		}
		if got != want {
			f.Fatalf("%s is %q, want %q", name, got, want)
		}
	}
}

// rowUnderAnotherID takes a row out and puts it back under another id in one batch, with its leg and
// the messages of that.
func rowUnderAnotherID(f *fixture) {
	tenant := Tenants()[0]
	was := rowAt("a", noon())
	now := was.Clone()
	now.ID = call.NameGUID("storetest", "another")
	leg := legOf("a", noon(), legID(1))
	m := messageAt(leg.ID, noon(), "INVITE sip:x SIP/2.0\r\n\r\n")
	f.write(call.Batch{Rows: []call.Row{was, rowAt("b", noon())}, Legs: []call.Leg{leg}, Messages: []call.Message{m}})
	leg.Row = now.Cursor()
	res := f.result(call.Batch{
		Rows: []call.Row{now}, Replace: []call.Replacement{{Was: was, Gone: true}},
		Legs: []call.Leg{leg}, Messages: []call.Message{m},
	})
	if res.Rows[0].Fate != call.New || res.Replaced[0].Fate != call.Removed {
		f.Fatalf("a row that gets another id: %+v", res)
	}
	for range 2 {
		f.sameAll()
		if legs, err := f.store.Legs(f.Context(), tenant, now.Cursor()); err != nil || len(legs) != 1 || legs[0].Row != now.Cursor() {
			f.Fatalf("the legs of a row that got another id: %v, %v", legs, err)
		}
		if n := len(f.sameMessages(always(leg.ID))); n != 1 {
			f.Fatalf("%d messages of a row that got another id, want 1", n)
		}
		if _, err := f.store.Row(f.Context(), tenant, was.ID); !errors.Is(err, call.ErrNotFound) {
			f.Fatalf("the row under its former id: %v", err)
		}
		f.reopen()
	}
}
