package csv

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// An input is one table during decoding, with the counts to report at its end of what the rows do
// not show.
type input struct {
	*tableMap
	leftOut map[string]int // records, by the map's reason
	bare    int            // numbers with a prefix and too few digits
	unmet   map[call.Field]map[string]int
	keys    repeats
}

// errLeftOut marks a record that is no call by the rules of the map.
var errLeftOut = errors.New("the map leaves the record out")

// decode is the decoder of tables that the map describes.
func (m *tableMap) decode(r io.Reader) iter.Seq2[call.Event, error] {
	return func(yield func(call.Event, error) bool) {
		in := &input{tableMap: m, leftOut: map[string]int{}, unmet: map[call.Field]map[string]int{}}
		for e, err := range Table(m.dialect, in.bind)(r) {
			if errors.Is(err, errLeftOut) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
		if m.dialect.Note != nil {
			in.tell()
		}
	}
}

// tell reports the counts.
func (in *input) tell() {
	note := in.dialect.Note
	if n := sum(in.leftOut); n > 0 {
		note(fmt.Sprintf("the map leaves out %s: %s", amount(n, "record"), counts(in.leftOut)))
	}
	if in.keys.n > 0 {
		note(fmt.Sprintf("%s with the key of an earlier record, and not the same as that: each key is one row, in which the later record stands; the first such key is %s", amount(in.keys.n, "record"), in.keys.first))
	}
	if in.bare > 0 {
		note(fmt.Sprintf("%s with a prefix and too little behind it, such as 0 or 0049, stand as they came", amount(in.bare, "number")))
	}
	for _, f := range in.fields {
		if values := in.unmet[f.field]; len(values) > 0 {
			what := "taken as they are"
			if f.fallback != nil {
				what = fmt.Sprintf("the default, %q, stands for them", *f.fallback)
			}
			note(fmt.Sprintf("values of %s that the map has no entry for (%s): %s", f.field, what, counts(values)))
		}
	}
}

// others counts the values beyond the most that are counted by themselves.
const (
	others     = ""
	mostValues = 100
)

// meet counts a value that has no entry in the map. It is reported if the map has no default, or in
// a preview.
func (in *input) meet(f *boundField, value string) {
	if value == "" || f.fallback != nil && !in.preview {
		return
	}
	value = quote(value)
	values := in.unmet[f.field]
	if values == nil {
		values = map[string]int{}
		in.unmet[f.field] = values
	}
	if isPersonal(f.field) || len(values) >= mostValues && values[value] == 0 {
		values[others]++
		return
	}
	values[value]++
}

// isPersonal reports whether a field holds personal data, which no report shows.
func isPersonal(f call.Field) bool {
	switch f {
	case call.FieldCaller, call.FieldCallee, call.FieldCallerRaw, call.FieldCalleeRaw,
		call.FieldUserDisplayName, call.FieldUserPrincipalName, call.FieldUserID:
		return true
	}
	return false
}

func sum(n map[string]int) (all int) {
	for _, n := range n {
		all += n
	}
	return all
}

// counts lists counts, the highest first.
func counts(n map[string]int) string {
	const most = 20
	names := slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		if n[a] != n[b] {
			return n[b] - n[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	rest := n[others]
	for _, name := range names {
		switch {
		case name == others:
		case len(parts) == most:
			rest += n[name]
		default:
			parts = append(parts, fmt.Sprintf("%s (%d)", name, n[name]))
		}
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("others (%d)", rest))
	}
	return strings.Join(parts, ", ")
}

func amount(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// repeats finds keys that come again with another record. It remembers the last hundred thousand or
// so, whatever the size of the table.
type repeats struct {
	seed  maphash.Seed
	seen  []keyed
	used  int
	n     int
	first string // the first key found
}

// A keyed is a record and its key, as hashes. Its place is that of its key.
type keyed struct{ key, record uint64 }

// The sizes of repeats' memory, at first and at most.
const (
	fewKeys  = 1 << 10
	mostKeys = 1 << 18
)

// meet notes a record, and reports whether its key came with another one.
func (r *repeats) meet(key string, record []string) (other bool) {
	switch {
	case r.seen == nil:
		r.seed, r.seen = maphash.MakeSeed(), make([]keyed, fewKeys)
	case r.used > len(r.seen)/2 && len(r.seen) < mostKeys:
		old := r.seen
		r.seen = make([]keyed, 4*len(old))
		for _, k := range old {
			r.seen[k.key%uint64(len(r.seen))] = k
		}
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, field := range record {
		_, _ = h.WriteString(field)
		_ = h.WriteByte(0)
	}
	now := keyed{maphash.String(r.seed, key), h.Sum64()}
	at := &r.seen[now.key%uint64(len(r.seen))]
	if at.key != now.key {
		r.used++
	}
	other = at.key == now.key && at.record != now.record
	*at = now
	if other {
		r.n++
	}
	return other
}
