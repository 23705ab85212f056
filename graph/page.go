package graph

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/odata"
)

const (
	maxPage  = 1000                // rows in a page, as Microsoft has it
	maxRange = 90 * 24 * time.Hour // in strict mode
)

// A pageRequest is what one request asks for.
type pageRequest struct {
	root    string // absolute, without a slash at the end
	version string
	level   level
	query   call.Query
	rows    RowOptions
	size    int   // rows at most
	skipped int64 // rows before this page, as far as is known
	tokens  bool  // the link has a token
	scope   scope
}

// page answers a request for calls.
func (x *exchange) page(rt route) error {
	p, err := x.pageRequest(rt)
	if err != nil {
		return err
	}
	buf := x.h.body()
	defer x.h.keep(buf)
	body, err := x.readPage(p, (*buf)[:0])
	*buf = body
	if err != nil {
		return err
	}
	x.send(http.StatusOK, p.level.contentType(), body)
	return nil
}

// pageRequest reads the request.
func (x *exchange) pageRequest(rt route) (*pageRequest, error) {
	parse, dateTime := odata.Parse, parseDateTime
	if x.h.conf.Strict {
		parse, dateTime = odata.ParseStrict, parseDateTimeStrict
	}
	o, err := parse(x.r.URL.RawQuery)
	if err != nil {
		return nil, err // its text goes to the client as it is
	}
	p := &pageRequest{root: x.h.conf.Root(x.r), version: rt.version, tokens: !x.h.conf.Strict || o.SkipToken != ""}
	if p.level, err = acceptedLevel(o.Format, x.r.Header); err != nil {
		return nil, err
	}
	if p.query.From, p.query.To, err = window(rt.args, o.Aliases, dateTime); err != nil {
		return nil, err
	}
	x.from, x.to = p.query.From, p.query.To
	if x.h.conf.Strict && x.to.Sub(x.from) > maxRange {
		return nil, notAcceptable("The range between fromDateTime and toDateTime cannot exceed 90 days.")
	}
	p.rows = RowOptions{Beta: rt.version == "beta", Types: p.level == full}
	if p.rows.Select, err = selected(o.Select, p.rows.Beta); err != nil {
		return nil, err
	}
	p.query.Tenant, p.query.Where, p.query.Reverse = x.caller.Tenant, o.Filter, o.Reverse
	p.scope = scope{
		tenant: x.caller.Tenant, from: call.Ticks(x.from), to: call.Ticks(x.to),
		reverse: o.Reverse, fields: p.rows.Select, filter: o.FilterText,
	}
	return p, x.place(p, o)
}

// window reads the two parameters of the function.
func window(args string, aliases map[string]string, dateTime func(string) (time.Time, error)) (from, to time.Time, err error) {
	params, err := parseParameters(args)
	if err != nil {
		return from, to, err
	}
	for _, side := range []struct {
		text string
		t    *time.Time
	}{{params.from, &from}, {params.to, &to}} {
		text, err := resolve(side.text, aliases)
		if err != nil {
			return from, to, err
		}
		if *side.t, err = dateTime(text); err != nil {
			return from, to, badRequest(err.Error())
		}
	}
	return from, to, nil
}

// selected returns the set of the properties in $select; none is all.
func selected(names []call.Field, beta bool) (Fields, error) {
	all := fieldsV1
	if beta {
		all = fieldsBeta
	}
	for _, f := range names {
		if !all.has(f) {
			return 0, badRequest("Could not find a property named '" + f.String() + "' on type 'microsoft.graph.callRecords.directRoutingLogRow'.")
		}
	}
	return FieldSet(names...), nil
}

// place finds out how long the page is and where it begins: behind the token,
// or else behind as many rows as the client says. Behind a token, $skip only
// counts for the next link.
func (x *exchange) place(p *pageRequest, o odata.Options) error {
	p.size = maxPage
	if !x.h.conf.Strict {
		if o.HasTop {
			if o.Top < 1 {
				return badRequest("Invalid value '0' for $top query option found. The $top query option requires a value from 1 to 1000, the rows in a page.")
			}
			p.size = min(p.size, o.Top)
		}
		if n := preferredSize(x.r.Header); n > 0 {
			p.size = min(p.size, n)
			x.w.Header().Set("Preference-Applied", "odata.maxpagesize="+strconv.Itoa(n))
		}
	}
	p.skipped = o.Skip
	if o.SkipToken == "" {
		p.query.Skip = o.Skip
	} else {
		t, err := parseToken(o.SkipToken, x.h.conf.Key, &p.scope)
		if err != nil {
			return err
		}
		p.query.After = t.after
		p.size = min(p.size, t.size)
	}
	// One more row than the page has tells whether there is a next page.
	p.query.Limit = p.size + 1
	return nil
}

// readPage appends the whole answer to b.
func (x *exchange) readPage(p *pageRequest, b []byte) ([]byte, error) {
	b = append(b, '{')
	if p.level != none {
		b = appendText(append(b, `"@odata.context":`...), p.root+"/"+p.version+"/$metadata#Collection(microsoft.graph.callRecords.directRoutingLogRow)")
		b = append(b, ',')
	}
	b = append(b, `"@odata.count":`...)
	// The number of rows comes before the rows. The page is taken to be full,
	// and what follows is moved if the number has fewer digits.
	at := len(b)
	b = strconv.AppendInt(b, int64(p.size), 10)
	behind := len(b)
	b = append(b, `,"value":[`...)
	b, last, more, err := x.readRows(p, b)
	if err != nil {
		return b, err
	}
	b = append(b, ']')
	if more {
		b = append(b, `,"@odata.nextLink":`...)
		b = x.appendNext(b, p, last)
	}
	b = append(b, '}')
	if x.rows < p.size {
		b = slices.Replace(b, at, behind, strconv.AppendInt(nil, int64(x.rows), 10)...)
	}
	return b, nil
}

// readRows appends the rows of the page. It returns the place of the last one,
// and whether there is a row behind it.
func (x *exchange) readRows(p *pageRequest, b []byte) (_ []byte, last call.Cursor, more bool, err error) {
	if !p.query.From.Before(p.query.To) {
		return b, last, false, nil
	}
	ctx := x.r.Context()
	if x.h.conf.PageTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, x.h.conf.PageTimeout)
		defer cancel()
	}
	for row, err := range x.h.conf.Store.Rows(ctx, p.query) {
		switch {
		case err != nil:
			// An engine may have its own words for an end that ctx has set.
			return b, last, false, fmt.Errorf("reading a page: %w", errors.Join(err, ctx.Err()))
		case x.rows == p.size:
			return b, last, true, nil
		case x.rows > 0:
			b = append(b, ',')
		}
		b = AppendRow(b, row, p.rows)
		last = row.Cursor()
		x.rows++
	}
	return b, last, false, nil
}

// appendNext appends the link to the page behind last.
func (x *exchange) appendNext(b []byte, p *pageRequest, last call.Cursor) []byte {
	skip := p.skipped + int64(x.rows)
	if skip < 0 {
		skip = math.MaxInt64
	}
	var t []byte
	if p.tokens {
		t = appendToken(nil, x.h.conf.Key, token{size: p.size, after: last}, &p.scope)
	}
	link := appendLink(nil, p.root, x.r.URL.EscapedPath(), x.r.URL.RawQuery, skip, t)
	return appendText(b, string(link))
}
