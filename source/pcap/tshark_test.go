package pcap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// program returns a program of Wireshark's, without which nothing else shows that
// captures are read right.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing", name)
	}
	return path
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, name), args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, &stderr)
	}
	return out
}

// byTshark returns what tshark finds in a file: the Call-IDs, sorted, those of
// UDP with their times.
func byTshark(t *testing.T, name string) (all []string) {
	t.Helper()
	out := run(t, "tshark", "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-r", name, "-Y", "sip", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;", "-e", "tcp.srcport", "-e", "frame.time_epoch", "-e", "sip.Call-ID")
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		for id := range strings.SplitSeq(f[2], ";") {
			if f[0] == "" {
				id += " " + f[1]
			}
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// byUs returns the same of our own reading.
func byUs(t *testing.T, name string) (all []string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range Decoder(nil, nil)(bytes.NewReader(b)) {
		if err != nil {
			t.Fatal(err)
		}
		id := e.Call
		if e.Signal.Transport == "udp" {
			id += fmt.Sprintf(" %d.%09d", e.Signal.At.Unix(), e.Signal.At.Nanosecond())
		}
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

// traffic returns packets of SIP as a network may have them, from ports that
// begin with the given one.
func traffic(rng *rand.Rand, port uint16) (packets [][]byte) {
	on := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 5060) }
	for i := range 40 {
		src, dst := teams4, on(sbc4)
		if i%3 == 0 {
			src, dst = teams6, on(sbc6)
		}
		src = netip.AddrPortFrom(src.Addr(), port+uint16(i))
		id := fmt.Sprint("call-", port, "-", i)
		switch p := udp(src, dst, msg(id, rng.IntN(3000))); rng.IntN(4) {
		case 0:
			packets = append(packets, parts(p, uint32(port)+uint32(i), 1480)...)
		case 1:
			packets = append(packets, p)
		default:
			b := join(msg(id, rng.IntN(3000)), msg(id+"-2", rng.IntN(200)))
			seq := rng.Uint32()
			segments := cut(rng, src, dst, seq, b, 1460)
			if n := len(segments); n > 2 {
				k := 1 + rng.IntN(n-2)
				segments[k], segments[k+1] = segments[k+1], segments[k]
				segments = append(segments[:k:k], append([][]byte{segments[rng.IntN(k)]}, segments[k:]...)...)
			}
			packets = append(packets, tcp(src, dst, seq-1, flagSYN, nil))
			packets = append(packets, segments...)
		}
	}
	return packets
}

// TestTshark compares what is read with what tshark reads, in captures of many
// kinds that Wireshark's own programs have converted, cut and merged.
func TestTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("short: tshark starts for each of many captures")
	}
	rng := seed(t)
	dir := t.TempDir()
	n := 0
	check := func(what, name string, least int) {
		t.Helper()
		n++
		want, got := byTshark(t, name), byUs(t, name)
		if len(want) < least || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: %d messages, tshark has %d:\n%s\nwant\n%s", what, len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	write := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	each := func(packets [][]byte, wrap func([]byte) []byte) (all [][]byte) {
		for _, p := range packets {
			all = append(all, wrap(p))
		}
		return all
	}
	packets := traffic(rng, 20000)
	tagged := func(b []byte) []byte { return ether(b, 100) }
	plain := write("plain.pcap", file(linkEthernet, each(packets, func(b []byte) []byte { return ether(b) })...))
	check("ethernet", plain, 40)
	check("VLAN", write("vlan.pcap", file(linkEthernet, each(packets, tagged)...)), 40)
	check("raw", write("raw.pcap", file(linkRaw, packets...)), 40)
	cooked := write("sll.pcap", file(linkSLL, each(packets, sll)...))
	check("cooked", cooked, 40)
	check("ERSPAN", write("erspan.pcap", file(linkRaw, each(packets, func(b []byte) []byte {
		return gre(0x88be, 0x1000, 4, append([]byte{0x10, 1, 0, 0, 0, 0, 0, 0}, ether(b)...))
	})...)), 40)
	for _, form := range []string{"pcapng", "nsecpcap", "modpcap"} {
		name := filepath.Join(dir, form)
		run(t, "editcap", "-F", form, plain, name)
		check(form, name, 40)
	}
	merged := filepath.Join(dir, "merged.pcapng")
	other := write("other.pcap", file(linkSLL, each(traffic(rng, 30000), sll)...))
	run(t, "mergecap", "-w", merged, plain, other) // two interfaces of two link types
	check("merged", merged, 80)
	shifted := filepath.Join(dir, "shifted.pcapng")
	run(t, "editcap", "-t", "0.123456789", "-F", "pcapng", filepath.Join(dir, "nsecpcap"), shifted)
	check("nanoseconds of pcapng", shifted, 40)
	if n < 10 {
		t.Errorf("%d captures were compared", n)
	}
}
