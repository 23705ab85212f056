package pebble

import (
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// benchGroups measures groups of the last 28 days, from cells and from rows, and
// what a row costs that is added up.
func benchGroups(b *testing.B, s *Store, c *calls) {
	tenant, month := call.GUID{1}, c.at.AddDate(0, 0, -28)
	zone := time.FixedZone("", 19800)
	from := call.Query{Tenant: tenant, From: month}
	user := call.Query{Tenant: tenant, From: month, Where: call.Compare{Field: call.FieldUserID, Value: c.users[7].UserID}}
	trunk := call.Query{Tenant: tenant, From: month, Where: call.Compare{Field: call.FieldTrunk, Value: "sbc1.contoso.com"}}
	scan := call.Query{Tenant: tenant, From: month, Where: call.Compare{Field: call.FieldMediaBypass, Value: true}}
	for _, ask := range []struct {
		name string
		q    call.Query
		by   call.Grouping
	}{
		{"TrunkHour", from, call.Grouping{Every: call.Hour, By: []call.Dim{call.ByTrunk}}},
		{"TrunkDayInZone", from, call.Grouping{Every: call.Day, Zone: zone, By: []call.Dim{call.ByTrunk}}},
		{"CodesOfATrunk", trunk, call.Grouping{By: []call.Dim{call.ByCode, call.BySubcode}}},
		{"UserDay", from, call.Grouping{Every: call.Day, By: []call.Dim{call.ByUser}}},
		{"Users", from, call.Grouping{By: []call.Dim{call.ByUser}}},
		{"OneUser", user, call.Grouping{Every: call.Day, By: []call.Dim{call.ByTrunk}}},
		{"Scan", scan, call.Grouping{Every: call.Hour, By: []call.Dim{call.ByTrunk}}},
	} {
		b.Run("Groups"+ask.name, func(b *testing.B) {
			b.ReportAllocs()
			var groups, rows int64
			used := cpu()
			for b.Loop() {
				for g, err := range s.Groups(b.Context(), ask.q, ask.by) {
					if err != nil {
						b.Fatal(err)
					}
					groups++
					rows += g.Calls
				}
			}
			n := float64(b.N)
			b.ReportMetric(float64(groups)/n, "groups/op")
			b.ReportMetric(float64(rows)/n, "calls/op")
			b.ReportMetric(float64(cpu()-used)/1e3/n, "cpu-µs/op")
		})
	}
}

// logCells says how many cells there are, and what they take.
func logCells(b *testing.B, s *Store, rows int) {
	var n [call.NumCells]int
	it, err := s.db.NewIter(wholeStore())
	if err != nil {
		b.Fatal(err)
	}
	it.SetBounds([]byte{kindTotals, 0}, after(cellsKey()))
	for ok := it.First(); ok; ok = it.Next() {
		kind, _, err := parseCellSlot(it.Key())
		if err != nil {
			b.Fatal(err)
		}
		n[kind]++
	}
	if err := it.Close(); err != nil {
		b.Fatal(err)
	}
	size, err := s.db.EstimateDiskUsage([]byte{kindTotals, 0}, after(cellsKey()))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d cells of trunks, %d of users, %.2f bytes a row", n[call.TrunkCell], n[call.UserCell], float64(size)/float64(rows))
}
