package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trunklog/trunklog/test/kit"
)

// TestPowerCut: what was acknowledged before the power failed is there after the
// machine has started again, whatever writers and senders were doing. The store
// lies on a file system of its own, which is cut off from its disk in the midst
// of its work and mounted again, with what had reached the disk by then.
//
// What is acknowledged after the cut has begun does not count: the kernel lets a
// sync that is under way return without an error, though its data is lost.
func TestPowerCut(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	rounds, cycles := kit.Scale(t, 1), 15
	if testing.Short() {
		cycles = 2
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rows := 0
	for round := range rounds {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { rows += cutOften(t, random, cycles) })
	}
	if rows == 0 && !t.Failed() {
		t.Skip("the loss of power is not proven here; each round says why")
	}
	t.Logf("%d rows acknowledged before %d cuts, none lost", rows, rounds*cycles)
}

// cutOften returns how many rows were acknowledged.
func cutOften(t *testing.T, random *rand.Rand, cycles int) int {
	d := newLoopDisk(t)
	m := newMixed(t, filepath.Join(d.dir, "data"))
	d.sync(t) // of what commands have written outside of the store
	for cycle := range cycles {
		s := start(t, m.data)
		m.verify(t, s, cycle)
		ctx, cancel := context.WithCancel(t.Context())
		wait := m.load(ctx, s, fmt.Sprint(cycle))
		m.fill(cycle)
		time.Sleep(time.Duration(50+random.IntN(500)) * time.Millisecond) // when the power fails is nobody's choice
		m.cut(true)
		d.cut(t, random)
		s.Kill()
		cancel()
		wait()
		d.mount(t)
		m.cut(false)
	}
	return m.finish(t, cycles)
}

// TestDiskGone: a server whose disk takes nothing any more says so and ends by itself,
// in the midst of a load, so that whoever supervises it can start it again. What it
// acknowledged before is there then.
func TestDiskGone(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	d := newLoopDisk(t)
	m := newMixed(t, filepath.Join(d.dir, "data"))
	d.sync(t)
	const cycles = 3
	for cycle := range cycles {
		s := start(t, m.data)
		m.verify(t, s, cycle)
		wait := m.load(t.Context(), s, fmt.Sprint(cycle))
		m.fill(cycle)
		time.Sleep(time.Duration(100+random.IntN(500)) * time.Millisecond) // when a disk fails is nobody's choice
		m.cut(true)
		d.cut(t, random)
		s.failed(t)
		wait()
		d.mount(t)
		m.cut(false)
	}
	m.finish(t, cycles)
}

// A loopDisk is an ext4 file system in a file.
type loopDisk struct {
	image, dir string
	mounted    bool
}

// newLoopDisk makes one and mounts it, or skips the test where that cannot be.
func newLoopDisk(t *testing.T) *loopDisk {
	t.Helper()
	mkfs := "mkfs.ext4"
	if _, err := exec.LookPath(mkfs); err != nil {
		mkfs = "/usr/sbin/mkfs.ext4" // where an ordinary user's PATH does not lead
	}
	switch _, err := exec.LookPath(mkfs); {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skipf("the loss of power is not proven here: %v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("the loss of power is not proven here: only root may mount a file system")
	}
	d := &loopDisk{image: filepath.Join(t.TempDir(), "disk"), dir: t.TempDir()}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 2<<30); err != nil { // it takes what is written
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", mkfs, err, out)
	}
	if out, err := d.tryMount(); err != nil {
		t.Skipf("the loss of power is not proven here: a file cannot be mounted as a file system: %v %s", err, bytes.TrimSpace(out))
	}
	t.Cleanup(func() { d.unmount(t) })
	return d
}

func (d *loopDisk) tryMount() ([]byte, error) {
	out, err := exec.Command("mount", "-t", "ext4", "-o", "loop", d.image, d.dir).CombinedOutput()
	d.mounted = err == nil
	return out, err
}

// sync puts all that was written on the disk.
func (d *loopDisk) sync(t *testing.T) {
	t.Helper()
	f, err := os.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
}

// cut ends all traffic to the disk at once (EXT4_IOC_SHUTDOWN in the kernel's
// fs/ext4/ext4.h, whose argument it takes from user space): mostly without what
// is in the file system's journal and has not been written yet, else with it.
func (d *loopDisk) cut(t *testing.T, random *rand.Rand) {
	t.Helper()
	const (
		shutdown   = 0x8004587d // _IOR('X', 125, __u32)
		logFlush   = 1
		noLogFlush = 2
	)
	how := noLogFlush
	if random.IntN(4) == 0 {
		how = logFlush
	}
	f, err := os.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, how); err != nil {
		t.Fatalf("cut: %v", err)
	}
}

// mount is the start of the machine: the file system recovers from its journal.
func (d *loopDisk) mount(t *testing.T) {
	t.Helper()
	d.unmount(t)
	if out, err := d.tryMount(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
}

func (d *loopDisk) unmount(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); d.mounted; {
		out, err := exec.Command("umount", d.dir).CombinedOutput()
		switch {
		case err == nil:
			d.mounted = false
		case time.Now().After(deadline):
			t.Fatalf("umount: %v\n%s", err, out)
		default:
			time.Sleep(10 * time.Millisecond) // between two tries
		}
	}
}
