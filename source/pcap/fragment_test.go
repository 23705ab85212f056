package pcap

import (
	"fmt"
	"slices"
	"testing"
)

// TestFragments sends long datagrams in parts, in every order, with parts that
// are repeated, overlap or belong to others: the messages come out.
func TestFragments(t *testing.T) {
	rng := seed(t)
	for range scale(200) {
		var all [][]byte
		var want []string
		for i := range 5 {
			id := fmt.Sprint(i)
			want = append(want, id)
			p := udp(teams4, sbc4, msg(id, 1000+rng.IntN(3000)))
			if i%2 == 1 {
				p = udp(teams6, sbc6, msg(id, 1000+rng.IntN(3000)))
			}
			all = append(all, parts(p, uint32(100+i), 64+rng.IntN(2000))...)
			all = append(all, parts(p, uint32(100+i), 512)[rng.IntN(3)])
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got, notes := read(file(linkRaw, all...))
		slices.Sort(got)
		if got = slices.Compact(got); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q, want %q; notes %q", got, want, notes)
		}
	}
}

// TestFirstFragment checks that the decoder reads the first part of a datagram without the others,
// as captures with the filter "port 5060" have it, and notes that.
func TestFirstFragment(t *testing.T) {
	for _, p := range [][]byte{udp(teams4, sbc4, msg("a", 3000)), udp(teams6, sbc6, msg("a", 3000))} {
		got, notes := read(file(linkRaw, parts(p, 7, 1480)[0], udp(teams4, sbc4, msg("b", 0))))
		if fmt.Sprint(got) != "[b a]" || len(notes) != 1 {
			t.Errorf("%q, notes %q", got, notes)
		}
		got, notes = read(file(linkRaw, parts(p, 7, 1480)[1]))
		if len(got) != 0 || len(notes) != 2 {
			t.Errorf("the second part alone: %q, notes %q", got, notes)
		}
	}
}
