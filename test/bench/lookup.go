package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// asking says which numbers to look for in which store.
type asking struct {
	Store     string
	Numbers   []string
	Questions []question
}

// A question is what somebody looks for: any of some numbers, of some principal
// names, or of some user ids.
type question struct {
	Numbers, Names []string
	Users          []call.GUID
}

func (q question) where() call.Expr {
	var or call.Or
	for _, n := range q.Numbers {
		or = append(or, call.Digits(n))
	}
	for _, n := range q.Names {
		or = append(or, call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: n})
	}
	for _, id := range q.Users {
		or = append(or, call.Compare{Field: call.FieldUserID, Value: id})
	}
	return or
}

// asked is what came of it.
type asked struct {
	Open  time.Duration
	Took  []float64 // milliseconds for each number, all rows read
	Anew  []float64 // the same when all have been asked for before
	Hits  []int
	First []float64 // milliseconds for the first page of each question
	Page  []float64 // the same when all have been asked before
	Rows  []int     // of each page
}

// lookUp opens a store and looks for every call of each number, and for the first
// page of each question, every other time of the newest; all of it twice.
func lookUp(ctx context.Context, q asking) (a asked, err error) {
	began := time.Now()
	var all, first []call.Query
	for _, phone := range q.Numbers {
		all = append(all, call.Query{Tenant: tenantID(), Where: call.Digits(phone)})
	}
	for i, x := range q.Questions {
		first = append(first, call.Query{Tenant: tenantID(), Where: x.where(), Limit: pageRows, Reverse: i%2 == 1})
	}
	err = withStore(ctx, q.Store, func(st call.Store) (err error) {
		a.Open = time.Since(began)
		for _, x := range []struct {
			queries []call.Query
			took    *[]float64
			rows    *[]int
		}{{all, &a.Took, &a.Hits}, {all, &a.Anew, &a.Hits}, {first, &a.First, &a.Rows}, {first, &a.Page, &a.Rows}} {
			if *x.took, *x.rows, err = read(ctx, st, x.queries); err != nil {
				return err
			}
		}
		return nil
	})
	return a, err
}

// pageRows is how many rows a first page has.
const pageRows = 1000

// read reads the rows of each query and returns the milliseconds that it took, and
// how many there were.
func read(ctx context.Context, st call.Reader, queries []call.Query) (took []float64, rows []int, err error) {
	for _, q := range queries {
		began := time.Now()
		n := 0
		for _, err := range st.Rows(ctx, q) {
			if err != nil {
				return nil, nil, err
			}
			n++
		}
		took = append(took, milliseconds(time.Since(began)))
		rows = append(rows, n)
	}
	return took, rows, nil
}

// numbers returns some of the numbers that were noted, and one that nobody has.
func (b *bench) numbers(n int) []string {
	r := rand.New(rand.NewPCG(b.seed, 1)) //nolint:gosec // nothing here is a secret
	out := []string{"+4999999999999999"}
	for len(out) < n && len(b.filled.Numbers) > 0 {
		out = append(out, choose(b.filled.Numbers, r))
	}
	return out
}

// measureNumberHTTP looks for numbers by the API's $filter, in two spellings:
// as caller, and as either.
func (b *bench) measureNumberHTTP(ctx context.Context, s *server) error {
	from, to := b.crowd().span()
	raw := figures{
		title:   "One number by `$filter`, the first page, through HTTP with a new connection each",
		columns: []string{"", "median, ms", "p99", "greatest", "each"},
		note:    "The first of the numbers is one that nobody has.",
	}
	for _, filter := range []string{"callerNumber eq #", "callerNumber eq # or calleeNumber eq #"} {
		var took []float64
		for _, phone := range b.numbers(15) {
			path := pagePath(from, to, 0) + "?$filter=" + url.QueryEscape(strings.ReplaceAll(filter, "#", "'"+phone+"'"))
			began := time.Now()
			if _, err := s.get(ctx, path, false); err != nil {
				return err
			}
			took = append(took, milliseconds(time.Since(began)))
		}
		raw.lines = append(raw.lines, []string{"`" + filter + "`", number(median(took)), number(percentile(took, 99)), number(percentile(took, 100)), list(took)})
	}
	b.report.figures(raw)
	return nil
}

// measureNumber looks for numbers in the store itself, first with nothing of it
// in memory.
func (b *bench) measureNumber(ctx context.Context) error {
	var cold, warm asked
	q := asking{Store: "pebble:" + b.storeDir(), Numbers: b.numbers(60)}
	var coldErr error
	if coldErr = forget(b.storeDir()); coldErr == nil {
		if _, err := child(ctx, "lookup", q, &cold); err != nil {
			return err
		}
	}
	if _, err := child(ctx, "lookup", q, &warm); err != nil {
		return err
	}
	each := make([]string, len(warm.Hits))
	for i, n := range warm.Hits {
		each[i] = fmt.Sprintf("%d in %s ms", n, number(warm.Took[i]))
	}
	r := result{
		work:     "one number among " + commas(int64(b.rows)) + " rows, all its calls",
		target:   "≤ 50 ms (10 million rows)",
		measured: "p50 " + number(median(warm.Took)) + " ms, p99 " + number(percentile(warm.Took, 99)) + " ms; asked again p50 " + number(median(warm.Anew)) + " ms, p99 " + number(percentile(warm.Anew, 99)) + " ms; " + commas(int64(median(floats(warm.Hits)))) + " calls each",
		met:      judge(percentile(warm.Took, 99) <= 50),
	}
	raw := figures{
		title:   "One number in the store, in process (ms)",
		columns: []string{"", "median", "p99", "greatest", "asked again: median", "p99", "opening"},
		lines:   [][]string{lookupLine("in the kernel's memory", warm)},
		note:    "The numbers are those of random calls, so that busy ones are among them more often, and the first is one that nobody has. Calls found, and the time that it took: " + strings.Join(each, " · ") + ".",
	}
	if coldErr == nil {
		raw.lines = append(raw.lines, lookupLine("nothing of the store in memory at first", cold))
	}
	b.report.add(r)
	b.report.figures(raw)
	return nil
}

func lookupLine(name string, a asked) []string {
	return []string{name, number(median(a.Took)), number(percentile(a.Took, 99)), number(percentile(a.Took, 100)), number(median(a.Anew)), number(percentile(a.Anew, 99)), a.Open.Round(10 * time.Microsecond).String()}
}
