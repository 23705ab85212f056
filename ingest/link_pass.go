package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/trunklog/trunklog/call"
)

// A pass links the rows of one batch.
type pass struct {
	in     *Ingest
	b      call.Batch
	linked int
	// renamed are rows of hearsay alone that are to get the ids of the rows that join them.
	renamed []outranked
	// ambiguous is how many rows were not linked because each of two others may be the same call.
	ambiguous int64
	since     map[call.GUID][]byte       // new values of link/TENANT
	began     map[call.GUID]call.Version // by tenant, before any row was looked up
	// offsets are those of the sources' clocks that are off, see [Ingest.offsets].
	offsets []time.Duration
	// near holds the rows that have been looked up, and those of the batch.
	near map[nearKey]nearby
	// known holds all candidates by the ids of their rows, so that a row that is found in two ways
	// has only one.
	known map[rowKey]*candidate
	// slots holds the rows of the store and of the batch by the slot of time in which they start,
	// for tenants whose rows are linked by what the calls were. It is nil until the batch was
	// entered.
	slots map[slotKey][]*candidate
	read  map[slotKey]bool // the slots that were read from the store
	ahead []*candidate     // the later rows of the batch, by their place in it
	// ids are those of the rows of the batch; nil until inBatch needs them.
	ids map[rowKey]bool
	// places are those of the rows that others became part of, by the ids of these.
	places map[rowKey]call.Cursor
	// vacant says, by place, for which rows of the batch the store has no row of their time.
	vacant []bool
}

// A rowKey is the tenant and id of a row.
type rowKey struct{ tenant, id call.GUID }

type nearKey struct{ tenant, correlation call.GUID }

// A candidate is a row that may be the same call as another.
type candidate struct {
	row    call.Row
	ahead  bool   // it comes later in the batch, and may still become part of another row
	loaded bool   // links were read
	name   string // linked/TENANT/DAY/ROW, with the day on which the row started at its first link
	links  []byte // its value; nil: the store has no such name
}

// newPass returns a pass over a copy of b.
func newPass(in *Ingest, b call.Batch) *pass {
	p := &pass{
		in:      in,
		offsets: in.offsets(),
		b:       b,
		places:  make(map[rowKey]call.Cursor),
		since:   make(map[call.GUID][]byte),
		began:   make(map[call.GUID]call.Version),
		near:    make(map[nearKey]nearby),
		known:   make(map[rowKey]*candidate),
	}
	p.vacant = make([]bool, len(b.Rows))
	p.b.Rows, p.b.Legs = slices.Clone(b.Rows), slices.Clone(b.Legs)
	p.b.Aliases, p.b.Still = slices.Clone(b.Aliases), slices.Clone(b.Still)
	p.b.State, p.b.If = make(map[string][]byte), make(map[string][]byte)
	maps.Copy(p.b.State, b.State)
	maps.Copy(p.b.If, b.If)
	return p
}

func (p *pass) link(ctx context.Context) error {
	if err := p.findVacant(ctx); err != nil {
		return fmt.Errorf("count the rows around those of the batch: %w", err)
	}
	for i := range p.b.Rows {
		r := &p.b.Rows[i]
		if !p.in.links.wants(r) && !p.in.links.wantsLoose(r) {
			continue
		}
		if err := p.linkRow(ctx, i); err != nil {
			return fmt.Errorf("look up row %v: %w", r.ID, err)
		}
	}
	for i := range p.b.Legs {
		l := &p.b.Legs[i]
		if place, ok := p.places[rowKey{l.Tenant, l.Row.ID}]; ok {
			l.Row = place
		}
	}
	if len(p.renamed) > 0 {
		return errRenamed
	}
	return nil
}

// linkRow gives row i of the batch the id of the row that is the same call, if there is one.
func (p *pass) linkRow(ctx context.Context, i int) (err error) {
	r := &p.b.Rows[i]
	var c *candidate
	if p.in.links.wants(r) {
		near, err := p.lookUp(ctx, r, p.vacant[i])
		if err != nil {
			return err
		}
		if c, err = p.findRecord(ctx, r, near); err != nil {
			return err
		}
	}
	if p.in.links.wantsLoose(r) {
		if c, err = p.findLoose(ctx, i, c); err != nil {
			return err
		}
	}
	if c == nil {
		p.comes(r)
		return nil
	}
	switch first, err := p.outranks(ctx, r, c); {
	case err != nil:
		return err
	case first:
		p.rename(c, r)
	}
	if r.ID != c.row.ID {
		p.places[rowKey{r.Tenant, r.ID}] = c.row.Cursor()
	}
	r.ID = c.row.ID
	w := *r
	c.row.Fold(&w)
	return nil
}

// comes notes that r will be a row of its own.
func (p *pass) comes(r *call.Row) {
	c := &candidate{row: *r, loaded: true}
	p.known[rowKey{r.Tenant, r.ID}] = c
	if linkable(r) {
		key := nearKey{r.Tenant, r.CorrelationID}
		near := p.near[key]
		near.add(c)
		p.near[key] = near
	}
	if p.slots != nil && p.in.links.wantsLoose(r) { // nil: another process has just written the tenant's first such row
		p.slots[slotOf(r)] = append(p.slots[slotOf(r)], c)
	}
}

// candidate returns the candidate for a row of the store, with what the batch has added to it.
func (p *pass) candidate(r *call.Row) *candidate {
	key := rowKey{r.Tenant, r.ID}
	if p.known[key] == nil {
		p.known[key] = &candidate{row: r.Clone()}
	}
	return p.known[key]
}

// find returns the row of near that is the same call as r; nil if there is none.
func (p *pass) find(ctx context.Context, r *call.Row, near []*candidate) (*candidate, error) {
	for _, c := range near {
		if c.row.ID == r.ID {
			return c, nil
		}
	}
	for _, c := range near {
		if err := p.load(ctx, c); err != nil {
			return nil, err
		}
		if c.linked(r) {
			return c, nil
		}
	}
	c := p.record(r, near)
	again := c != nil
	if !again {
		c = p.best(r, near)
	}
	if c == nil {
		return nil, nil
	}
	// The store may have r after all, if its start was corrected by more than the time that lookUp
	// covers.
	if there, err := p.there(ctx, r); there || err != nil {
		return nil, err
	}
	if err := p.join(ctx, c, r); err != nil {
		return nil, err
	}
	p.linked += btoi(!again)
	return c, nil
}

// there reports whether the store has a row with the id of r.
func (p *pass) there(ctx context.Context, r *call.Row) (bool, error) {
	_, err := p.in.store.Row(ctx, r.Tenant, r.ID)
	if errors.Is(err, call.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// join notes that r becomes part of c.
func (p *pass) join(ctx context.Context, c *candidate, r *call.Row) error {
	if c.name == "" {
		// A row of that id that was deleted may have left its links.
		name := linkedName(&c.row)
		links, err := call.Value(ctx, p.in.store, name)
		if err != nil {
			return err
		}
		c.name, c.links = name, links
		if v, ok := p.b.State[name]; ok {
			c.links = v
		}
	}
	p.note(c, r)
	return nil
}

// linked reports whether r has become part of c. A link of hearsay counts for hearsay alone.
func (c *candidate) linked(r *call.Row) bool {
	for entry := range slices.Chunk(c.links, linkSize) {
		if len(entry) == linkSize && call.GUID(entry[1:]) == r.ID && (entry[0]&byHearsay == 0 || !r.Proven()) {
			return true
		}
	}
	return false
}

// linkedIDs yields the ids of the rows that have become part of c.
func (c *candidate) linkedIDs(yield func(call.GUID) bool) {
	for entry := range slices.Chunk(c.links, linkSize) {
		if len(entry) == linkSize && !yield(call.GUID(entry[1:])) {
			return
		}
	}
}

const linkSize = 1 + len(call.GUID{})

// byHearsay is set in the first byte of a link of hearsay.
const byHearsay = 0x80

// load reads the links of c. A row that only one kind of source has told has none, unless that is
// the export, see resaved.go.
func (p *pass) load(ctx context.Context, c *candidate) error {
	if c.loaded {
		return nil
	}
	c.loaded = true
	if c.row.Seen == topKind(c.row.Seen).Set() && !ofExport(&c.row) {
		return nil
	}
	for _, moved := range [...]time.Duration{0, -mostMoved, mostMoved} {
		at := c.row
		at.Start = at.Start.Add(moved)
		name := linkedName(&at)
		if name == c.name {
			continue
		}
		links, err := call.Value(ctx, p.in.store, name)
		if err != nil {
			return err
		}
		if c.name, c.links = name, links; links != nil {
			return nil
		}
	}
	c.name = ""
	return nil
}

// mostMoved is the most by which a row may have moved since its first link, if that may have been
// on another day, for load to find its links.
const mostMoved = time.Hour

// note adds to the batch that r becomes part of c.
func (p *pass) note(c *candidate, r *call.Row) {
	name := c.name
	if _, ok := p.b.If[name]; !ok {
		p.b.If[name] = c.links
	}
	kind := byte(topKind(r.Seen))
	if r.Proven() {
		p.b.Aliases = append(p.b.Aliases, call.Alias{Tenant: r.Tenant, ID: r.ID, Of: c.row.ID})
	} else {
		kind |= byHearsay
	}
	c.links = append(append(slices.Clone(c.links), kind), r.ID[:]...)
	p.b.State[name] = c.links

	t, _ := p.in.links.get(r.Tenant)
	value := t.value
	if v, ok := p.since[r.Tenant]; ok {
		value = v
	}
	if day := dayOf(c.row.Start); day < string(value) { // noDay is greater than any day
		name := linkName(r.Tenant)
		if _, ok := p.b.If[name]; !ok {
			p.b.If[name] = value
		}
		p.b.State[name] = []byte(day)
		p.since[r.Tenant] = []byte(day)
	}
}

func topKind(s call.Kinds) call.Kind {
	for k := call.Graph; k > 0; k-- {
		if s.Has(k) {
			return k
		}
	}
	return 0
}
