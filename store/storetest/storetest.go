// Package storetest tests the engines in store: it has the suite that each of them passes, and
// [Model], the reference store.
//
// It knows the contract of [call.Store] and nothing of any engine.
package storetest

import (
	"testing"

	"github.com/trunklog/trunklog/call"
)

// Run checks that a store keeps every law of [call.Store].
//
// The function open opens the store that lives in dir; Run calls it again with the same dir after
// closing the store, and must find there what it has written. Each case begins with an empty dir of
// its own.
//
// Random operations print their seed. TRUNKLOG_SEED runs one seed again, and TRUNKLOG_SCALE
// multiplies the number of tries.
func Run(t *testing.T, open func(t *testing.T, dir string) call.Store) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			c.run(newFixture(t, open))
		})
	}
}
