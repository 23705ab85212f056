package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// A shape of a masked number is its number of digits and '*', and its number of digits before the
// first '*'. There are few shapes, so that a look-up of a whole number knows which of its
// beginnings can be in the index of masked ones, and does not try each on every day.
//
// The shapes of a tenant stay when its rows go: a needless one costs a look-up that finds nothing.
type shape struct{ total, shown int }

// shapeOf returns the shape of a number, if it is masked.
func shapeOf(number string) (s shape, masked bool) {
	if strings.IndexByte(number, '*') < 0 {
		return s, false
	}
	symbols := call.Symbols(number)
	return shape{len(symbols), strings.IndexByte(symbols, '*')}, true
}

func appendShapeKey(b []byte, tenant call.GUID, s shape) []byte {
	b = binary.BigEndian.AppendUint16(appendTenant(b, kindShape, tenant), uint16(s.total))
	return binary.BigEndian.AppendUint16(b, uint16(s.shown))
}

func parseShapeKey(key []byte) (s shape, err error) {
	if len(key) != tenantEnd+4 {
		return s, badKey(key)
	}
	return shape{int(binary.BigEndian.Uint16(key[tenantEnd:])), int(binary.BigEndian.Uint16(key[tenantEnd+2:]))}, nil
}

// A shapeList collects the keys of the shapes of a batch.
type shapeList map[string]bool

// add adds the shapes of the row's numbers.
func (l *shapeList) add(r *call.Row) {
	for _, number := range [...]string{r.Caller, r.Callee} {
		if s, masked := shapeOf(number); masked {
			if *l == nil {
				*l = shapeList{}
			}
			(*l)[string(appendShapeKey(nil, r.Tenant, s))] = true
		}
	}
}

func (l shapeList) addTo(batch *pebble.Batch) error {
	for _, key := range slices.Sorted(maps.Keys(l)) {
		if err := batch.Set([]byte(key), nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// missingShapes reports missing shapes, without which look-ups do not find some masked numbers.
func (c *checker) missingShapes() error {
	if c.format < formatNames {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(c.shapes)) {
		switch _, closer, err := c.snapshot.Get([]byte(key)); {
		case err == nil:
			if err := closer.Close(); err != nil {
				return err
			}
		case !errors.Is(err, pebble.ErrNotFound):
			return err
		default:
			s, err := parseShapeKey([]byte(key))
			if err != nil {
				return err
			}
			c.report(fmt.Sprintf("tenant %v has masked numbers of %d signs that show %d digits first, and the list of their shapes does not say so",
				tenantOf([]byte(key)), s.total, s.shown))
		}
	}
	return nil
}
