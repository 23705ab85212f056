package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// recordings are what was saved of the lab by -update, in some of the ways in
// which calls are made: the facts, and the packets one after another. clock is one
// call of an older recording, which does not come again by itself: Kamailio stamped
// an INVITE a millisecond later than the answer to it.
var recordings = []string{"udp", "tcp", "tls", "tls-rport", "b2bua", "b2bua-tls-rport", "sipp-tls", "baresip-tls", "clock"}

// exact is how far the clocks of Kamailio and of SIPp are apart in a recording.
const exact = 20 * time.Millisecond

func saved(name string) (factsFile, packetsFile string) {
	return filepath.Join("testdata", name+".facts.jsonl"), filepath.Join("testdata", name+".hep")
}

// TestRecordings imports what was recorded, in many orders: the rows are the
// same, and what they must be. It needs neither Kamailio nor SIPp.
func TestRecordings(t *testing.T) {
	for i, name := range recordings {
		if testing.Short() && i%3 != 0 && !*kit.Update {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, w := range ways {
				if w.name == name && *kit.Update {
					w.run, w.seed, w.slowly = 1, name, true
					saveRecording(t, name, w.config)
				}
			}
			factsFile, packetsFile := saved(name)
			f, err := os.ReadFile(factsFile)
			if err != nil {
				t.Fatal(err)
			}
			all, err := readFacts(bytes.NewReader(f))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(packetsFile)
			if err != nil {
				t.Fatal(err)
			}
			packets, err := splitPackets(b)
			if err != nil {
				t.Fatal(err)
			}
			// A call that has no end is given up two refreshes of its session
			// later, so that the recording must be a fresh one.
			makeFresh(all, packets, time.Now())
			for order, packets := range orders(t, packets) {
				t.Run(order, func(t *testing.T) {
					t.Parallel()
					tl := newTestTrunklog(t)
					file := filepath.Join(t.TempDir(), "packets.hep")
					if err := os.WriteFile(file, bytes.Join(packets, nil), 0o600); err != nil {
						t.Fatal(err)
					}
					// Twice: what is known already changes nothing.
					for range 2 {
						if _, err := tl.Do(t.Context(), "import", "hep", "--tenant", "contoso", file); err != nil {
							t.Fatal(err)
						}
					}
					checkCalls(t, tl, all, exact)
				})
			}
		})
	}
}

// makeFresh moves the times of a recording, by whole seconds, so that it ends a
// moment before now.
func makeFresh(all []facts, packets [][]byte, now time.Time) {
	var last time.Time
	for _, f := range all {
		for _, at := range f.Times {
			if at.After(last) {
				last = at
			}
		}
	}
	by := now.Sub(last).Truncate(time.Second) - 10*time.Second
	for _, f := range all {
		for name, at := range f.Times {
			f.Times[name] = at.Add(by)
		}
	}
	for _, p := range packets {
		moveTime(p, uint32(by/time.Second))
	}
}

// moveTime adds to the seconds of a HEP packet's time (chunk 9 of vendor 0).
func moveTime(packet []byte, seconds uint32) {
	for at := 6; at+6 <= len(packet); at += max(6, int(binary.BigEndian.Uint16(packet[at+4:]))) {
		if value := packet[at+6:]; binary.BigEndian.Uint32(packet[at:]) == 9 && len(value) >= 4 {
			binary.BigEndian.PutUint32(value, binary.BigEndian.Uint32(value)+seconds)
		}
	}
}

// orders returns the packets in several orders; in a hurry, in the worst of them.
func orders(t *testing.T, packets [][]byte) map[string][][]byte {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	reversed := slices.Clone(packets)
	slices.Reverse(reversed)
	shuffled := slices.Concat(packets, packets)
	rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	all := map[string][][]byte{"doubled and shuffled": shuffled}
	if !testing.Short() {
		all["as it came"], all["backwards"] = packets, reversed
	}
	return all
}

// saveRecording makes the calls and saves what was mirrored.
func saveRecording(t *testing.T, name string, c config) {
	t.Helper()
	needPrograms(t)
	all, packets, err := record(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(packets) < 10*len(all) {
		t.Fatalf("only %d packets of %d calls were mirrored", len(packets), len(all))
	}
	var f bytes.Buffer
	if err := writeFacts(&f, all); err != nil {
		t.Fatal(err)
	}
	factsFile, packetsFile := saved(name)
	if err := os.WriteFile(factsFile, f.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packetsFile, bytes.Join(packets, nil), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPackets sees that packets are told apart, and that what is none is
// refused.
func TestPackets(t *testing.T) {
	one, two := []byte("HEP3\x00\x07a"), []byte("HEP3\x00\x06")
	all, err := splitPackets(slices.Concat(one, two, one))
	if err != nil || fmt.Sprint(all) != fmt.Sprint([][]byte{one, two, one}) {
		t.Errorf("packets are %q, %v", all, err)
	}
	for _, bad := range []string{"HEP", "HEP3\x00\x07", "HEP2\x00\x06", "HEP3\x00\x05", "HEP3\x00\x06HEP3"} {
		if _, err := splitPackets([]byte(bad)); err == nil {
			t.Errorf("%q is taken for packets", bad)
		}
	}
}
