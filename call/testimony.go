package call

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// A testimony is what one voice has said of a call. A voice is a witness of one source; Microsoft's
// own records are one voice each, by whatever way they came.
type testimony struct {
	by     Witness
	source string
	faces  bool // the source surely faces Microsoft
	said   fieldSet
	row    Row // the values of the fields in said
}

// A fieldSet is a set of fields.
type fieldSet uint64

func setOf(fields ...Field) (s fieldSet) {
	for _, f := range fields {
		s |= 1 << f
	}
	return s
}

func (s fieldSet) has(f Field) bool { return s>>f&1 != 0 }

// all yields the fields of s in their order.
func (s fieldSet) all(yield func(Field) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(Field(bits.TrailingZeros64(uint64(s)))) {
			return
		}
	}
}

// oneVoice reports whether w is one voice, whichever source it came by.
func (w Witness) oneVoice() bool { return w.Kind() >= AdminExport }

// compare orders testimonies by trust, the most trusted first: by the witness, by whether the
// source surely faces Microsoft, and by the name of the source. A source without a name, as in rows
// of the first release, comes last.
func (t *testimony) compare(o *testimony) int {
	return cmp.Or(
		cmp.Compare(o.by, t.by),
		-compareBools(t.faces, o.faces),
		compareBools(t.source == "", o.source == ""),
		strings.Compare(t.source, o.source),
	)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// testimonies appends to all the testimonies of the call of r. A row without a list of them has one
// for each witness in By, all of the one source of the row.
func (r *Row) testimonies(all []testimony) []testimony {
	n := len(all)
	if r.Said != "" {
		if told, ok := r.parseSaid(all); ok {
			return told
		}
	}
	for f, w := range r.By {
		if w == 0 || Field(f) == FieldStart && r.Start.IsZero() {
			continue
		}
		i := n
		for i < len(all) && all[i].by != w {
			i++
		}
		if i == len(all) {
			t := testimony{by: w, row: *r}
			if !w.oneVoice() {
				t.source, t.faces = r.Source, r.Faces
			}
			all = append(all, t)
		}
		all[i].said |= 1 << f
	}
	return all
}

// merge folds the testimonies after the first n into those. It returns all of them, and whether
// they hold something new. Within one voice the later word stands, field by field, and an absent
// field keeps the earlier one.
func merge(all []testimony, n int) (merged []testimony, changed bool) {
	for later := all[n:]; len(later) > 0; later = later[1:] {
		w := &later[0]
		i := 0
		for i < n && (all[i].by != w.by || all[i].source != w.source) {
			i++
		}
		if i == n {
			if w != &all[n] {
				all[n] = *w
			}
			n++
			changed = true
			continue
		}
		if all[i].add(w) {
			changed = true
		}
	}
	return all[:n], changed
}

// add adds what the same voice has said later.
func (t *testimony) add(w *testimony) (changed bool) {
	if w.faces && !t.faces {
		t.faces, changed = true, true
	}
	for f := range w.said.all {
		if t.said.has(f) && (f == FieldID || t.row.same(&w.row, f)) {
			continue
		}
		t.said |= 1 << f
		if changed = true; f != FieldID {
			t.row.take(&w.row, f)
		}
	}
	return changed
}

// keepSaid keeps in r the testimonies from which it was decided, in the order of compare. It writes
// no list if r shows it all: if the witness alone names each voice, and every field is shown as its
// own.
func (r *Row) keepSaid(all []*testimony) {
	r.Source, r.Faces, r.Said = "", false, ""
	for _, t := range all {
		if !t.by.oneVoice() {
			r.Source, r.Faces = t.source, t.faces
			break
		}
	}
	if !r.impliesAll(all) {
		const usual = 128 // bytes; longer lists still work
		r.Said = string(r.appendSaid(make([]byte, 0, usual), all))
	}
}

func (r *Row) impliesAll(all []*testimony) bool {
	for i, t := range all {
		if i > 0 && all[i-1].by == t.by || !t.by.oneVoice() && (t.source != r.Source || t.faces != r.Faces) {
			return false
		}
		for f := range t.said.all {
			if r.By[f] != t.by || f != FieldID && !t.row.same(r, f) {
				return false
			}
		}
	}
	return true
}

// appendSaid appends the list of testimonies in the form in which a row keeps it. For each:
//
//	witness  1 byte
//	source   uvarint: twice the length of the name, plus one if it faces Microsoft; the name
//	said     uvarint, one bit a field
//	other    uvarint, one bit a field: it said a value that is not shown
//	none     uvarint, one bit a field: it said that there is none, and one is shown
//	values   of the fields in other, as in the body of the row
func (r *Row) appendSaid(b []byte, all []*testimony) []byte {
	for _, t := range all {
		b = append(b, byte(t.by))
		length := uint64(len(t.source)) << 1
		if t.faces {
			length |= 1
		}
		b = append(binary.AppendUvarint(b, length), t.source...)
		var other, none fieldSet
		for f := range t.said.all {
			switch {
			case f == FieldID || t.row.same(r, f):
			case t.row.Known(f):
				other |= 1 << f
			default:
				none |= 1 << f
			}
		}
		b = binary.AppendUvarint(b, uint64(t.said))
		b = binary.AppendUvarint(b, uint64(other))
		b = binary.AppendUvarint(b, uint64(none))
		for f := range other.all {
			b = t.row.appendField(b, f, r.Start)
		}
	}
	return b
}

// parseSaid appends the testimonies of r.Said to all. ok is false if they make no sense.
func (r *Row) parseSaid(all []testimony) (told []testimony, ok bool) {
	s := r.Said
	for at := 0; at < len(s); {
		t := testimony{}
		var other, none fieldSet
		if at = t.parseHead(s, at, &other, &none); at > len(s) {
			return all, false
		}
		t.row = *r
		for f := range none.all {
			t.row.clear(f)
		}
		for f := range other.all {
			if at = t.row.parseField(s, at, f, Ticks(r.Start)); at > len(s) {
				return all, false
			}
		}
		all = append(all, t)
	}
	return all, true
}

// parseHead parses the part of a testimony before its values.
func (t *testimony) parseHead(s string, at int, other, none *fieldSet) int {
	by, at := byteAt(s, at)
	n, at := uvarintAt(s, at)
	length := n >> 1
	if at > len(s) || length > uint64(len(s)-at) {
		return badly
	}
	t.by, t.source, t.faces = Witness(by), s[at:at+int(length)], n&1 != 0
	at += int(length)
	var sets [3]uint64
	for i := range sets {
		if sets[i], at = uvarintAt(s, at); sets[i]>>NumFields != 0 {
			return badly
		}
	}
	t.said, *other, *none = fieldSet(sets[0]), fieldSet(sets[1]), fieldSet(sets[2])
	if (*other|*none)&^t.said != 0 || *other&*none != 0 || (*other | *none).has(FieldID) || none.has(FieldStart) {
		return badly
	}
	return at
}

// A Claim is a value that a witness gave a field, where the row shows another.
type Claim struct {
	Field   Field
	Witness Witness
	Source  string // the source of the claim; empty if that does not matter
	// Value is a GUID, string, time.Time, int32, bool or []GUID, by the type of the field. A zero
	// Value says that there is none.
	Value any
}

// Put gives r the value of the claim.
func (c Claim) Put(r *Row) {
	switch v := c.Value.(type) {
	case GUID:
		r.SetGUID(c.Field, v)
	case string:
		r.SetText(c.Field, v)
	case time.Time:
		r.SetTime(c.Field, v)
	case int32:
		r.SetNumber(c.Field, v)
	case bool:
		r.SetBool(c.Field, v)
	case []GUID:
		r.AdministrativeUnits = v
	}
}

// Claims yields what witnesses have said of the call of r and r does not show, the most trusted
// first, and for each in the order of the fields. The texts are parts of r. A caller must not show
// claims of a field to a reader who may not see the field.
func (r *Row) Claims() iter.Seq[Claim] {
	return func(yield func(Claim) bool) {
		if r.Said == "" {
			return
		}
		told, _ := r.parseSaid(nil)
		for i := range told {
			t := &told[i]
			for f := range t.said.all {
				if f == FieldID || t.row.same(r, f) {
					continue
				}
				if !yield(Claim{f, t.by, t.source, t.row.value(f)}) {
					return
				}
			}
		}
	}
}

// HasSaid reports whether a witness of a source has spoken of a field, shown or not.
func (r *Row) HasSaid(w Witness, source string, f Field) bool {
	told := r.testimonies(nil)
	return slices.ContainsFunc(told, func(t testimony) bool {
		return t.by == w && (t.source == source || w.oneVoice()) && t.said.has(f)
	})
}

// HasSource reports whether a source has said anything of the call of r, other than to pass on
// Microsoft's own records.
func (r *Row) HasSource(source string) bool {
	return slices.ContainsFunc(r.testimonies(nil), func(t testimony) bool { return !t.by.oneVoice() && t.source == source })
}

// value returns the value of a field.
func (r *Row) value(f Field) any {
	switch f.Type() {
	case ID:
		return r.GUID(f)
	case Text:
		return r.Text(f)
	case Time:
		return r.Time(f)
	case Number:
		return r.Number(f)
	case Bool:
		return r.Bool(f)
	}
	return slices.Clone(r.AdministrativeUnits)
}
