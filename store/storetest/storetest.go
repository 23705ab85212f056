// Package storetest is the measure of the engines in store: the suite that
// each of them passes, and [Model], the reference store.
//
// It knows the contract of [call.Store] and nothing of any engine.
package storetest

import (
	"testing"

	"github.com/trunklog/trunklog/call"
)

// Run checks that a store keeps every law of [call.Store].
//
// The function open opens the store that lives in dir; it is called again with
// the same dir after the store was closed, and must find there what was
// written. Each case begins with a dir of its own that holds nothing.
//
// Random operations print their seed. TRUNKLOG_SEED runs one seed again, and
// TRUNKLOG_SCALE multiplies how much is tried.
func Run(t *testing.T, open func(t *testing.T, dir string) call.Store) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			c.run(newFixture(t, open))
		})
	}
}
