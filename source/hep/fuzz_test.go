package hep

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

// FuzzPacket gives any bytes to Decode and all that follows it, and checks that a packet is read
// the same alone and in a file.
func FuzzPacket(f *testing.F) {
	for _, file := range packets(f).Files {
		if !strings.HasSuffix(file.Name, ".want") {
			f.Add(unhex(f, string(file.Data)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		if err := p.Decode(b); err != nil && p.decode(b).Error() != err.Error() {
			t.Errorf("%v the first time", err)
		}
		var o opener
		var s call.Signal
		msg, cause := o.open(bytes.Clone(b), &s)
		if cause >= numCauses || len(msg) > maxInflated {
			t.Errorf("cause %d, message of %d bytes", int(cause), len(msg))
		}
		if n := len(sample(netip.AddrPort{}, b, msg)); n > maxSample {
			t.Errorf("a sample of %d bytes", n)
		}
		read, failed := 0, false
		for e, err := range Decoder(nil)(bytes.NewReader(b)) {
			switch {
			case err != nil:
				failed = true
			case cause == 0 && siptest.Dump(e.Signal) != siptest.Dump(&s):
				t.Errorf("read from a file:\n%swant:\n%s", siptest.Dump(e.Signal), siptest.Dump(&s))
			default:
				siptest.Check(t, e.Signal)
				read++
			}
		}
		if cause == 0 && !s.At.IsZero() && (read != 1 || failed) {
			t.Errorf("%d messages read from a file that holds one", read)
		}
	})
}
