package call

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// A Replacement puts a row in the place of another of the same id, or takes it out of the log, if
// the row has not changed meanwhile. Its legs, messages and aliases stay with the row, and go with
// one that is gone.
type Replacement struct {
	Was, Now Row
	Gone     bool // there is no Now
}

// CheckReplace reports whether the replacements of b make sense: each row once, and not in the
// batch in another way. The error wraps [ErrInvalid].
func (b *Batch) CheckReplace() error {
	if len(b.Replace) == 0 {
		return nil
	}
	seen := make(map[RowID]bool, len(b.Replace))
	for i := range b.Rows {
		seen[RowID{b.Rows[i].Tenant, b.Rows[i].ID}] = true
	}
	for _, id := range b.Remove {
		seen[id] = true
	}
	for i := range b.Replace {
		r := &b.Replace[i]
		id := RowID{r.Was.Tenant, r.Was.ID}
		switch {
		case seen[id]:
			return fmt.Errorf("%w: row %v is replaced, and is in the batch once more", ErrInvalid, id.ID)
		case !r.Gone && id != RowID{r.Now.Tenant, r.Now.ID}:
			return fmt.Errorf("%w: row %v is replaced by one of another id", ErrInvalid, id.ID)
		}
		seen[id] = true
	}
	return nil
}

// A Told records what a batch said of a row, and what that did to it, so that a later batch can
// take it back; see [Batch.Keep].
type Told struct {
	Row  Row  // the row of the batch, under the id that it has in the log
	Fate Fate // New, Changed, Moved or Same; with Same, only the id of Row and its voices are kept
	Was  Row  // as it was before, with Changed and Moved

	voices []voice // with Same, once it was kept
}

// A voice is the origin of a statement: a witness of a source.
type voice struct {
	by     Witness
	source string
}

// The list of them is a value of the state. For each:
//
//	fate   1 byte
//	id     16 bytes
//	voices uvarint how many; for each, witness 1 byte, source with its length in front; with Same
//	told   start 8 bytes, [Ticks]; uvarint length; [Row.AppendBody]; not with Same
//	was    the same; with Changed and Moved

// AppendTold appends t to b.
func AppendTold(b []byte, t *Told) []byte {
	b = append(append(b, byte(t.Fate)), t.Row.ID[:]...)
	if t.Fate == Same {
		return t.appendVoices(b)
	}
	b = appendTold(b, &t.Row)
	if t.Fate != New {
		b = appendTold(b, &t.Was)
	}
	return b
}

// AppendNew appends to b that the batch brought r, which the log did not have. The body is that of
// [Row.AppendBody]; the store has it already.
func AppendNew(b []byte, r *Row, body []byte) []byte {
	b = append(append(b, byte(New)), r.ID[:]...)
	return appendToldBody(b, r, body)
}

func (t *Told) appendVoices(b []byte) []byte {
	n := 0
	for range t.Voices() {
		n++
	}
	b = binary.AppendUvarint(b, uint64(n))
	for w, source := range t.Voices() {
		b = append(b, byte(w))
		b = append(binary.AppendUvarint(b, uint64(len(source))), source...)
	}
	return b
}

func appendTold(b []byte, r *Row) []byte {
	return appendToldBody(b, r, r.AppendBody(make([]byte, 0, 256)))
}

func appendToldBody(b []byte, r *Row, body []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, Ticks(r.Start))
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// ParseTold yields what AppendTold has appended for rows of a tenant. The texts of the rows are
// parts of s. The error wraps [ErrInvalid].
func ParseTold(s string, tenant GUID) iter.Seq2[Told, error] {
	return func(yield func(Told, error) bool) {
		for len(s) > 0 {
			var t Told
			var err error
			if t, s, err = parseTold(s, tenant); !yield(t, err) || err != nil {
				return
			}
		}
	}
}

func parseTold(s string, tenant GUID) (t Told, rest string, err error) {
	const head = 1 + len(GUID{})
	if len(s) < head || Fate(s[0]) > Moved {
		return t, "", fmt.Errorf("%w: what was told of a row makes no sense", ErrInvalid)
	}
	t.Fate = Fate(s[0])
	id := GUID([]byte(s[1:head]))
	t.Row.Tenant, t.Row.ID = tenant, id
	if rest = s[head:]; t.Fate == Same {
		rest, err = t.parseVoices(rest)
		return t, rest, err
	}
	rest, err = t.Row.parseTold(rest, tenant, id)
	if err == nil && t.Fate != New {
		rest, err = t.Was.parseTold(rest, tenant, id)
	}
	return t, rest, err
}

func (t *Told) parseVoices(s string) (rest string, err error) {
	n, at := uvarintAt(s, 0)
	for ; n > 0 && at < len(s); n-- {
		var v voice
		v.by = Witness(s[at])
		v.source, at = textAt(s, at+1)
		t.voices = append(t.voices, v)
	}
	if n > 0 || at > len(s) {
		return "", fmt.Errorf("%w: who told of a row is cut off", ErrInvalid)
	}
	return s[at:], nil
}

func (r *Row) parseTold(s string, tenant, id GUID) (rest string, err error) {
	const start = 8
	n, at := uint64(0), badly
	if len(s) >= start {
		n, at = uvarintAt(s, start)
	}
	if at > len(s) || n > uint64(len(s)-at) {
		return "", fmt.Errorf("%w: what was told of a row is cut off", ErrInvalid)
	}
	end := at + int(n)
	return s[end:], r.ParseBody(tenant, TimeOf(binary.BigEndian.Uint64([]byte(s[:start]))), id, s[at:end])
}

// Voices yields the voices of t: each witness with its source.
func (t *Told) Voices() iter.Seq2[Witness, string] {
	return func(yield func(Witness, string) bool) {
		for _, v := range t.voices {
			if !yield(v.by, v.source) {
				return
			}
		}
		if t.voices != nil || t.Row.Start.IsZero() {
			return
		}
		for _, v := range t.Row.testimonies(nil) {
			if !yield(v.by, v.source) {
				return
			}
		}
	}
}

// TakeBack makes r what it would be without t: for each claim that its voices still make, the one
// that they made before stands, or none. It reports whether it took anything back, and whether any
// voice is left for the call; if none is, r stays as it was.
func (r *Row) TakeBack(t *Told) (changed, left bool) {
	var was []testimony
	if t.Fate != New {
		then := t.Was
		then.startAsClaimed()
		was = then.testimonies(nil)
	}
	now := r.testimonies(nil)
	if r.startAsClaimed() {
		changed = true
	}
	kinds := Kinds(0)
	for _, told := range t.Row.testimonies(nil) {
		kinds |= told.by.Kind().Set()
		if v := spokenBy(now, &told); v != nil && v.unsay(&told, spokenBy(was, &told)) {
			changed = true
		}
	}
	if !changed {
		return false, true
	}
	now = slices.DeleteFunc(now, func(v testimony) bool { return v.said == 0 })
	if len(now) == 0 {
		return true, false
	}
	for _, v := range now {
		kinds &^= v.by.Kind().Set()
	}
	*r = Row{Tenant: r.Tenant, ID: r.ID, Start: r.Start, Seen: r.Seen &^ kinds, Rest: r.Rest}
	b := benches.Get().(*bench)
	defer b.leave()
	b.all = append(b.all, now...)
	r.showAll(b)
	return true, true
}

// spokenBy returns what the voice of v has said among all, or nil.
func spokenBy(all []testimony, v *testimony) *testimony {
	for i := range all {
		if all[i].by == v.by && all[i].source == v.source {
			return &all[i]
		}
	}
	return nil
}

// unsay takes back what t says as told does; what the voice said before stands again, if it had
// spoken.
func (t *testimony) unsay(told, was *testimony) (changed bool) {
	for f := range told.said.all {
		if !t.said.has(f) || f != FieldID && !t.row.same(&told.row, f) {
			continue // it says something else by now
		}
		switch {
		case was == nil || !was.said.has(f):
			t.said &^= 1 << f
			changed = true
		case f != FieldID && !was.row.same(&t.row, f):
			t.row.take(&was.row, f)
			changed = true
		}
	}
	if told.faces && t.faces && (was == nil || !was.faces) {
		t.faces, changed = false, true
	}
	return changed
}
