package storetest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

func nothingThere(f *fixture) {
	tenant := Tenants()[0]
	for range 2 {
		f.same(call.Query{Tenant: tenant})
		f.same(call.Query{Tenant: tenant, Skip: 10, Reverse: true})
		f.same(call.Query{Tenant: tenant, Where: call.Digits("1")})
		f.same(call.Query{})
		if _, err := f.store.Row(f.Context(), tenant, call.GUID{1}); !errors.Is(err, call.ErrNotFound) {
			f.Fatalf("a row that is not there: %v", err)
		}
		f.reopen()
	}
}

func rangesAreHalfOpen(f *fixture) {
	at := noon()
	var rows []call.Row
	for i := range 5 {
		rows = append(rows, rowAt(time.Duration(i).String(), at.Add(time.Duration(i-2)*100)))
	}
	f.write(call.Batch{Rows: rows})
	count := func(from, to time.Time, want int) {
		f.Helper()
		for _, reverse := range []bool{false, true} {
			if n := len(f.same(call.Query{Tenant: Tenants()[0], From: from, To: to, Reverse: reverse})); n != want {
				f.Fatalf("%d rows from %v to %v, want %d", n, from, to, want)
			}
		}
	}
	var none time.Time
	count(at, none, 3)
	count(none, at, 2)
	count(at, at, 0)
	count(at, at.Add(100), 1)
	count(at.Add(1), none, 2)         // less than 100 ns after the row
	count(none, at.Add(1), 3)         // the row starts before that
	count(at.Add(1), at.Add(99), 0)   // between two ticks
	count(at.Add(-1), at.Add(101), 2) // from just before a row to just after the next
	count(at.Add(300), at.Add(-1), 0) // the wrong way round
	count(none, at.AddDate(9000, 0, 0), 5)
	count(at.AddDate(9000, 0, 0), none, 0)
	count(time.Time{}.Add(-time.Hour), none, 5) // before the year 1
	count(none, time.Time{}.Add(-time.Hour), 0)
	count(at.In(time.FixedZone("", -7*3600)), none, 3)
}

// rangesAddUp checks that [a,b) and [b,c) together are [a,c).
func rangesAddUp(f *fixture) {
	rng := rand.New(rand.NewPCG(Seed(f), 1))
	rows := Rows(6, 600)
	f.write(call.Batch{Rows: rows})
	moment := func() time.Time {
		t := rows[rng.IntN(len(rows))].Start
		switch rng.IntN(4) {
		case 0:
			return t.Truncate(time.Hour)
		case 1:
			return t.Add(time.Duration(rng.IntN(300) - 150))
		}
		return t
	}
	for range Scale(200) {
		a, b, c := moment(), moment(), moment()
		if b.Before(a) {
			a, b = b, a
		}
		if c.Before(b) || a.IsZero() || b.IsZero() {
			continue // a zero time would be no bound
		}
		tenant := Tenants()[rng.IntN(4)]
		q := func(from, to time.Time) []call.Row { return f.same(call.Query{Tenant: tenant, From: from, To: to}) }
		if d := diff(append(q(a, b), q(b, c)...), q(a, c)); d != "" {
			f.Fatalf("from %v over %v to %v: %s", a, b, c, d)
		}
	}
}

func equalStartsAreOrderedByID(f *fixture) {
	var rows []call.Row
	for i := range 300 {
		r := rowAt(time.Duration(i).String(), noon())
		if i%3 == 0 {
			copy(r.ID[:15], "begins all alike")
		}
		r.ID[15] = byte(i)
		rows = append(rows, r)
	}
	f.write(call.Batch{Rows: rows})
	for _, reverse := range []bool{false, true} {
		got := f.same(call.Query{Tenant: Tenants()[0], Reverse: reverse})
		for i := 1; i < len(got); i++ {
			if c := bytes.Compare(got[i-1].ID[:], got[i].ID[:]); c < 0 == reverse {
				f.Fatalf("%v comes before %v, reverse %v", got[i-1].ID, got[i].ID, reverse)
			}
		}
		f.pages(call.Query{Tenant: Tenants()[0], Reverse: reverse, Limit: 7})
	}
}

// pages reads the rows of q page by page, each behind the last row of the one before, and checks
// that every row comes once.
func (f *fixture) pages(q call.Query) {
	f.Helper()
	whole := q
	whole.Limit = 0
	want := f.same(whole)
	var got []call.Row
	for {
		page := f.same(q)
		if got = append(got, page...); len(page) < q.Limit {
			break
		}
		q.After = page[len(page)-1].Cursor()
	}
	if d := diff(got, want); d != "" {
		f.Fatalf("the pages of %s: %s", show(whole), d)
	}
}

func pagesForwardAndReverse(f *fixture) {
	rows := Rows(7, 700)
	f.write(call.Batch{Rows: rows})
	for _, reverse := range []bool{false, true} {
		for _, limit := range few([]int{7, 1, 1000, 50}, 2) {
			for _, where := range []call.Expr{nil, call.Digits("49301234501"), call.Compare{Field: call.FieldDuration, Op: call.GT, Value: int32(0)}} {
				f.pages(call.Query{Tenant: Tenants()[0], Where: where, Limit: limit, Reverse: reverse})
			}
			f.pages(call.Query{
				Tenant: Tenants()[1], Limit: limit, Reverse: reverse,
				From: time.Date(2024, 2, 27, 22, 58, 0, 0, time.UTC), To: time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
			})
		}
	}
}

func cursorsBetweenRows(f *fixture) {
	rows := Rows(8, 300)
	f.write(call.Batch{Rows: rows})
	for i := range rows {
		if testing.Short() && i%5 != 0 {
			continue
		}
		r := &rows[i]
		for _, c := range []call.Cursor{
			{Start: r.Start},
			{Start: r.Start, ID: r.ID},
			{Start: r.Start, ID: call.GUID{0x80}},
			{Start: r.Start.Add(1), ID: r.ID}, // between two ticks
			{Start: r.Start.Add(-1), ID: r.ID},
			{Start: r.Start, ID: call.GUID{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
			{ID: r.ID}, // before the first tick
		} {
			f.same(call.Query{Tenant: r.Tenant, After: c, Limit: 3, Skip: int64(i % 3), Reverse: i%2 == 0})
			if i%20 == 0 {
				f.same(call.Query{Tenant: r.Tenant, After: c, Where: call.Digits("112"), Reverse: i%40 == 0})
				f.same(call.Query{Tenant: r.Tenant, After: c, From: r.Start.Add(-time.Hour), To: r.Start.Add(time.Hour), Reverse: i%40 == 0})
			}
		}
	}
}

func skipAndLimit(f *fixture) {
	f.write(call.Batch{Rows: Rows(9, 400)})
	tenant := Tenants()[0]
	n := int64(len(f.same(call.Query{Tenant: tenant})))
	from, to := time.Date(2024, 2, 27, 23, 0, 0, 0, time.UTC), time.Date(2024, 3, 1, 1, 2, 3, 0, time.UTC)
	for _, reverse := range []bool{false, true} {
		for _, skip := range []int64{0, 1, 2, n / 2, n - 1, n, n + 1, 1 << 62} {
			for _, limit := range []int{0, 1, 10, 1000} {
				q := call.Query{Tenant: tenant, Skip: skip, Limit: limit, Reverse: reverse}
				got := f.same(q)
				if want := max(n-skip, 0); limit == 0 && int64(len(got)) != want {
					f.Fatalf("%d rows behind %d of %d", len(got), skip, n)
				}
				q.From, q.To = from, to
				f.same(q)
				q.After = call.Cursor{Start: from.Add(26 * time.Hour), ID: call.GUID{0x80}}
				f.same(q)
				q.Where = call.Compare{Field: call.FieldSuccessful, Value: true}
				f.same(q)
				q.Where = call.And{call.Digits("49301234510")}
				f.same(q)
			}
		}
	}
}

// skipOverManyDays has rows in full and empty days, hours and minutes, so that an engine needs its
// counts at every grain.
func skipOverManyDays(f *fixture) {
	rng := rand.New(rand.NewPCG(Seed(f), 2))
	var rows []call.Row
	start := time.Date(2023, 12, 30, 23, 58, 0, 0, time.UTC)
	for i := range 1200 {
		rows = append(rows, rowAt(time.Duration(i).String(), start))
		switch rng.IntN(12) {
		case 0:
			start = start.Add(time.Duration(rng.IntN(50)) * time.Hour)
		case 1, 2, 3:
			start = start.Add(time.Duration(rng.IntN(100)) * time.Minute)
		case 4, 5, 6, 7:
			start = start.Add(time.Duration(rng.IntN(60)) * time.Second)
		}
	}
	f.write(call.Batch{Rows: rows})
	for range Scale(300) {
		q := call.Query{Tenant: Tenants()[0], Skip: rng.Int64N(1300), Limit: 1 + rng.IntN(3), Reverse: rng.IntN(2) == 0}
		if rng.IntN(2) == 0 {
			q.From = rows[rng.IntN(len(rows))].Start.Add(time.Duration(rng.IntN(3)-1) * 100)
		}
		if rng.IntN(2) == 0 {
			q.To = rows[rng.IntN(len(rows))].Start.Add(time.Duration(rng.IntN(3)-1) * 100)
		}
		if rng.IntN(3) == 0 {
			q.After = rows[rng.IntN(len(rows))].Cursor()
		}
		f.same(q)
		q.Limit = 0
		f.same(q)
	}
}

// skipEndsWithTheRange skips more rows than the range has, where the same minute, hour and day have
// more outside of it. An engine that counted those once found rows here.
func skipEndsWithTheRange(f *fixture) {
	day := time.Date(2024, 2, 18, 0, 0, 0, 0, time.UTC)
	var rows []call.Row
	for i := range 24 * 12 {
		rows = append(rows, rowAt(time.Duration(i).String(), day.Add(time.Duration(i)*5*time.Minute+time.Second)))
	}
	f.write(call.Batch{Rows: rows})
	for _, length := range []time.Duration{3 * time.Minute, 40 * time.Minute, 2 * time.Hour, 9 * time.Hour, 20 * time.Hour} {
		from := day.Add(2*time.Hour + 49*time.Minute)
		to := from.Add(length)
		in := int64(len(f.same(call.Query{Tenant: Tenants()[0], From: from, To: to})))
		for _, skip := range []int64{in - 1, in, in + 1, in + 5, in + 30, 250} {
			for _, reverse := range []bool{false, true} {
				got := f.same(call.Query{Tenant: Tenants()[0], From: from, To: to, Skip: max(skip, 0), Reverse: reverse})
				if want := min(max(in-skip, 0), in); int64(len(got)) != want {
					f.Fatalf("%d rows behind %d of %d", len(got), skip, in)
				}
			}
		}
	}
}

func walkIsASnapshot(f *fixture) {
	rows := Rows(10, 900)
	f.write(call.Batch{Rows: rows[:600]})
	tenant := Tenants()[0]
	g := newGenerator(11)
	for _, q := range []call.Query{
		{Tenant: tenant},
		{Tenant: tenant, Reverse: true, Skip: 3},
		{Tenant: tenant, Where: call.Compare{Field: call.FieldDuration, Op: call.GE, Value: int32(0)}},
		{Tenant: tenant, Where: call.Digits("49301234501")},
	} {
		want := f.same(q)
		var got []call.Row
		for r, err := range f.store.Rows(f.Context(), q) {
			if err != nil {
				f.Fatal(err)
			}
			got = append(got, r.Clone())
			// New rows, changes to all existing ones, and a Trim, while the walk goes on.
			switch len(got) {
			case 1:
				f.write(call.Batch{Rows: rows[600:700]})
			case 3:
				for _, old := range few(rows[:600], 6) {
					f.write(call.Batch{Rows: []call.Row{g.again(&old)}})
				}
			case 5:
				f.trim(tenant, time.Date(2024, 2, 28, 12, 0, 0, 0, time.UTC))
			}
		}
		if d := diff(got, want); d != "" {
			f.Fatalf("%s: %s", show(q), d)
		}
		f.sameAll()
		f.write(call.Batch{Rows: rows})
	}
}

func rowsAreLent(f *fixture) {
	f.write(call.Batch{Rows: Rows(12, 300)})
	q := call.Query{Tenant: Tenants()[0]}
	want := f.same(q)
	// A receiver may change a row, and its values stay its own. It may stop at any row.
	mine := []call.GUID{{7}, {7}, {7}}
	for stop := range 20 {
		n := 0
		for r, err := range f.store.Rows(f.Context(), q) {
			if err != nil || !r.Equal(&want[n]) {
				f.Fatalf("row %d is %+v, %v; want %+v", n, r, err, want[n])
			}
			if *r = (call.Row{AdministrativeUnits: append(r.AdministrativeUnits, call.GUID{7})}); n%2 == 0 {
				r.AdministrativeUnits = mine
			}
			if n++; n == stop {
				break
			}
		}
	}
	for _, id := range mine {
		if id != (call.GUID{7}) {
			f.Fatal("the walk has written to memory of the receiver")
		}
	}
	// A receiver may read the same sequence again, and twice at once.
	seq := f.store.Rows(f.Context(), q)
	for range 2 {
		n := 0
		for r, err := range seq {
			if err != nil || !r.Equal(&want[n]) {
				f.Fatalf("row %d is %+v, %v; want %+v", n, r, err, want[n])
			}
			if n%50 == 0 {
				for inner, err := range seq {
					if err != nil || !inner.Equal(&want[0]) {
						f.Fatalf("the first row of a walk within a walk is %+v, %v", inner, err)
					}
					break
				}
				if !r.Equal(&want[n]) {
					f.Fatalf("row %d was changed by another walk", n)
				}
			}
			n++
		}
	}
}

func tenantsAreWalls(f *fixture) {
	rows := Rows(13, 800)
	for i := range rows {
		rows[i].Trunk = rows[i].Tenant.String() // the canary
	}
	f.write(call.Batch{Rows: rows})
	queries := []call.Query{
		{},
		{Reverse: true},
		{Skip: 5},
		{Limit: 1000},
		{Where: call.Digits("49301234501")},
		{Where: call.Digits("112"), Reverse: true},
		{Where: call.Compare{Field: call.FieldUserID, Value: call.NameGUID("storetest", "userId", "1")}},
		{Where: call.Compare{Field: call.FieldCorrelationID, Value: call.NameGUID("storetest", "correlationId", "1")}},
		{From: time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC)},
	}
	sum := 0
	for _, tenant := range Tenants() {
		for i, q := range queries {
			q.Tenant = tenant
			got := f.same(q)
			for _, r := range got {
				if r.Tenant != tenant || r.Trunk != tenant.String() {
					f.Fatalf("%s gives a row of tenant %v", show(q), r.Trunk)
				}
			}
			if i == 0 {
				sum += len(got)
			}
		}
		for _, r := range rows {
			if _, err := f.store.Row(f.Context(), tenant, r.ID); errors.Is(err, call.ErrNotFound) != (tenant != r.Tenant) {
				f.Fatalf("tenant %v asks for a row of %v: %v", tenant, r.Tenant, err)
			}
		}
	}
	if sum != len(rows) {
		f.Fatalf("the tenants have %d rows together, want %d", sum, len(rows))
	}
	if n := len(f.same(call.Query{Tenant: call.GUID{1}})); n != 0 {
		f.Fatalf("a tenant that nobody knows has %d rows", n)
	}
}

func cancelledContext(f *fixture) {
	rows := few(Rows(14, 3000), 3)
	for i := range rows {
		rows[i].Tenant = Tenants()[0]
	}
	f.write(call.Batch{Rows: rows})
	for _, where := range []call.Expr{nil, call.Not{X: call.Or{}}} {
		ctx, cancel := context.WithCancel(f.Context())
		n, errs := 0, 0
		for r, err := range f.store.Rows(ctx, call.Query{Tenant: Tenants()[0], Where: where}) {
			if errs > 0 {
				f.Fatal("something was yielded after the error")
			}
			if err != nil {
				errs++
				if !errors.Is(err, context.Canceled) || r != nil {
					f.Fatalf("a walk that was cancelled yields %v, %v", r, err)
				}
			} else if n++; n == 10 {
				cancel()
			}
		}
		if errs != 1 {
			f.Fatalf("a walk that was cancelled gave all %d rows", n)
		}
		f.everyCall(ctx, context.Canceled)
		cancel()
	}
	f.sameAll()
}
