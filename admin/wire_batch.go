package admin

import (
	"encoding/binary"
	"fmt"

	"github.com/trunklog/trunklog/call"
)

// rowKey is the length of a row's key, which comes before its compact form, in bytes.
const rowKey = 16 + 8 + 16

// appendRow appends a row with its key.
func appendRow(b []byte, r *call.Row) []byte {
	b = append(b, r.Tenant[:]...)
	b = binary.BigEndian.AppendUint64(b, call.Ticks(r.Start))
	b = append(b, r.ID[:]...)
	return r.AppendBody(b)
}

// parseRow sets r to the row in s. The texts of r share the memory of s.
func parseRow(r *call.Row, s string) error {
	p := parser{s: s}
	tenant, start, id := p.guid(), p.big(8), p.guid()
	if p.bad {
		return fmt.Errorf("%w: a row of %d bytes", call.ErrInvalid, len(s))
	}
	return r.ParseBody(tenant, call.TimeOf(start), id, p.s)
}

// appendLong appends the length of a row and then the row with its key.
func appendLong(b []byte, r *call.Row) []byte {
	at := len(b)
	b = appendRow(append(b, 0, 0, 0, 0), r)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// appendBatch appends a batch: its rows and messages, each after its length, then its legs,
// replacements, State, If and the rest. It fails with [call.ErrInvalid] if one of them is invalid,
// because the compact form cannot hold it.
func appendBatch(b []byte, batch *call.Batch) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(batch.Rows)))
	for i := range batch.Rows {
		r := &batch.Rows[i]
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("row %d of %d: %w", i+1, len(batch.Rows), err)
		}
		b = appendLong(b, r)
	}
	b, err := appendMessages(b, batch)
	if err != nil {
		return nil, err
	}
	if b, err = appendReplacements(b, batch); err != nil {
		return nil, err
	}
	b = appendValues(b, batch.State)
	return appendChanges(appendValues(b, batch.If), batch), nil
}

// appendChanges appends the removals of a batch, its aliases and its conditions.
func appendChanges(b []byte, batch *call.Batch) []byte {
	b = binary.AppendUvarint(b, uint64(len(batch.Remove)))
	for _, r := range batch.Remove {
		b = append(append(b, r.Tenant[:]...), r.ID[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Aliases)))
	for _, a := range batch.Aliases {
		b = append(append(append(b, a.Tenant[:]...), a.ID[:]...), a.Of[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Still)))
	for _, c := range batch.Still {
		b = appendVersion(append(append(b, c.Tenant[:]...), c.Correlation[:]...), c.After)
	}
	b = binary.AppendUvarint(b, uint64(len(batch.Keep)))
	for tenant, name := range batch.Keep {
		b = appendText(append(b, tenant[:]...), name)
	}
	return b
}

// appendReplacements appends the replacements of a batch. It fails as appendBatch does.
func appendReplacements(b []byte, batch *call.Batch) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(batch.Replace)))
	for i := range batch.Replace {
		r := &batch.Replace[i]
		rows := []*call.Row{&r.Was, &r.Now}
		if r.Gone {
			rows = rows[:1]
		}
		b = append(b, byte(len(rows)))
		for _, row := range rows {
			if err := row.Check(); err != nil {
				return nil, fmt.Errorf("replacement %d of %d: %w", i+1, len(batch.Replace), err)
			}
			b = appendLong(b, row)
		}
	}
	return b, nil
}

func (p *parser) replacements(b *call.Batch) error {
	const least = 1 + 4 + rowKey
	for n := p.number(least); n > 0 && !p.bad; n-- {
		var r call.Replacement
		rows := []*call.Row{&r.Was, &r.Now}
		switch p.byte() {
		case 1:
			rows, r.Gone = rows[:1], true
		case 2:
		default:
			p.bad = true
		}
		for _, row := range rows {
			long := p.long()
			if p.bad {
				return nil // parser.end returns the error
			}
			if err := parseRow(row, long); err != nil {
				return fmt.Errorf("%w: replacement: %w", call.ErrInvalid, err)
			}
		}
		b.Replace = append(b.Replace, r)
	}
	return nil
}

func (p *parser) changes(b *call.Batch) {
	for n := p.number(32); n > 0; n-- {
		b.Remove = append(b.Remove, call.RowID{Tenant: p.guid(), ID: p.guid()})
	}
	for n := p.number(48); n > 0; n-- {
		b.Aliases = append(b.Aliases, call.Alias{Tenant: p.guid(), ID: p.guid(), Of: p.guid()})
	}
	for n := p.number(48); n > 0; n-- {
		b.Still = append(b.Still, call.Condition{Tenant: p.guid(), Correlation: p.guid(), After: p.version()})
	}
	for n := p.number(17); n > 0 && !p.bad; n-- {
		if b.Keep == nil {
			b.Keep = make(map[call.GUID]string)
		}
		tenant := p.guid()
		b.Keep[tenant] = p.text()
	}
}

func appendVersion(b []byte, v call.Version) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, v.Epoch), v.Number)
}

func (p *parser) version() call.Version {
	return call.Version{Epoch: p.big(8), Number: p.big(8)}
}

// parseBatch returns the batch in s. The texts of its rows share the memory of s.
func parseBatch(s string) (call.Batch, error) {
	p := parser{s: s}
	n := p.number(4 + rowKey)
	var b call.Batch
	if n > 0 {
		b.Rows = make([]call.Row, n)
	}
	for i := range b.Rows {
		row := p.long()
		if p.bad {
			break
		}
		if err := parseRow(&b.Rows[i], row); err != nil {
			return call.Batch{}, fmt.Errorf("%w: row %d of %d: %w", call.ErrInvalid, i+1, n, err)
		}
	}
	p.messages(&b)
	if err := p.replacements(&b); err != nil {
		return call.Batch{}, err
	}
	b.State, b.If = p.values(), p.values()
	p.changes(&b)
	if err := p.end(); err != nil {
		return call.Batch{}, err
	}
	return b, nil
}

func appendResult(b []byte, r call.Result) []byte {
	for _, all := range [...][]call.Written{r.Rows, r.Removed, r.Replaced} {
		b = binary.AppendUvarint(b, uint64(len(all)))
		for _, w := range all {
			b = append(append(appendMoment(b, w.Place.Start), w.Place.ID[:]...), byte(w.Fate))
			b = binary.AppendUvarint(b, w.Number)
		}
	}
	return b
}

func (p *parser) result() (r call.Result) {
	for _, all := range [...]*[]call.Written{&r.Rows, &r.Removed, &r.Replaced} {
		*all = make([]call.Written, p.number(1+16+1+1))
		for i := range *all {
			(*all)[i] = call.Written{Place: call.Cursor{Start: p.moment(), ID: p.guid()}, Fate: call.Fate(p.byte()), Number: p.uvarint()}
		}
	}
	return r
}

func appendStats(b []byte, s call.Stats) []byte {
	b = appendText(b, s.Engine)
	b = binary.AppendVarint(b, int64(s.Format))
	b = binary.AppendVarint(b, s.Rows)
	b = binary.AppendVarint(b, s.Bytes)
	b = binary.AppendUvarint(b, uint64(len(s.Per)))
	for _, t := range s.Per {
		b = append(b, t.Tenant[:]...)
		b = binary.AppendVarint(b, t.Rows)
		b = appendMoment(appendMoment(b, t.Oldest), t.Newest)
	}
	return b
}

func (p *parser) stats() call.Stats {
	s := call.Stats{Engine: p.text(), Format: int(p.varint()), Rows: p.varint(), Bytes: p.varint()}
	for n := p.uvarint(); n > 0 && !p.bad; n-- {
		s.Per = append(s.Per, call.TenantStats{Tenant: p.guid(), Rows: p.varint(), Oldest: p.moment(), Newest: p.moment()})
	}
	return s
}
