package pebble

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestPowerLossDamage damages a file after a loss of power, which may have taken the watermark's
// last statement on the logs. It counts silent losses of confirmed batches, and allows them for the
// newest log alone.
func TestPowerLossDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 9))
	last, others := outcomes{}, outcomes{}
	for range storetest.Scale(16) {
		x := &stress{disk: vfs.NewCrashableMem(), rows: storetest.Rows(rng.Uint64(), 300)}
		left := 20
		x.run(t, 1+rng.IntN(4), 40, func() {
			acked := x.told.copy()
			if left == 0 || len(acked) < 5*(20-left) {
				return // they come one after the other
			}
			left--
			clone := x.crash(rng, []int{0, 50, 90}[rng.IntN(3)])
			if verifySeal(clone, "store") == nil {
				return
			}
			names, err := clone.List("store")
			if err != nil {
				t.Fatal(err)
			}
			names = slices.DeleteFunc(names, func(name string) bool { m, ok := parseName(name); return !ok || m.kind > optionsMark })
			logs := logsOf(t, clone)
			slices.Sort(logs)
			if len(names) == 0 {
				return
			}
			name := names[rng.IntN(len(names))]
			what := damage(t, clone, "store/"+name, rng)
			lost, err := lostOf(t, clone, acked)
			tally := others
			if len(logs) > 0 && name == logs[len(logs)-1] {
				tally = last
			}
			tally.count(lost, err)
			var corrupt *call.CorruptError
			if err != nil && (!errors.As(err, &corrupt) || !strings.Contains(err.Error(), name)) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if lost > 0 && name != logs[len(logs)-1] {
				t.Errorf("%s, %s: %d of %d confirmed batches are lost without a word", name, what, lost, len(acked))
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("harms to the newest log: %v; to others: %v", last, others)
	if others["told"] == 0 {
		t.Error("no harm was noticed")
	}
}

// outcomes count what harms came to.
type outcomes map[string]int

func (o outcomes) count(lost int, err error) {
	switch {
	case err != nil:
		o["told"]++
	case lost > 0:
		o["lost without a word"]++
	default:
		o["harmless"]++
	}
}

// lostOf opens a store and returns how many of the batches that were confirmed
// are not in it.
func lostOf(t *testing.T, disk vfs.FS, acked []int) (lost int, err error) {
	t.Helper()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	state, err := call.Values(t.Context(), s, "batch/")
	if err != nil {
		return 0, err
	}
	for _, n := range acked {
		if _, ok := state[fmt.Sprintf("batch/%d", n)]; !ok {
			lost++
		}
	}
	return lost, nil
}
