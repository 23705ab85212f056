package ingest

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// An askedStore counts the queries for rows.
type askedStore struct {
	call.Store
	rows, counts int
}

func (s *askedStore) Rows(ctx context.Context, q call.Query) iter.Seq2[*call.Row, error] {
	s.rows++
	return s.Store.Rows(ctx, q)
}

func (s *askedStore) Count(ctx context.Context, q call.Query) (int64, error) {
	s.counts++
	return s.Store.Count(ctx, q)
}

// TestVacant: calls in large batches become the same rows as one by one, though the pass does not
// look most of them up.
func TestVacant(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range min(4, scale(10)) {
		graph, export := tellings(rnd, 300)
		var few []call.Event
		for i := 0; i < len(export); i += 1 + rnd.IntN(40) {
			few = append(few, export[i])
		}
		var logs [2][]call.Row
		for i, size := range []int{300, 1} {
			s := storetest.NewModel()
			in := New(Config{Store: s})
			for _, all := range [][]call.Event{few, graph, export} {
				sink := in.Sink("graph", tenant)
				if all[0].Row.Seen.Has(call.AdminExport) {
					sink = in.Sink("teams", tenant)
				}
				for some := range slices.Chunk(all, size) {
					if err := tryPut(t.Context(), sink, some...); err != nil {
						t.Fatal(err)
					}
				}
			}
			for r, err := range s.Rows(t.Context(), call.Query{Tenant: tenant}) {
				if err != nil {
					t.Fatal(err)
				}
				logs[i] = append(logs[i], r.Clone())
			}
		}
		if len(logs[0]) != len(logs[1]) {
			t.Fatalf("%d rows of large batches, %d of small ones", len(logs[0]), len(logs[1]))
		}
		for i := range logs[0] {
			if a, b := &logs[0][i], &logs[1][i]; a.ID != b.ID || !a.Equal(b) {
				t.Fatalf("row %d: %+v of large batches, %+v of small ones", i, a, b)
			}
		}
	}
}

// tellings returns n calls as Graph tells them, with gaps between them, and as the export tells
// them. Some share what names a call.
func tellings(rnd *rand.Rand, n int) (graph, export []call.Event) {
	at := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	var correlation call.GUID
	for i := range n {
		if at = at.Add(time.Duration(rnd.IntN(5000)) * time.Millisecond); rnd.IntN(50) == 0 {
			at = at.Add(time.Duration(rnd.IntN(5)) * time.Hour)
		}
		if i == 0 || rnd.IntN(10) > 0 {
			correlation = call.NameGUID("correlation", strconv.Itoa(i))
		}
		r := call.Row{
			ID: call.NameGUID("id", strconv.Itoa(i)), CorrelationID: correlation, Trunk: "sbc1.contoso.com", CallType: "ByotIn", Successful: true,
			Invite: at, Start: at.Add(time.Duration(rnd.IntN(200)) * time.Second), Caller: "+4930" + strconv.Itoa(rnd.IntN(100)+1000000), Callee: "+49401234567",
		}
		r.End = r.Start.Add(time.Minute)
		r.Settle(call.Graph.Witness(), true)
		graph = append(graph, call.Event{Kind: call.RecordEvent, Row: r})
		r.ID, r.By, r.Seen = call.GUID{}, [call.NumFields]call.Witness{}, 0
		r.Settle(call.AdminExport.Witness(), true)
		export = append(export, call.Event{Kind: call.RecordEvent, Row: r, Call: strconv.Itoa(i)})
	}
	return graph, export
}

// TestVacantSpares: of calls in the order of their time the pass looks up almost none where the log
// is empty, and only the calls themselves where it is full.
func TestVacantSpares(t *testing.T) {
	s := &askedStore{Store: storetest.NewModel()}
	in := New(Config{Store: s})
	_, export := tellings(rand.New(rand.NewPCG(1, 1)), 1000)
	sink := in.Sink("teams", tenant)
	for again := range 2 {
		s.rows, s.counts = 0, 0
		for some := range slices.Chunk(export, 500) {
			if err := tryPut(t.Context(), sink, some...); err != nil {
				t.Fatal(err)
			}
		}
		if full := again > 0; full && (s.rows != len(export) || s.counts > 2) || !full && (s.rows > 300 || s.counts > 100) {
			t.Errorf("full %v: %d look-ups and %d counts", full, s.rows, s.counts)
		}
	}
}
