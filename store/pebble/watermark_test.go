package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestSlot reads slots back, and takes nothing that is not whole.
func TestSlot(t *testing.T) {
	for _, want := range [][]mark{nil, {{logMark, 7, 1 << 40, 0}}, {{logMark, 1, 2, 0}, {manifestMark, 3, 4, 5}, {formatMarker, 6, 7, 8}}, make([]mark, slotMarks)} {
		slot := appendSlot(nil, 9, want)
		if got, ok := parseSlot(append(bytes.Clone(slot), 1, 2, 3)); !ok || got.seq != 9 || !got.names || !slices.Equal(got.marks, want) {
			t.Errorf("%+v, %v", got, ok)
		}
		for i := range min(len(slot), 100) {
			if _, ok := parseSlot(slot[:i]); ok {
				t.Errorf("%d of %d bytes are taken for a slot", i, len(slot))
			}
			flipped := bytes.Clone(slot)
			flipped[i] ^= 1 << (i % 8)
			if _, ok := parseSlot(flipped); ok {
				t.Errorf("a slot with byte %d changed is taken for one", i)
			}
		}
		if len(slot) > slotSize {
			t.Errorf("%d bytes for %d marks", len(slot), len(want))
		}
	}
}

// TestNoFalseAlarm crashes at thousands of moments, and again after opening, while logs begin, end
// and are overwritten, with and without failing operations: on a disk that keeps synced data the
// store reports no damage, and everything confirmed is there.
func TestNoFalseAlarm(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 5))
	var clones, opened int
	var reused int64
	for round := range storetest.Scale(24) {
		x := &stress{disk: vfs.NewCrashableMem(), rows: storetest.Rows(rng.Uint64(), 300), fail: failing(round, rng)}
		for range 3 { // a crash, and another one on what it left
			var left *vfs.MemFS
			var acked []int
			x.run(t, 1+rng.IntN(4), 20, func() {
				told := x.told.copy()
				clone := x.crash(rng, []int{0, 10, 50, 90, 100}[rng.IntN(5)])
				if rng.IntN(4) == 0 {
					tearSlot(t, clone, rng)
				}
				clones++
				if err := verifyClone(clone); err != nil {
					t.Errorf("round %d: a false alarm: %v", round, err)
					return
				}
				if _, err := clone.Stat("store/" + sealName); err != nil && (left == nil || rng.IntN(20) == 0) {
					left, acked = clone, told
				}
			})
			x.reportFailure(t, round)
			if left == nil || t.Failed() {
				break
			}
			opened++
			s, err := Open("store", testOptions(t, copyFS(t, left, "store")))
			if err != nil {
				t.Fatalf("round %d: open after a crash: %v", round, err)
			}
			verifyBatches(t, s, x.rows, int(x.next.Load()), acked)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			x.disk, x.told.acked = left, acked
			reused += x.reused.Swap(0)
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	t.Logf("%d crashes, %d of them opened; %d logs were written over", clones, opened, reused)
	if reused == 0 {
		t.Error("no log was written over")
	}
}

func (x *stress) reportFailure(t *testing.T, round int) {
	if t.Failed() {
		t.Logf("round %d: operations failed: %v", round, x.tripped.Load())
	}
}

// verifyClone is what opening does with a seal and a watermark.
func verifyClone(disk vfs.FS) error {
	if sealed := verifySeal(disk, "store"); !errors.Is(sealed, errNoSeal) {
		return sealed
	}
	if _, err := verifyMarks(disk, "store"); !errors.Is(err, errNoMarks) {
		return err
	}
	return nil
}

// TestLogDamage ends the process at any moment and then damages a log: an error names it, or
// everything confirmed is there.
func TestLogDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 6))
	told, harmless := 0, 0
	for range storetest.Scale(12) {
		x := &stress{disk: vfs.NewCrashableMem(), rows: storetest.Rows(rng.Uint64(), 300)}
		left := 15
		x.run(t, 1+rng.IntN(4), 20, func() {
			acked := x.told.copy()
			if left == 0 || len(acked) < 5*(15-left) {
				return // they come one after the other
			}
			left--
			clone := x.crash(rng, 100)
			logs := logsOf(t, clone)
			if len(logs) == 0 || verifySeal(clone, "store") == nil {
				return
			}
			name := logs[rng.IntN(len(logs))]
			what := "removed"
			if rng.IntN(5) > 0 {
				what = damage(t, clone, "store/"+name, rng)
			} else if err := clone.Remove("store/" + name); err != nil {
				t.Error(err)
			}
			if what == "" {
				return
			}
			o := testOptions(t, clone)
			o.ReadOnly = rng.IntN(3) == 0
			s, err := Open("store", o)
			if err != nil {
				told++
				var corrupt *call.CorruptError
				if !errors.As(err, &corrupt) || corrupt.File != name {
					t.Errorf("%s, %s: %v", name, what, err)
				}
				return
			}
			harmless++
			verifyBatches(t, s, x.rows, int(x.next.Load()), acked)
			if t.Failed() {
				t.Logf("%s, %s", name, what)
			}
			_ = s.Close()
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d harms were told of, %d were none", told, harmless)
	if told == 0 {
		t.Error("no harm was noticed")
	}
}

// TestEveryBitOfALog flips bits, one by one, in the confirmed part of the newest log.
func TestEveryBitOfALog(t *testing.T) {
	rows := storetest.Rows(80, 160)
	disk := vfs.NewCrashableMem()
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	writeAll(t, s, rows)
	clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(1)})
	st, err := verifyMarks(clone, "store")
	if err != nil || len(st.logs()) == 0 {
		t.Fatalf("%v, %v", st, err)
	}
	last := st.logs()[len(st.logs())-1]
	path := "store/" + last.file()
	data, err := readFile(clone, path)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) < last.bytes || last.bytes < 2*logBlock {
		t.Fatalf("%d of %d bytes are listed", last.bytes, len(data))
	}
	steps := int64(20) // each takes Pebble 0.1 s
	if testing.Short() {
		steps = 6
	}
	for at := int64(0); at < last.bytes; at += 1 + last.bytes/steps {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		if err := writeFile(clone, "store", last.file(), bad); err != nil {
			t.Fatal(err)
		}
		var corrupt *call.CorruptError
		if _, err := verifyMarks(clone, "store"); !errors.As(err, &corrupt) || corrupt.Offset > at || corrupt.Offset < at-logBlock {
			// The end of a block that holds nothing may change.
			if logBlock-at%logBlock >= logChunk {
				t.Errorf("byte %d: %v", at, err)
			}
		}
	}
	// The number of the next log in the header of a chunk says that the log ends.
	copy(data[7:11], []byte{byte(last.number + 1), byte((last.number + 1) >> 8), 0, 0})
	if err := writeFile(clone, "store", last.file(), data); err != nil {
		t.Fatal(err)
	}
	if _, err := verifyMarks(clone, "store"); err == nil {
		t.Error("a log that seems to end at its beginning")
	}
}

// TestWatermarkFails: a log that the watermark cannot release stays in place.
func TestWatermarkFails(t *testing.T) {
	disk := vfs.NewMem()
	var w watermark
	var bad atomic.Bool
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if bad.Load() && op.Kind == errorfs.OpFileSyncData {
			return syscall.EIO
		}
		return nil
	}))
	if err := w.open(fs, ""); err != nil {
		t.Fatal(err)
	}
	one := func(n uint64) bool { return n == 1 }
	w.note(1, 10)
	w.note(2, 20)
	bad.Store(true)
	if err := w.forget(one); !errors.Is(err, syscall.EIO) {
		t.Errorf("forget: %v", err)
	}
	bad.Store(false)
	if err := w.forget(one); !errors.Is(err, syscall.EIO) {
		t.Errorf("the second time: %v", err)
	}
	w.note(3, 30)
	if err := w.forget(func(n uint64) bool { return n == 3 }); err != nil {
		t.Errorf("what was never listed: %v", err)
	}
	if want := fmt.Sprint([]mark{{logMark, 1, 10, 0}, {logMark, 2, 20, 0}}); fmt.Sprint(w.marks) != want {
		t.Errorf("%v, want %v", w.marks, want)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// TestOldStore opens stores without a watermark, or with a foreign one.
func TestOldStore(t *testing.T) {
	rows := storetest.Rows(81, 100)
	for name, data := range map[string][]byte{"none": nil, "empty": {}, "junk": bytes.Repeat([]byte{7}, 3*slotSize)} {
		disk := vfs.NewCrashableMem()
		s, err := Open("store", testOptions(t, disk))
		if err != nil {
			t.Fatal(err)
		}
		writeAll(t, s, rows)
		clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(1)})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := disk.Stat("store/" + watermarkName); err == nil {
			t.Error("Close leaves a watermark")
		}
		err = clone.Remove("store/" + watermarkName)
		if data != nil {
			err = errors.Join(err, writeFile(clone, "store", watermarkName, data))
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open("store", testOptions(t, clone))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := dump(t, again); err != nil || len(got) != len(rows) {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}
