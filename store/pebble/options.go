package pebble

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// pebbleOptions returns the settings of Pebble. docs/decisions/0001-pebble.md has the measurements
// behind the figures, on two cores.
func (s *Store) pebbleOptions() *pebble.Options {
	log := &logger{log: s.opts.Log, fault: s.fault, now: s.opts.Now, last: map[string]time.Time{}}
	comparer := *pebble.DefaultComparer
	comparer.FormatKey = formatKey
	o := &pebble.Options{
		FS:              s.fs,
		Lock:            s.lock,
		ReadOnly:        s.readOnly,
		Cache:           s.cache,
		Comparer:        &comparer,
		Merger:          sumMerger(),
		LoggerAndTracer: log,
		EventListener:   log.events(s.troubles.note),
		// Since this version Pebble's log tells damage from the trace of a crash, and the footers
		// of tables have a checksum.
		FormatMajorVersion: pebble.FormatTableFormatV6,

		MemTableSize:                s.opts.memTable,
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                openTables(files()),
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		// The disk soon gets back the space of Trim's deletions.
		FlushDelayDeleteRange: 10 * time.Second,
	}
	if s.opts.Bulk {
		o.L0CompactionThreshold *= 2
	}
	o.BlockPropertyCollectors = []func() pebble.BlockPropertyCollector{newValueCollector}
	for i := range o.Levels {
		l := &o.Levels[i]
		// A page reads full blocks, a look-up one for each row it finds.
		l.BlockSize = 16 << 10
		l.IndexBlockSize = 256 << 10
		// On every level, so that a new id costs no read of a table.
		l.FilterPolicy = idFilter{bloom.FilterPolicy(10)}
		l.Compression = fast
	}
	// Nine tenths of all rows are in the last level.
	o.Levels[len(o.Levels)-1].Compression = small
	o.TargetFileSizes[0] = 4 << 20
	for i := 1; i < len(o.TargetFileSizes); i++ {
		o.TargetFileSizes[i] = 16 << 20
	}
	return o
}

func fast() *sstable.CompressionProfile { return block.FastestCompression }

// small returns the compression of the last level: MinLZ at its second level. zstd is smaller by 4
// %, but without cgo it makes a new decoder for each block, and a look-up takes half as much time
// again.
func small() *sstable.CompressionProfile {
	p := *block.MinLZCompression
	p.Name = "MinLZ2"
	p.DataBlocks.Level = 2
	return &p
}

// formatKey is how Pebble shows a key in its own messages: without the data in it.
func formatKey(key []byte) fmt.Formatter {
	if len(key) == 0 {
		return shownKey("nothing")
	}
	return shownKey(fmt.Sprintf("%c of %d bytes", key[0], len(key)))
}

type shownKey string

// Format implements [fmt.Formatter].
func (k shownKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k)) }
