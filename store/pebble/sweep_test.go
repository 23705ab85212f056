package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A past is a store at several moments of its life, and its contents at the end.
type past struct {
	then []*vfs.MemFS // the oldest first
	now  *vfs.MemFS
	rows []call.Row
}

// livedStore returns a store that was opened three times and written to enough
// that logs were written over and lists of tables replaced. It ends in order, or
// because its process is killed.
func livedStore(t *testing.T, seed uint64, killed bool) *past {
	t.Helper()
	p := &past{rows: storetest.Rows(seed, 800)}
	x := &stress{disk: vfs.NewCrashableMem()}
	crash := func() *vfs.MemFS { return x.crash(newRand(seed), 100) }
	for life := range 3 {
		o := testOptions(t, &unlocked{x.disk, &x.cloning})
		o.memTable, o.CacheBytes, o.Reserve = 64<<10, 1<<20, 64<<10
		s, err := Open("store", o)
		if err != nil {
			t.Fatal(err)
		}
		part := p.rows[life*len(p.rows)/3 : (life+1)*len(p.rows)/3]
		for n := range slices.Chunk(part, 20) {
			if _, err := s.Write(t.Context(), call.Batch{Rows: n}); err != nil {
				t.Fatal(err)
			}
			if len(p.then) < 12*(life+1) && newRand(uint64(len(p.then))).IntN(3) == 0 {
				p.then = append(p.then, crash())
			}
		}
		p.then = append(p.then, crash())
		if life == 2 && killed {
			p.now = crash()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if life < 2 {
			p.then = append(p.then, crash())
		}
	}
	if !killed {
		p.now = crash()
	}
	again, err := Open("store", testOptions(t, copyFS(t, p.now, "store")))
	if err != nil {
		t.Fatal(err)
	}
	want, err := dump(t, again) // in the order in which they are read
	if err = errors.Join(err, again.Close()); err != nil || len(want) != len(p.rows) {
		t.Fatalf("%d of %d rows, %v", len(want), len(p.rows), err)
	}
	p.rows = want
	return p
}

// older returns a file as it once was: under its own name if it was ever
// another, else the one that had its place.
func (p *past) older(t *testing.T, name string, now []byte) (data []byte, was string) {
	t.Helper()
	kind := func(name string) string {
		if m, ok := parseName(name); ok {
			return fmt.Sprint(m.kind)
		}
		return kindOfFile(name)
	}
	for _, same := range []bool{true, false} {
		for _, disk := range slices.Backward(p.then) {
			names, err := disk.List("store")
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if kind(n) != kind(name) || (n == name) != same {
					continue
				}
				data, err := readFile(disk, "store/"+n)
				if err != nil {
					t.Fatal(err)
				}
				if !same && len(now) == 0 && n < name || len(data) > 0 && !bytes.Equal(data, now) {
					return data, n
				}
			}
		}
	}
	return nil, ""
}

// records returns the places of the first, the middle and the last record of a file: in a log, of
// the confirmed part. A file without records is cut in three.
func records(t *testing.T, disk vfs.FS, name string, data []byte) [][2]int {
	t.Helper()
	var ends []int
	m, ok := parseName(name)
	switch {
	case ok && (m.isLog() || m.kind == manifestMark):
		st, err := readMarks(disk, "store")
		if m.kind == manifestMark {
			m.number = 0
		} else if i := slices.IndexFunc(st.marks, func(o mark) bool { return o.isLog() && o.number == m.number }); err == nil && i >= 0 {
			data = data[:min(int64(len(data)), st.marks[i].bytes)]
		}
		r := newReader(record.NewReader, bytes.NewReader(data), m.number)
		for rec, err := r.Next(); err == nil; rec, err = r.Next() {
			if _, err := bytes.NewBuffer(nil).ReadFrom(rec); err != nil {
				break
			}
			ends = append(ends, int(r.Offset()))
		}
	case strings.HasSuffix(name, ".sst"):
		ends = []int{len(data) / 4, len(data) / 2, len(data) * 3 / 4, max(len(data)*3/4, len(data)-60), len(data)} // the last is the footer
	}
	if len(ends) < 3 {
		ends = []int{len(data) / 3, len(data) * 2 / 3, len(data)}
	}
	from := func(i int) int {
		if i == 0 {
			return 0
		}
		return ends[i-1]
	}
	var places [][2]int
	for _, i := range []int{0, len(ends) / 2, len(ends) - 1} {
		if from(i) < ends[i] && ends[i] <= len(data) {
			places = append(places, [2]int{from(i), ends[i]})
		}
	}
	return places
}

// A harm is what happens to a file.
type harm struct {
	what string
	name string // that it has then; empty if it is gone
	data []byte
}

// harms returns every harm to a file that the sweep knows.
func (p *past) harms(t *testing.T, name string, rng *rand.Rand) []harm {
	t.Helper()
	data, err := readFile(p.now, "store/"+name)
	if err != nil {
		t.Fatal(err)
	}
	all := []harm{{what: "removed"}}
	old, was := p.older(t, name, data)
	switch {
	case was != "" && strings.HasPrefix(name, "marker."):
		all = append(all, harm{"swapped with an older one", was, old})
	case was != "":
		all = append(all, harm{"swapped with an older one", name, old})
	}
	if len(data) > 20 {
		all = append(all, harm{"20 bytes fewer", name, data[:len(data)-20]})
	}
	for i, at := range records(t, p.now, name, data) {
		bad := bytes.Clone(data)
		bit := at[0] + rng.IntN(at[1]-at[0])
		bad[bit] ^= 1 << rng.IntN(8)
		all = append(all, harm{fmt.Sprintf("place %d: a bit of byte %d flipped", i, bit), name, bad})
		cut := at[0] + rng.IntN(at[1]-at[0])
		all = append(all, harm{fmt.Sprintf("place %d: cut to %d bytes", i, cut), name, bytes.Clone(data[:cut])})
		bad = bytes.Clone(data)
		clear(bad[at[0]:at[1]])
		all = append(all, harm{fmt.Sprintf("place %d: %d bytes of zeros at %d", i, at[1]-at[0], at[0]), name, bad})
		if len(old) > at[0] {
			bad = bytes.Clone(data)
			copy(bad[at[0]:at[1]], old[at[0]:])
			all = append(all, harm{fmt.Sprintf("place %d: %d bytes at %d as they once were", i, at[1]-at[0], at[0]), name, bad})
		}
	}
	return slices.DeleteFunc(all, func(h harm) bool { return h.name == name && bytes.Equal(h.data, data) })
}

// do does a harm to a file of disk.
func (h harm) do(t *testing.T, disk vfs.FS, name string) {
	t.Helper()
	err := disk.Remove("store/" + name)
	if h.name != "" {
		err = errors.Join(err, writeFile(disk, "store", h.name, h.data))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSweep does every harm to the first, the middle and the last record of every file, after the
// process was killed and after an orderly stop: all rows are there, or an error names the file.
// After the file is restored, all rows are there: the store deleted nothing before it had verified
// the files.
func TestSweep(t *testing.T) {
	seed := storetest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 7))
	for _, end := range []string{"killed", "stopped"} {
		if testing.Short() && (seed%2 == 0) == (end == "killed") {
			continue
		}
		t.Run(end, func(t *testing.T) {
			p := livedStore(t, seed, end == "killed")
			names, err := p.now.List("store")
			if err != nil {
				t.Fatal(err)
			}
			told, harmless := map[string]int{}, map[string]int{}
			tables := 0
			for _, name := range names {
				if strings.HasSuffix(name, ".sst") && tables >= storetest.Scale(4) {
					continue // they are all alike, but for those that are not in use any more
				}
				before := told[".sst"]
				for _, h := range p.harms(t, name, rng) {
					if p.sweepOnce(t, name, h) {
						told[kindOfFile(name)]++
					} else {
						harmless[kindOfFile(name)]++
					}
				}
				if told[".sst"] > before {
					tables++
				}
			}
			t.Logf("told of: %v; harmless: %v", told, harmless)
			if told["MANIFEST"] < 5 || told[".sst"] < 5 || told["OPTIONS"] < 5 {
				t.Error("harms were not noticed")
			}
		})
	}
}

// sweepOnce reports whether the store reported a harm.
func (p *past) sweepOnce(t *testing.T, name string, h harm) (told bool) {
	t.Helper()
	disk := copyFS(t, p.now, "store")
	h.do(t, disk, name)
	failed := t.Failed()
	log, err := damagedOnce(t, disk, p.rows)
	if t.Failed() && !failed {
		t.Errorf("%s, %s: that was with it; told: %.300s", name, h.what, log)
	}
	if err == nil {
		return false
	}
	var corrupt *call.CorruptError
	if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), name) && (h.name != "" || !strings.HasPrefix(name, corrupt.File)) {
		t.Errorf("%s, %s: %v; want a CorruptError that names the file", name, h.what, err)
	}
	if h.name != "" {
		_ = disk.Remove("store/" + h.name)
	}
	data, readErr := readFile(p.now, "store/"+name)
	if err := errors.Join(readErr, writeFile(disk, "store", name, data)); err != nil {
		t.Fatal(err)
	}
	s, err := Open("store", testOptions(t, disk))
	if err != nil {
		t.Errorf("%s, %s and put back: %v", name, h.what, err)
		return true
	}
	defer func() { _ = s.Close() }()
	if rows, err := dump(t, s); err != nil || !sameRows(rows, p.rows) {
		t.Errorf("%s, %s and put back: %d of %d rows, %v", name, h.what, len(rows), len(p.rows), err)
	}
	return true
}

// TestManifestTail ends the process at any moment under load and damages the last record of the
// list of tables: an error names it, or everything confirmed is there. Without the watermark,
// Pebble takes that for the torn end of a crash, and deletes the tables that the record names.
func TestManifestTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(storetest.Seed(t), 8))
	told, harmless := 0, 0
	for range storetest.Scale(12) {
		x := &stress{disk: vfs.NewCrashableMem(), rows: storetest.Rows(rng.Uint64(), 300)}
		left := 20
		x.run(t, 1+rng.IntN(4), 40, func() {
			acked := x.told.copy()
			if left == 0 || len(acked) < 5*(20-left) {
				return // they come one after the other
			}
			left--
			clone := x.crash(rng, 100)
			found, err := newest(clone, "store")
			m, there := found[manifestMark]
			if err != nil || !there || verifySeal(clone, "store") == nil {
				return
			}
			name := m.file()
			what := harmLastRecord(t, clone, name, rng)
			s, err := Open("store", testOptions(t, clone))
			if err != nil {
				told++
				saysWhere(t, err, name, "")
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

// harmLastRecord flips a bit of the last record of a list of tables, or cuts off
// its last 20 bytes.
func harmLastRecord(t *testing.T, disk vfs.FS, name string, rng *rand.Rand) (what string) {
	t.Helper()
	data, err := readFile(disk, "store/"+name)
	if err != nil {
		t.Fatal(err)
	}
	places := records(t, disk, name, data)
	last := places[len(places)-1]
	if what = "20 bytes fewer"; rng.IntN(2) == 0 {
		data = data[:max(len(data)-20, 0)]
	} else {
		what = "a bit flipped"
		data[last[0]+rng.IntN(last[1]-last[0])] ^= 1 << rng.IntN(8)
	}
	if err := writeFile(disk, "store", name, data); err != nil {
		t.Fatal(err)
	}
	return what
}
