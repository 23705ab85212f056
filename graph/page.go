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
	"github.com/trunklog/trunklog/graph/pack"
	"github.com/trunklog/trunklog/odata"
)

const (
	maxPage  = 1000                // rows in a page, as at Microsoft
	maxRange = 90 * 24 * time.Hour // in strict mode
)

// A pageRequest is a parsed request for a page.
type pageRequest struct {
	root    string // absolute, without a slash at the end
	version string
	level   level
	rowType string // in microsoft.graph.callRecords
	query   call.Query
	rows    RowOptions
	size    int   // rows at most
	skipped int64 // rows before this page, as the client's $skip counts them
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
	// Of a page with $select a general compressor makes less, because it finds equal rows.
	if head := appendHead(nil, p, p.size); p.rows.Select == 0 && len(head) <= pack.MaxHead && acceptsGzip(x.r.Header) {
		return x.packPage(p, head, buf)
	}
	return x.plainPage(p, buf)
}

// plainPage puts the whole page together in buf and sends it.
func (x *exchange) plainPage(p *pageRequest, buf *[]byte) error {
	b := appendHead(*buf, p, p.size)
	full := len(b)
	b, last, more, err := x.readRows(p, b, nil)
	*buf = b
	if err != nil {
		return err
	}
	b = x.appendTail(b, p, last, more)
	if x.rows < p.size {
		b = slices.Replace(b, 0, full, appendHead(nil, p, x.rows)...)
	}
	*buf = b
	x.send(http.StatusOK, p.level.contentType(), b)
	return nil
}

// pageRequest parses the request.
func (x *exchange) pageRequest(rt route) (*pageRequest, error) {
	parse := odata.Parse
	if x.h.conf.Strict {
		parse = odata.ParseStrict
	}
	p, o, err := x.frame(rt, parse)
	if err != nil {
		return nil, err
	}
	p.tokens = !x.h.conf.Strict && !x.h.conf.PlainLinks || o.SkipToken != ""
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

// frame parses what the requests of both functions have: form, options and range.
func (x *exchange) frame(rt route, parse func(string) (odata.Options, error)) (*pageRequest, odata.Options, error) {
	o, err := parse(x.r.URL.RawQuery)
	if err != nil {
		return nil, o, err // the client reads its text
	}
	p := &pageRequest{root: x.h.conf.Root(x.r), version: rt.version, rowType: "directRoutingLogRow"}
	if p.level, err = acceptedLevel(o.Format, x.r.Header); err != nil {
		return nil, o, err
	}
	dateTime := parseDateTime
	if x.h.conf.Strict {
		dateTime = parseDateTimeStrict
	}
	if p.query.From, p.query.To, err = window(rt, o.Aliases, dateTime); err != nil {
		return nil, o, err
	}
	x.from, x.to = p.query.From, p.query.To
	if x.h.conf.Strict && x.to.Sub(x.from) > maxRange {
		return nil, o, notAcceptable("The range between fromDateTime and toDateTime cannot exceed 90 days.")
	}
	return p, o, nil
}

// window parses the two parameters of the function.
func window(rt route, aliases map[string]string, dateTime func(string) (time.Time, error)) (from, to time.Time, err error) {
	params, err := parseParameters(rt.function, rt.args)
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

// selected returns the set of the properties in $select; the empty set, for no $select, is all.
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

// place sets the size of the page and where it begins: after the row in $skiptoken, or without one
// after $skip rows. Beside a token, $skip only serves to compute the next link's $skip.
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
		p.query.After, p.query.Walk = t.after, t.walk
		p.size = min(p.size, t.size)
	}
	// One more row than the page has tells whether there is a next page.
	p.query.Limit = p.size + 1
	return nil
}

// appendHead appends what comes before the rows of a page; rows is their number.
func appendHead(b []byte, p *pageRequest, rows int) []byte {
	b = append(b, '{')
	if p.level != none {
		b = appendText(append(b, `"@odata.context":`...), p.root+"/"+p.version+"/$metadata#Collection(microsoft.graph.callRecords."+p.rowType+")")
		b = append(b, ',')
	}
	b = strconv.AppendInt(append(b, `"@odata.count":`...), int64(rows), 10)
	return append(b, `,"value":[`...)
}

// appendTail appends what comes after the rows; last is the place of the last one.
func (x *exchange) appendTail(b []byte, p *pageRequest, last call.Cursor, more bool) []byte {
	b = append(b, ']')
	if more {
		b = append(b, `,"@odata.nextLink":`...)
		b = x.appendNext(b, p, last)
	}
	return append(b, '}')
}

// readRows appends the rows of the page. It returns the place of the last one, and whether the log
// has a row behind it. With z, it also packs the rows, and the slice that it returns may hold only
// the end of the text.
func (x *exchange) readRows(p *pageRequest, b []byte, z *pack.Page) (_ []byte, last call.Cursor, more bool, err error) {
	if !p.query.From.Before(p.query.To) {
		return b, last, false, nil
	}
	ctx := x.r.Context()
	if x.h.conf.PageTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, x.h.conf.PageTimeout)
		defer func() {
			if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				x.h.counts.timedOut.Add(1)
			}
			cancel()
		}()
	}
	t, err := x.h.turns.begin(ctx, x.caller, p.query.Where != nil)
	defer t.end()
	if err != nil {
		return b, last, false, fmt.Errorf("waiting for a page's turn: %w", err)
	}
	if err := x.beginWalk(t, p); err != nil {
		return b, last, false, err
	}
	w := newRowWriter(p.rows)
	for row, err := range x.h.conf.Store.Rows(t, p.query) {
		switch {
		case errors.Is(err, call.ErrGone):
			return b, last, false, goneToken()
		case err != nil:
			// An engine may return an error of its own when ctx is done, so the error of ctx is
			// added.
			return b, last, false, fmt.Errorf("reading a page: %w", errors.Join(err, ctx.Err()))
		case x.rows == p.size:
			return b, last, true, nil
		case x.rows > 0:
			b = append(b, ',')
		}
		b = w.append(b, row)
		if z != nil {
			b = z.Add(b, kindOf(row), w.marks[:])
		}
		last = row.Place()
		x.rows++
	}
	return b, last, false, nil
}

// beginWalk notes the version of the log at which a walk by tokens begins. It asks for it before
// the page reads rows, so that the walk misses no move in between. Links without a token count rows
// as they are now, and need no version.
func (x *exchange) beginWalk(ctx context.Context, p *pageRequest) (err error) {
	if !p.tokens || !p.query.Walk.IsZero() {
		return nil
	}
	if p.query.Walk, err = x.h.conf.Store.Latest(ctx, p.query.Tenant); err != nil {
		return fmt.Errorf("beginning a walk: %w", errors.Join(err, ctx.Err()))
	}
	return nil
}

// appendNext appends the link to the page after last.
func (x *exchange) appendNext(b []byte, p *pageRequest, last call.Cursor) []byte {
	skip := p.skipped + int64(x.rows)
	if skip < 0 {
		skip = math.MaxInt64
	}
	var t []byte
	if p.tokens {
		t = appendToken(nil, x.h.conf.Key, token{size: p.size, after: last, walk: p.query.Walk}, &p.scope)
	}
	link := appendLink(nil, p.root, x.r.URL.EscapedPath(), x.r.URL.RawQuery, skip, t)
	return appendText(b, string(link))
}
