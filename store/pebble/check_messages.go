package pebble

import (
	"bytes"

	"github.com/trunklog/trunklog/call"
)

// messages reports unreadable messages and legs, and messages under a wrong key. The store derives
// neither from a row, and both may come before it.
func (c *checker) messages() error {
	var m call.Message
	err := c.each(kindMessage, func(key, value []byte) error {
		if err := parseMessage(&m, key, value); err != nil {
			c.report(err.Error())
			return nil
		}
		leg, at, err := parseMessageKey(key)
		if err != nil {
			return err
		}
		if c.buf = appendMessageKey(c.buf[:0], leg, at, value); !bytes.Equal(c.buf, key) {
			c.report("a SIP message of leg " + leg.String() + " is not the one that its key names")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(kindLeg, func(key, value []byte) error {
		if _, err := parseLeg(key, value); err != nil {
			c.report(err.Error())
		}
		return nil
	})
}
