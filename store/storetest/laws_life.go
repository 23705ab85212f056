package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/trunklog/trunklog/call"
)

func trimIsExact(f *fixture) {
	tenant := Tenants()[0]
	day := time.Date(2024, 3, 10, 0, 0, 0, 0, time.UTC)
	var rows []call.Row
	for d := range 4 {
		for i := range 60 {
			r := rowAt(time.Duration(d*100+i).String(), day.AddDate(0, 0, d).Add(time.Duration(i)*24*time.Minute))
			r.Caller, r.CorrelationID, r.UserID = "+4930123", call.GUID{1}, call.GUID{2}
			rows = append(rows, r)
		}
	}
	f.write(call.Batch{Rows: rows, State: map[string][]byte{"kept": []byte("1")}})
	seen := func(want int) {
		f.Helper()
		for _, where := range []call.Expr{
			nil, call.Digits("4930123"),
			call.Compare{Field: call.FieldCorrelationID, Value: call.GUID{1}},
			call.Compare{Field: call.FieldUserID, Value: call.GUID{2}},
		} {
			if n := len(f.same(call.Query{Tenant: tenant, Where: where})); n != want {
				f.Fatalf("%d rows by %#v, want %d", n, where, want)
			}
		}
		f.sameAll()
	}
	left := len(rows)
	for _, step := range []struct {
		before time.Time
		gone   int64
	}{
		{time.Time{}, 0},
		{day, 0},
		{day.Add(1), 1}, // the first row starts before that
		{day.Add(1), 0},
		{day.Add(24 * time.Minute), 0},
		{day.Add(24*time.Minute + 100), 1},
		{day.AddDate(0, 0, 1), 58},
		{day.AddDate(0, 0, 2).Add(12 * time.Hour), 90},
		{day, 0},
		{day.AddDate(1, 0, 0), 90},
		{day.AddDate(9000, 0, 0), 0}, // the year 11024
	} {
		if n := f.trim(tenant, step.before); n != step.gone {
			f.Fatalf("trim before %v says %d, want %d", step.before, n, step.gone)
		}
		left -= int(step.gone)
		seen(left)
		for skip := range 5 {
			f.same(call.Query{Tenant: tenant, Skip: int64(skip * 20)})
		}
	}
	f.reopen()
	f.sameAll()
}

func trimLeavesOthers(f *fixture) {
	f.write(call.Batch{Rows: few(Rows(20, 1500), 3)})
	for _, tenant := range []call.GUID{Tenants()[1], call.Unassigned} {
		f.trim(tenant, time.Date(2024, 2, 29, 11, 22, 33, 0, time.UTC))
		f.sameAll()
		f.reopen() // an engine that can check itself does so when it is closed
		f.trim(tenant, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
		if n := len(f.same(call.Query{Tenant: tenant})); n != 0 {
			f.Fatalf("%d rows left of a tenant that was trimmed whole", n)
		}
		f.sameAll()
	}
	if n := f.trim(call.GUID{9}, noon()); n != 0 {
		f.Fatalf("trim of a tenant without rows says %d", n)
	}
}

func trimmedRowsMayComeBack(f *fixture) {
	rows := Rows(21, 300)
	f.write(call.Batch{Rows: rows})
	end := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tenant := range Tenants() {
		f.trim(tenant, end)
	}
	// The rows come back as new ones, and at another place.
	for i := range rows {
		if rows[i].Start.Year() < 9000 {
			rows[i].Start = rows[i].Start.Add(90 * time.Minute)
		}
	}
	if res := f.write(call.Batch{Rows: rows}); res.New != len(rows) {
		f.Fatalf("%d rows after trim: %+v", len(rows), res)
	}
	f.sameAll()
	f.reopen()
	f.sameAll()
}

func closeWaits(f *fixture) {
	f.write(call.Batch{Rows: Rows(22, 400)})
	tenant := Tenants()[0]
	want := len(f.same(call.Query{Tenant: tenant}))
	closed := make(chan error, 1)
	n := 0
	for _, err := range f.store.Rows(f.Context(), call.Query{Tenant: tenant}) {
		if err != nil {
			f.Fatalf("a walk that was under way when the store was closed: %v", err)
		}
		if n++; n == 1 {
			go func() { closed <- f.store.Close() }()
			f.untilClosed()
		}
		select {
		case err := <-closed:
			f.Fatalf("close did not wait for the walk: %v", err)
		default:
		}
	}
	if err := <-closed; err != nil || n != want {
		f.Fatalf("%d rows, want %d; close: %v", n, want, err)
	}
}

// untilClosed waits until Close has begun, which shows in the errors of other calls.
func (f *fixture) untilClosed() {
	f.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if _, err := call.Values(f.Context(), f.store, "none"); errors.Is(err, call.ErrClosed) {
			return
		}
	}
	f.Fatal("close did not begin")
}

func closedStoreSaysSo(f *fixture) {
	f.write(call.Batch{Rows: Rows(23, 10)})
	if err := f.store.Close(); err != nil {
		f.Fatal(err)
	}
	f.everyCall(f.Context(), call.ErrClosed)
	if err := f.store.Close(); !errors.Is(err, call.ErrClosed) {
		f.Errorf("close twice: %v", err)
	}
}

// everyCall checks that every method but Close fails with target.
func (f *fixture) everyCall(ctx context.Context, target error) {
	f.Helper()
	check := func(name string, err error) {
		f.Helper()
		if !errors.Is(err, target) {
			f.Errorf("%s: %v, want %v", name, err, target)
		}
	}
	_, err := f.store.Write(ctx, call.Batch{Rows: Rows(24, 1)})
	check("write", err)
	_, err = f.store.Row(ctx, Tenants()[0], call.GUID{1})
	check("row", err)
	_, err = f.store.Count(ctx, call.Query{Tenant: Tenants()[0]})
	check("count", err)
	_, err = f.store.Count(ctx, call.Query{Tenant: Tenants()[0], Where: call.Not{X: call.Or{}}})
	check("count where", err)
	_, err = groups(ctx, f.store, call.Query{Tenant: Tenants()[0]}, call.Grouping{})
	check("groups", err)
	_, err = call.Values(ctx, f.store, "")
	check("state", err)
	_, err = f.store.Trim(ctx, Tenants()[0], noon())
	check("trim", err)
	check("trim messages", f.store.TrimMessages(ctx, noon()))
	_, err = f.store.Legs(ctx, Tenants()[0], call.Cursor{Start: noon(), ID: call.GUID{1}})
	check("legs", err)
	n := 0
	for m, err := range f.store.Messages(ctx, call.Leg{ID: call.GUID{1}, From: noon(), To: noon()}) {
		if n++; m != nil || n > 1 {
			f.Errorf("messages yield %v together with %v", m, err)
		}
		check("messages", err)
	}
	if n != 1 {
		f.Errorf("messages yield %d times, want once, the error", n)
	}
	for _, where := range []call.Expr{nil, call.Or{}, call.Digits("1")} {
		n := 0
		for r, err := range f.store.Rows(ctx, call.Query{Tenant: Tenants()[0], Where: where}) {
			if n++; r != nil {
				f.Errorf("rows yield a row together with %v", err)
			}
			check("rows", err)
		}
		if n != 1 {
			f.Errorf("rows yield %d times, want once, the error", n)
		}
	}
}
