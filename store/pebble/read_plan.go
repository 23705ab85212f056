package pebble

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// canLookUp reports whether the store's index answers the look-ups. That of a store of the first
// format lacks names until its upgrade.
func (s *Store) canLookUp(lookups []call.Lookup) bool {
	for _, l := range lookups {
		if l.By == call.FindName && s.format < formatNames {
			return false
		}
	}
	return lookups != nil
}

// sourcesOf returns the sources of the rows that the look-ups find.
func (w *walk) sourcesOf(lookups []call.Lookup) (_ *sources, err error) {
	p := &planner{w: w, values: map[string]bool{}}
	defer func() {
		if err != nil {
			err = firstError(err, p.close())
		}
	}()
	for _, l := range lookups {
		if err := p.add(l); err != nil {
			return nil, err
		}
	}
	if len(p.ids) > 0 {
		p.all = append(p.all, &source{w: w, ids: p.ids})
	}
	return &p.sources, nil
}

// A planner makes the sources of a walk.
type planner struct {
	w *walk
	sources
	values map[string]bool // values that have a source, each behind its kind
	ids    []tail
}

func (p *planner) add(l call.Lookup) error {
	switch l.By {
	case call.FindID:
		return p.id(l.ID)
	case call.FindCorrelation:
		return p.value(kindCorrelation, string(l.ID[:]))
	case call.FindUser:
		return p.value(kindUser, string(l.ID[:]))
	case call.FindName:
		return p.text(kindPrincipal, l.Text)
	case call.FindWritten:
		if strings.Contains(l.Text, "*") {
			return p.text(kindMasked, l.Shown())
		}
		return p.text(kindNumber, l.Text)
	case call.FindNumber:
		if err := p.text(kindNumber, l.Text); err != nil {
			return err
		}
		return p.masked(l.Text)
	case call.FindMasked:
		return p.numbersLike(l)
	}
	return nil
}

func (p *planner) have(s *source, err error) error {
	if s.it != nil {
		p.all = append(p.all, s)
	}
	return err
}

// text adds a value that ends with a 0 in the index.
func (p *planner) text(kind byte, text string) error { return p.value(kind, text+"\x00") }

func (p *planner) value(kind byte, value string) error {
	name := string(kind) + value
	if p.values[name] {
		return nil
	}
	p.values[name] = true
	return p.have(p.w.ofValue(kind, []byte(value)))
}

// id adds the place of a row, if it exists and is in the span.
func (p *planner) id(id call.GUID) (err error) {
	it, err := p.w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{UseL6Filters: true}})
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, it.Close()) }()
	start, id, err := findID(it, p.w.q.Tenant, id)
	if errors.Is(err, call.ErrNotFound) {
		return nil
	}
	if err == nil && start >= p.w.span.lo.start && start <= p.w.span.hi.start {
		p.ids = append(p.ids, tail{start, binary.BigEndian.Uint32(id[:shortID])})
	}
	return err
}

// masked adds the masked numbers that may be a given whole one: those with as many signs whose
// shown digits are its beginning.
func (p *planner) masked(number string) error {
	shapes, err := p.shapesOf(len(number))
	for _, s := range shapes {
		err = firstError(err, p.text(kindMasked, number[:s.shown]))
	}
	return err
}

// numbersLike adds the numbers, whole and masked, that may be one of those that a masked number
// stands for.
func (p *planner) numbersLike(l call.Lookup) error {
	text, shown := []byte(l.Text), l.Shown()
	var filters []pebble.BlockPropertyFilter
	if l.Text == shown+strings.Repeat("*", hiddenDigits) {
		filters = filterOf(kindBeginning, []byte(shown))
	}
	err := p.have(p.w.ofRange(kindNumber, []byte(shown), filters, func(digits []byte) bool {
		return len(digits) == len(text) && agree(digits, text)
	}))
	if err != nil {
		return err
	}
	shapes, err := p.shapesOf(len(text))
	if err != nil {
		return err
	}
	var longer []int
	for _, s := range shapes {
		if s.shown < len(shown) {
			err = firstError(err, p.text(kindMasked, shown[:s.shown]))
		} else {
			longer = append(longer, s.shown)
		}
	}
	if err != nil || len(longer) == 0 {
		return err
	}
	return p.have(p.w.ofRange(kindMasked, []byte(shown), nil, func(digits []byte) bool {
		return slices.Contains(longer, len(digits)) && agree(digits, text)
	}))
}

// shapesOf returns the shapes with total signs that masked numbers of the tenant have. In a store
// of the first format any shape is possible.
func (p *planner) shapesOf(total int) (found []shape, err error) {
	if p.w.format < formatNames {
		for shown := range total {
			found = append(found, shape{total, shown})
		}
		return found, nil
	}
	first := appendShapeKey(nil, p.w.q.Tenant, shape{total: total})
	it, err := p.w.it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: first, UpperBound: appendShapeKey(nil, p.w.q.Tenant, shape{total: total + 1}),
	}})
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		s, err := parseShapeKey(it.Key())
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, it.Error()
}

// agree reports whether digits can begin a number that a masked one stands for.
func agree(digits, masked []byte) bool {
	for i, c := range digits {
		if masked[i] != c && masked[i] != '*' {
			return false
		}
	}
	return true
}
