package main

import (
	"iter"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
)

// The rows that everything is measured with are made up from a seed: about
// 64,500 a day, so that 2 million are a month of a large company.
const rowsPerDay = 64_500

// batchRows is how many rows are written at once, as by the import command.
const batchRows = 5000

// A crowd says which rows are wanted.
type crowd struct {
	Rows  int
	Users int
	Seed  uint64
}

// tenantID is whose rows they are.
func tenantID() call.GUID {
	return call.GUID{0xbe, 0x4c, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}
}

// span returns the time within which the rows start.
func (c crowd) span() (from, to time.Time) {
	from = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	return from, from.AddDate(0, 0, 1+c.Rows/rowsPerDay)
}

// all yields the rows in the order in which they become known.
func (c crowd) all() iter.Seq[*call.Row] {
	from, to := c.span()
	return gen.Rows(gen.Config{Rows: c.Rows, Seed: c.Seed, From: from, To: to, Tenant: tenantID(), Users: c.Users})
}

// batches yields the rows in batches, which belong to the receiver.
func (c crowd) batches() iter.Seq[[]call.Row] {
	return func(yield func([]call.Row) bool) {
		batch := make([]call.Row, 0, batchRows)
		for r := range c.all() {
			if batch = append(batch, r.Clone()); len(batch) < batchRows {
				continue
			}
			if !yield(batch) {
				return
			}
			batch = make([]call.Row, 0, batchRows)
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}
