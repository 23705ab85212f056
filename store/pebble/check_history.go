package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// history reports unreadable or inconsistent aliases and changes. An alias leads to a row, or to
// one that is gone, and both of its keys are there; no change has a number beyond the tenant's
// last; and each end of a move belongs to a change.
func (c *checker) history() error {
	heads := map[call.GUID]head{}
	err := c.each(kindHead, func(key, value []byte) error {
		h, err := parseHead(value)
		if err == nil && h.floor > h.number {
			err = fmt.Errorf("changes of tenant %v are kept after number %d, and the last is %d", tenantOf(key), h.floor, h.number)
		}
		if err != nil {
			c.report(err.Error())
			return nil
		}
		heads[tenantOf(key)] = h
		return nil
	})
	if err != nil {
		return err
	}
	ends := map[call.GUID]int{}
	err = c.each(kindChange, func(key, value []byte) error {
		p, err := parsePiece(key, value)
		if err != nil {
			c.report(err.Error())
			return nil
		}
		if last := binary.BigEndian.Uint64(key[tenantEnd:]); last > heads[p.tenant].number {
			c.report(fmt.Sprintf("change %d of tenant %v is beyond the last, which is %d", last, p.tenant, heads[p.tenant].number))
		}
		for _, e := range p.all {
			ends[p.tenant] += btoi(e.moved && e.from != 0) + btoi(e.moved && e.to != 0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return firstError(c.moves(heads, ends), c.aliases())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *checker) moves(heads map[call.GUID]head, want map[call.GUID]int) error {
	err := c.each(kindMove, func(key, value []byte) error {
		if len(key) != moveKeyLen {
			c.report(badKey(key).Error())
			return nil
		}
		if _, err := parseNumberValue("a move", value); err != nil {
			c.report(err.Error())
		}
		if n := binary.BigEndian.Uint64(key[moveNumber:]); n > heads[tenantOf(key)].number {
			c.report(fmt.Sprintf("a move of tenant %v has number %d, and the last is %d", tenantOf(key), n, heads[tenantOf(key)].number))
		}
		want[tenantOf(key)]--
		return nil
	})
	for tenant, n := range want {
		if n != 0 {
			c.report(fmt.Sprintf("the moves of tenant %v are not those of its changes: %d differ", tenant, n))
		}
	}
	return err
}

// aliases reports aliases that lack one of their two keys.
func (c *checker) aliases() error {
	there := func(key []byte) (bool, error) {
		_, closer, err := c.snapshot.Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, closer.Close()
	}
	err := c.each(kindID, func(key, value []byte) error {
		e, err := parseIDValue(value)
		if err != nil {
			c.report(err.Error())
			return nil
		}
		if e.kind != idAlias {
			return nil
		}
		alias := call.GUID(key[tenantEnd:])
		ok, err := there(appendAliasKey(nil, tenantOf(key), e.of, &alias))
		if err == nil && !ok {
			c.report(fmt.Sprintf("row %v of tenant %v does not know its alias %v", e.of, tenantOf(key), alias))
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.each(kindAlias, func(key, _ []byte) error {
		if len(key) != aliasKeyLen {
			c.report(badKey(key).Error())
			return nil
		}
		ok, err := there(appendIDKey(nil, tenantOf(key), call.GUID(key[tenantEnd+16:])))
		if err == nil && !ok {
			c.report(fmt.Sprintf("alias %v of tenant %v leads to no row", call.GUID(key[tenantEnd+16:]), tenantOf(key)))
		}
		return err
	})
}
