package pebble

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// An idFilter is a bloom filter of ids alone. Only writers use it, to learn whether an id is new;
// with all keys in it, it would take six times the room.
type idFilter struct{ bloom.FilterPolicy }

// Name implements [pebble.FilterPolicy]. Tables on disk hold it.
func (idFilter) Name() string { return "trunklog.ids" }

// MayContain implements [pebble.FilterPolicy].
func (p idFilter) MayContain(t pebble.FilterType, filter, key []byte) bool {
	return key[0] != kindID || p.FilterPolicy.MayContain(t, filter, key)
}

// NewWriter implements [pebble.FilterPolicy].
func (p idFilter) NewWriter(t pebble.FilterType) pebble.FilterWriter {
	return idFilterWriter{p.FilterPolicy.NewWriter(t)}
}

type idFilterWriter struct{ pebble.FilterWriter }

// AddKey implements [pebble.FilterWriter].
func (w idFilterWriter) AddKey(key []byte) {
	if key[0] == kindID {
		w.FilterWriter.AddKey(key)
	}
}
