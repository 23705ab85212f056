package admin

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/trunklog/trunklog/call"
)

// How a zone is written.
const (
	zoneNone  = iota
	zoneFixed // its offset
	zoneNamed // its name
)

// appendGrouping appends by. It fails with [call.ErrInvalid] if the zone is one
// that the other process cannot know: the clock of this one, or a rule without a
// name.
func appendGrouping(b []byte, by call.Grouping) ([]byte, error) {
	b, err := appendZone(append(b, byte(by.Every)), by.Zone)
	if err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, uint64(len(by.By)))
	for _, d := range by.By {
		b = append(b, byte(d))
	}
	return b, nil
}

func appendZone(b []byte, zone *time.Location) ([]byte, error) {
	if zone == nil {
		return append(b, zoneNone), nil
	}
	t := time.Unix(0, 0).In(zone)
	if from, to := t.ZoneBounds(); from.IsZero() && to.IsZero() {
		_, offset := t.Zone()
		return binary.AppendVarint(append(b, zoneFixed), int64(offset)), nil
	}
	if _, err := loadZone(zone.String()); err != nil {
		return nil, err
	}
	return appendText(append(b, zoneNamed), zone.String()), nil
}

func loadZone(name string) (*time.Location, error) {
	if name != "" && name != "Local" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("%w: %q is not the name of a time zone, such as Europe/Berlin", call.ErrInvalid, name)
}

func (p *parser) grouping() (by call.Grouping) {
	by.Every, by.Zone = call.Slot(p.byte()), p.zone()
	for _, d := range []byte(p.text()) {
		by.By = append(by.By, call.Dim(d))
	}
	return by
}

func (p *parser) zone() *time.Location {
	switch p.byte() {
	case zoneNone:
	case zoneFixed:
		offset := p.varint()
		if p.bad = p.bad || offset < -secondsPerDay || offset > secondsPerDay; !p.bad {
			return time.FixedZone("", int(offset))
		}
	case zoneNamed:
		zone, err := loadZone(p.text())
		p.bad = p.bad || err != nil
		return zone
	default:
		p.bad = true
	}
	return nil
}

const secondsPerDay = 24 * 60 * 60

func appendGroup(b []byte, g *call.Group) []byte {
	b = appendMoment(b, g.At)
	k := &g.Key
	b = appendFlag(appendText(b, k.Trunk), k.Inbound)
	b = appendText(b, k.CallType)
	b = binary.AppendVarint(binary.AppendVarint(b, int64(k.Code)), int64(k.Subcode))
	b = appendFlag(appendFlag(b, k.Rang), k.Answered)
	b = append(b, k.User[:]...)
	for _, v := range g.Values() {
		b = binary.AppendVarint(b, *v)
	}
	return b
}

func (p *parser) group() (g call.Group) {
	g.At = p.moment()
	g.Key = call.Key{
		Trunk: p.text(), Inbound: p.flag(), CallType: p.text(), Code: int32(p.varint()), Subcode: int32(p.varint()),
		Rang: p.flag(), Answered: p.flag(), User: p.guid(),
	}
	for _, v := range g.Values() {
		*v = p.varint()
	}
	return g
}
