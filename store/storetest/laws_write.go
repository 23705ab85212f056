package storetest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// noon is a moment in the middle of a day.
func noon() time.Time { return time.Date(2024, 3, 10, 12, 0, 0, 0, time.UTC) }

// rowAt returns a row of the first tenant, settled by a complete SIP witness.
func rowAt(id string, start time.Time) call.Row {
	r := call.Row{Tenant: Tenants()[0], ID: call.NameGUID("storetest", id), Start: start}
	r.Settle(call.SIP.Witness(), true)
	return r
}

// told returns a copy of r in which one witness has settled the changed fields.
func told(r call.Row, w call.Witness, change func(*call.Row)) call.Row {
	n := call.Row{Tenant: r.Tenant, ID: r.ID, Start: r.Start}
	change(&n)
	n.Settle(w, false)
	return n
}

func rowsComeBackWhole(f *fixture) {
	rows := Rows(1, 500)
	if res := f.write(call.Batch{Rows: rows}); res != (call.Counts{New: 500}) {
		f.Fatalf("500 new rows: %+v", res)
	}
	for _, want := range rows {
		if got, err := f.store.Row(f.Context(), want.Tenant, want.ID); err != nil || !got.Equal(&want) {
			f.Fatalf("row %v is\n\t%+v, %v\nwant\n\t%+v", want.ID, got, err, want)
		}
	}
	f.sameAll()
	f.reopen()
	f.sameAll()
}

func emptyBatch(f *fixture) {
	if res := f.write(call.Batch{}); res != (call.Counts{}) {
		f.Fatalf("an empty batch: %+v", res)
	}
	f.sameAll()
}

func largeBatch(f *fixture) {
	f.write(call.Batch{Rows: few(Rows(2, 4000), 4), State: map[string][]byte{"big": bytes.Repeat([]byte("0123456789abcdef"), 1<<16)}})
	f.sameAll()
	f.reopen()
	f.sameAll()
}

func badRowsAreRefused(f *fixture) {
	good := rowAt("good", noon())
	f.write(call.Batch{Rows: []call.Row{good}})
	bad := map[string]func(*call.Row){
		"no id":            func(r *call.Row) { r.ID = call.GUID{} },
		"no start":         func(r *call.Row) { r.Start = time.Time{} },
		"start of nothing": func(r *call.Row) { r.Start = time.Time{}.Add(99) }, // less than 100 ns
		"year 10000":       func(r *call.Row) { r.End = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"year 0":           func(r *call.Row) { r.Start = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC) },
		"long text":        func(r *call.Row) { r.Trunk = strings.Repeat("x", call.MaxText+1) },
		"not UTF-8":        func(r *call.Row) { r.UserDisplayName = "\xff" },
		"many units":       func(r *call.Row) { r.AdministrativeUnits = make([]call.GUID, 257) },
	}
	for name, spoil := range bad {
		f.Run(name, func(*testing.T) {
			row := rowAt("bad", noon())
			spoil(&row)
			better := told(good, call.Graph.Witness(), func(r *call.Row) { r.Trunk = "must not be seen" })
			f.refused(call.Batch{
				Rows:  []call.Row{rowAt("new", noon()), better, row},
				State: map[string][]byte{"mark": []byte("must not be set")},
			}, call.ErrInvalid)
		})
	}
}

func timesAreKeptInTicks(f *fixture) {
	zone := time.FixedZone("", 5*3600+1800)
	r := rowAt("zone", noon())
	r.Start = time.Date(2024, 3, 11, 0, 0, 0, 123_456_789, zone)
	r.End = time.Date(2024, 3, 11, 1, 0, 0, 99, zone)
	r.ClaimedStart = time.Date(2024, 3, 11, 0, 0, 1, 1_000_050, zone)
	f.write(call.Batch{Rows: []call.Row{r}})
	got, err := f.store.Row(f.Context(), r.Tenant, r.ID)
	if err != nil {
		f.Fatal(err)
	}
	want := time.Date(2024, 3, 10, 18, 30, 0, 123_456_700, time.UTC)
	if got.Start != want || got.End != time.Date(2024, 3, 10, 19, 30, 0, 0, time.UTC) {
		f.Fatalf("start %v, end %v, want %v", got.Start, got.End, want)
	}
	f.sameAll()
	f.same(call.Query{Tenant: r.Tenant, From: want, To: want.Add(100)})
}

func giverKeepsItsMemory(f *fixture) {
	rows := Rows(3, 50)
	value := []byte("value")
	b := call.Batch{Rows: make([]call.Row, len(rows)), State: map[string][]byte{"name": value}}
	for i := range rows {
		b.Rows[i] = rows[i].Clone()
	}
	f.write(b)
	if d := diff(b.Rows, rows); d != "" {
		f.Fatalf("write changed the batch: %s", d)
	}
	for i := range b.Rows {
		for j := range b.Rows[i].AdministrativeUnits {
			b.Rows[i].AdministrativeUnits[j] = call.GUID{1}
		}
		b.Rows[i] = call.Row{}
	}
	copy(value, "VALUE")
	f.sameAll()
	// The results belong to the caller.
	state, _ := call.Values(f.Context(), f.store, "")
	copy(state["name"], "XXXXX")
	one, _ := f.store.Row(f.Context(), rows[0].Tenant, rows[0].ID)
	for j := range one.AdministrativeUnits {
		one.AdministrativeUnits[j] = call.GUID{1}
	}
	f.sameAll()
}

func foldMovesTheRow(f *fixture) {
	first := rowAt("moved", noon())
	f.write(call.Batch{Rows: []call.Row{first, rowAt("other", noon().Add(time.Minute))}})
	later := first.Start.Add(36 * time.Hour)
	moved := movedTo(first, later)
	res := f.result(call.Batch{Rows: []call.Row{moved}})
	if w := res.Rows[0]; w.Fate != call.Moved || !w.Place.Start.Equal(later) || w.Number != 3 {
		f.Fatalf("a new start: %+v", w)
	}
	for range 2 {
		rows := f.same(call.Query{Tenant: first.Tenant})
		if len(rows) != 2 || rows[1].ID != first.ID || !rows[1].Start.Equal(later) {
			f.Fatalf("the row has not moved: %+v", rows)
		}
		if n := len(f.same(call.Query{Tenant: first.Tenant, To: later})); n != 1 {
			f.Fatalf("%d rows before the new start", n)
		}
		f.reopen()
	}
	back := movedTo(first, first.Start)
	f.write(call.Batch{Rows: []call.Row{back}})
	if got := f.mustRow(first); !got.Start.Equal(first.Start) {
		f.Fatalf("it starts at %v after that was taken back", got.Start)
	}
	f.sameAll()
}

func foldByRank(f *fixture) {
	r := rowAt("ranks", noon())
	sip := told(r, call.SIP.Witness(), func(r *call.Row) { r.Trunk, r.FinalSIPCode = "sip.example", 486 })
	steps := []struct {
		w     call.Witness
		trunk string
		want  string
		res   call.Counts
	}{
		{call.CDR.Witness(), "cdr.example", "sip.example", call.Counts{Changed: 1}}, // now seen by CDR
		{call.CDR.Witness(), "cdr.example", "sip.example", call.Counts{Same: 1}},
		{call.SIP.Witness(), "sip2.example", "sip2.example", call.Counts{Changed: 1}},
		{call.Graph.Hearsay(), "bad.example", "sip2.example", call.Counts{Changed: 1}},
		{call.Graph.Witness(), "graph.example", "graph.example", call.Counts{Changed: 1}},
		{call.Graph.Witness(), "graph.example", "graph.example", call.Counts{Same: 1}},
	}
	f.write(call.Batch{Rows: []call.Row{sip}})
	for i, s := range steps {
		res := f.write(call.Batch{Rows: []call.Row{told(r, s.w, func(r *call.Row) { r.Trunk = s.trunk })}})
		got, err := f.store.Row(f.Context(), r.Tenant, r.ID)
		if err != nil || got.Trunk != s.want || got.FinalSIPCode != 486 || res != s.res {
			f.Fatalf("step %d: trunk %q, code %d, %+v, %v; want %q, %+v", i, got.Trunk, got.FinalSIPCode, res, err, s.want, s.res)
		}
	}
	f.sameAll()
}

func foldMovesLookUps(f *fixture) {
	a, b := call.NameGUID("storetest", "a"), call.NameGUID("storetest", "b")
	r := told(rowAt("looked up", noon()), call.CDR.Witness(), func(r *call.Row) {
		r.CorrelationID, r.UserID, r.Caller, r.Callee = a, a, "+49301111", "+49302***"
	})
	// Beside it, with an id that begins alike, a row that keeps the old values.
	twin := r.Clone()
	twin.ID[15]++
	f.write(call.Batch{Rows: []call.Row{r, twin}})
	f.write(call.Batch{Rows: []call.Row{told(r, call.Graph.Witness(), func(r *call.Row) {
		r.CorrelationID, r.UserID, r.Caller, r.Callee = b, b, "+49302222", "+49303333"
	})}})
	found := func(x call.Expr, want ...call.GUID) {
		f.Helper()
		rows := f.same(call.Query{Tenant: r.Tenant, Where: x})
		if len(rows) != len(want) {
			f.Fatalf("%#v finds %d rows, want %d", x, len(rows), len(want))
		}
		for i := range rows {
			if rows[i].ID != want[i] {
				f.Fatalf("%#v finds %v, want %v", x, rows[i].ID, want[i])
			}
		}
	}
	for range 2 {
		found(call.Compare{Field: call.FieldCorrelationID, Value: a}, twin.ID)
		found(call.Compare{Field: call.FieldCorrelationID, Value: b}, r.ID)
		found(call.Compare{Field: call.FieldUserID, Value: a}, twin.ID)
		found(call.Compare{Field: call.FieldUserID, Value: b}, r.ID)
		found(call.Digits("49301111"), twin.ID)
		found(call.Digits("49302222"), r.ID, twin.ID) // the masked number of the twin can be this one
		found(call.Digits("49302555"), twin.ID)
		found(call.Digits("49303333"), r.ID)
		f.reopen()
	}
}

// foldMovesTwins moves two rows with the same start, the same values and ids that begin alike, in
// one batch.
func foldMovesTwins(f *fixture) {
	a, b := call.NameGUID("storetest", "a"), call.NameGUID("storetest", "b")
	r := told(rowAt("first twin", noon()), call.CDR.Witness(), func(r *call.Row) { r.CorrelationID, r.Caller = a, "+49301111" })
	twin := r.Clone()
	twin.ID[15]++
	f.write(call.Batch{Rows: []call.Row{r, twin}})
	move := func(r *call.Row) { r.CorrelationID, r.Caller = b, "+49302222" }
	f.write(call.Batch{Rows: []call.Row{told(r, call.Graph.Witness(), move), told(twin, call.Graph.Witness(), move)}})
	for range 2 {
		for x, want := range map[call.Expr]int{
			call.Compare{Field: call.FieldCorrelationID, Value: a}: 0,
			call.Compare{Field: call.FieldCorrelationID, Value: b}: 2,
			call.Digits("49301111"):                                0,
			call.Digits("49302222"):                                2,
		} {
			if n := len(f.same(call.Query{Tenant: r.Tenant, Where: x})); n != want {
				f.Fatalf("%#v finds %d rows, want %d", x, n, want)
			}
		}
		f.reopen()
	}
}

func duplicatesInOneBatch(f *fixture) {
	r := rowAt("twice", noon())
	poor := told(r, call.CDR.Witness(), func(r *call.Row) { r.Trunk, r.Caller = "cdr.example", "+49301" })
	rich := told(r, call.Graph.Witness(), func(r *call.Row) { r.Start = r.Start.Add(time.Hour); r.Trunk = "graph.example" })
	res := f.write(call.Batch{Rows: []call.Row{poor, rich, poor, rich, rowAt("other", noon())}})
	if res != (call.Counts{New: 2, Changed: 1, Same: 2}) {
		f.Fatalf("two rows, one of them four times: %+v", res)
	}
	rows := f.same(call.Query{Tenant: r.Tenant})
	if len(rows) != 2 || f.mustRow(r).Trunk != "graph.example" || f.mustRow(r).Caller != "+49301" || !f.mustRow(r).Start.Equal(rich.Start) {
		f.Fatalf("rows %+v", rows)
	}
	// The later word of one witness stands.
	one := told(r, call.Graph.Witness(), func(r *call.Row) { r.Trunk = "one.example" })
	two := told(r, call.Graph.Witness(), func(r *call.Row) { r.Trunk = "two.example" })
	f.write(call.Batch{Rows: []call.Row{one, two, one, two}})
	if got := f.mustRow(r).Trunk; got != "two.example" {
		f.Fatalf("trunk %q, want the last one", got)
	}
	f.sameAll()
	f.reopen()
	f.sameAll()
}

func (f *fixture) mustRow(r call.Row) call.Row {
	f.Helper()
	got, err := f.store.Row(f.Context(), r.Tenant, r.ID)
	if err != nil {
		f.Fatal(err)
	}
	return got
}

func sameIDInTwoTenants(f *fixture) {
	a := rowAt("shared", noon())
	b, c := a.Clone(), a.Clone()
	b.Tenant, b.Start, b.Trunk = Tenants()[1], noon().Add(time.Hour), "b.example"
	c.Tenant, c.Trunk = call.Unassigned, "c.example"
	if res := f.write(call.Batch{Rows: []call.Row{a, b, c}}); res.New != 3 {
		f.Fatalf("one id in three tenants: %+v", res)
	}
	f.sameAll()
	f.trim(a.Tenant, noon().Add(time.Hour))
	f.sameAll()
}

func concurrentWriters(f *fixture) {
	const writers, each = 16, 40
	rows := Rows(4, writers*each)
	results := make([]call.Counts, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			// Every writer writes its own rows one by one, and those of the next writer once more.
			for i := range 2 * each {
				r := &rows[(w*each+i)%len(rows)]
				res, err := f.store.Write(f.Context(), call.Batch{Rows: []call.Row{*r}})
				if err != nil {
					f.Errorf("writer %d: %v", w, err)
				}
				if _, err := f.store.Row(f.Context(), r.Tenant, r.ID); err != nil {
					f.Errorf("writer %d: row %v after it was written: %v", w, r.ID, err)
				}
				results[w].Add(res.Rows[0].Fate)
			}
		})
	}
	wg.Wait()
	var sum call.Counts
	for _, res := range results {
		sum.New += res.New
		sum.Same += res.Same
	}
	if want := (call.Counts{New: writers * each, Same: writers * each}); sum != want {
		f.Fatalf("every row written twice: %+v, want %+v", sum, want)
	}
	if _, err := f.model.Write(f.Context(), call.Batch{Rows: rows}); err != nil {
		f.Fatal(err)
	}
	f.sameAll()
	f.reopen()
	f.sameAll()
}
