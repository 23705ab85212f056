package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// Tenants returns the tenants of the rows that [Rows] makes: [call.Unassigned]
// and three more, two of which differ in their last byte only.
func Tenants() []call.GUID {
	a := call.NameGUID("storetest", "tenant", "a")
	b := a
	b[15]++
	return []call.GUID{a, b, call.NameGUID("storetest", "tenant", "c"), call.Unassigned}
}

// Rows returns n rows with different ids, the same for the same seed. Among them is all that is
// hard on an engine: several tenants, the same millisecond and the same 100 ns, the first and last
// moments of minutes, hours, days and of the years 1 to 9999, ids that begin alike, fields that are
// all empty and all full, masked numbers and texts that are no number, and every kind of witness.
func Rows(seed uint64, n int) []call.Row {
	g := newGenerator(seed)
	rows := make([]call.Row, n)
	for i := range rows {
		rows[i] = g.row()
	}
	return rows
}

// A generator makes rows whose values come from small pools, so that they
// repeat and queries find something.
type generator struct {
	*rand.Rand
	tenants []call.GUID
	ids     map[call.GUID]bool
	last    call.Row
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0x7472756e6b)), tenants: Tenants(), ids: map[call.GUID]bool{}}
}

// oneIn is true once in n times.
func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) guid() call.GUID {
	var id call.GUID
	for i := range id {
		id[i] = byte(g.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// row returns a row with a new id.
func (g *generator) row() call.Row {
	r := call.Row{Tenant: pick(g, g.tenants...), ID: g.guid(), Start: g.time()}
	if g.oneIn(10) && !g.last.ID.IsZero() { // beside the last one, with an id that begins alike
		r.Tenant, r.Start = g.last.Tenant, g.last.Start
		copy(r.ID[:g.IntN(16)], g.last.ID[:])
	}
	for g.ids[r.ID] || r.ID.IsZero() {
		r.ID = g.guid()
	}
	g.ids[r.ID] = true
	g.say(&r)
	g.last = r
	return r
}

// again returns a row with the tenant and id of r, as another source, or the same one later, may
// report the call.
func (g *generator) again(r *call.Row) call.Row {
	w := call.Row{Tenant: r.Tenant, ID: r.ID, Start: r.Start}
	switch g.IntN(4) {
	case 0:
		w.Start = g.time()
	case 1:
		return r.Clone()
	}
	g.say(&w)
	return w
}

// say fills in one witness's report of the call of r.
func (g *generator) say(r *call.Row) {
	fill := pick(g, 0, 3, 8, 8, 8, 10) // tenths of the fields
	for f := range call.NumFields {
		if f == call.FieldID || f == call.FieldStart || g.IntN(10) >= fill {
			continue
		}
		switch f.Type() {
		case call.ID:
			r.SetGUID(f, call.NameGUID("storetest", f.String(), fmt.Sprint(g.IntN(20))))
		case call.Text:
			r.SetText(f, g.text(f))
		case call.Time:
			r.SetTime(f, r.Start.Add(time.Duration(g.IntN(7200)-3600)*time.Second/7))
		case call.Number:
			r.SetNumber(f, pick(g, 0, 1, 200, 486, 540_000, -1, 1<<31-1, -1<<31, int32(g.IntN(600))))
		case call.Bool:
			r.SetBool(f, g.oneIn(2))
		case call.List:
			for range g.IntN(4) {
				r.AdministrativeUnits = append(r.AdministrativeUnits, g.guid())
			}
		}
	}
	g.fitYears(r)
	kind := call.Inferred + call.Kind(g.IntN(int(call.Graph)))
	w := kind.Witness()
	if g.oneIn(3) {
		w = kind.Hearsay()
	}
	r.Settle(w, g.oneIn(2))
}

// fitYears clears times outside of the years that a row can have.
func (g *generator) fitYears(r *call.Row) {
	for f := range call.NumFields {
		if f.Type() == call.Time && (r.Time(f).Year() < 1 || r.Time(f).Year() > 9999) {
			r.SetTime(f, time.Time{})
		}
	}
}

// time returns a start: mostly within a few days, on few enough moments that many are equal.
func (g *generator) time() time.Time {
	base := time.Date(2024, 2, 27, 22, 58, 0, 0, time.UTC)
	switch g.IntN(20) {
	case 0: // the ends of the range of times
		return pick(g,
			time.Date(1, 1, 1, 0, 0, 0, 100, time.UTC),
			time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
			time.Date(1969, 12, 31, 23, 59, 59, 999_999_900, time.UTC),
			time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC))
	case 1: // any year
		return time.Date(1+g.IntN(9999), 1, 1+g.IntN(365), g.IntN(24), 0, 1, 100*g.IntN(10_000_000), time.UTC)
	case 2, 3, 4: // either side of a border
		unit := pick(g, time.Minute, time.Hour, 24*time.Hour)
		border := base.Truncate(unit).Add(time.Duration(g.IntN(5)) * unit)
		return border.Add(pick(g, -100*time.Nanosecond, 0, 100*time.Nanosecond))
	case 5, 6: // below the millisecond
		return base.Add(time.Duration(g.IntN(50)) * 100 * time.Nanosecond)
	case 7, 8, 9: // the same millisecond
		return base.Add(time.Duration(g.IntN(5)) * time.Millisecond)
	}
	return base.Add(time.Duration(g.IntN(4*24*3600)) * time.Second)
}

func (g *generator) text(f call.Field) string {
	switch f {
	case call.FieldCaller, call.FieldCallee:
		return g.number()
	case call.FieldCallType:
		return pick(g, "ByotIn", "ByotOut", "ByotOutUserForwarding", "dr_unassigned_in", "somethingNew")
	case call.FieldTrunk:
		return pick(g, "sbc1.contoso.com", "sbc2.contoso.com", "SBC1.Contoso.com")
	case call.FieldUserPrincipalName:
		if !g.oneIn(50) {
			return pick(g, "anna@contoso.com", "Anna@Contoso.com", "bert@contoso.com", "k@x", "\u212a@X", "k\x00@x", "k", fmt.Sprintf("User%d@contoso.com", g.IntN(9)))
		}
	}
	if g.oneIn(200) {
		return strings.Repeat("ü", call.MaxText/2)
	}
	return pick(g, "a", "Ä", "%_\\", "x\x00y", "anna@contoso.com", "Anna Ülkü 📞", fmt.Sprint("user ", g.IntN(30)))
}

func (g *generator) number() string {
	full := fmt.Sprintf("+4930%d", 1234500+g.IntN(40))
	switch g.IntN(10) {
	case 0:
		return full[:len(full)-3] + "***"
	case 1:
		return pick(g, full[:3]+"***"+full[6:], "+49*", "***", "*"+full[2:], "+4930****500")
	case 2:
		return pick(g, "anonymous", "", "+", "sip:+49301234501@contoso.com", "0", "112", "+49 (30) 1234-501")
	case 3:
		return full[3:] // without the country
	}
	return full
}
