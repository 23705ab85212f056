package hep

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// texts returns all texts of s, in one order.
func texts(s *call.Signal) []string {
	out := []string{s.Method, s.Phrase, s.CallID, s.FromTag, s.ToTag, s.CSeqMethod, s.SessionID, s.UserAgent, s.Reason, s.ReferredBy, s.HistoryInfo, s.ReferTo, s.MediaPath}
	for _, a := range []call.Address{s.URI, s.From, s.To, s.Contact, s.Asserted} {
		out = append(out, a.Name, a.User, a.Host, a.Params)
	}
	return out
}

// checkSignal checks what must be true of whatever Scan accepts.
func checkSignal(t *testing.T, s *call.Signal) {
	t.Helper()
	switch {
	case s.CallID == "" || len(s.CallID) > call.MaxText:
		t.Errorf("Call-ID of %d bytes", len(s.CallID))
	case (s.Method == "") == (s.Code == 0):
		t.Errorf("method %q and code %d", s.Method, s.Code)
	case s.Code != 0 && (s.Code < 100 || s.Code > 699):
		t.Errorf("code %d", s.Code)
	case s.CSeqMethod == "" || s.Method != "" && s.CSeqMethod != s.Method:
		t.Errorf("CSeq of %q in a %q", s.CSeqMethod, s.Method)
	case s.SessionID != "" && len(s.SessionID) != 32:
		t.Errorf("Session-ID %q", s.SessionID)
	case s.SessionExpires < 0:
		t.Errorf("Session-Expires %d", s.SessionExpires)
	}
	for _, x := range texts(s) {
		if strings.ContainsAny(x, "\n") {
			t.Errorf("%q goes over the end of a line", x)
		}
	}
}

var bareCR = regexp.MustCompile(`\r[^\n]`)

// FuzzScan gives bytes of all kinds to Scan and Strip, and checks that reading a
// message again, or what is kept of it, or with white space around its headers,
// gives the same.
func FuzzScan(f *testing.F) {
	for _, msg := range allMessages(f) {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		msg := bytes.Clone(input)
		var s call.Signal
		s.Agent = 7
		cause := scan(msg, &s)
		if s.Agent != 7 {
			t.Error("the agent was forgotten")
		}
		if n := len(msg); n != len(input) {
			t.Errorf("%d bytes became %d", len(input), n)
		}
		kept := Strip(nil, input)
		if again := Strip(nil, kept); !bytes.Equal(kept, again) {
			t.Errorf("kept %q, and of that %q", kept, again)
		}
		if cause != 0 {
			return
		}
		checkSignal(t, &s)
		want := dump(&s)
		others := [][]byte{msg, bytes.Clone(input)}
		if !bareCR.Match(input) { // what stands behind one is not kept
			others = append(others, kept)
		}
		for _, other := range others {
			var again call.Signal
			again.Agent = 7
			if cause := scan(other, &again); cause != 0 || dump(&again) != want {
				t.Errorf("%q: %v\n%swant:\n%s", other, cause, dump(&again), want)
			}
		}
	})
}

// FuzzPacket gives bytes of all kinds to Decode and all that follows, and checks
// that a packet is read the same whether it comes alone or in a file.
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
			case cause == 0 && dump(e.Signal) != dump(&s):
				t.Errorf("read from a file:\n%swant:\n%s", dump(e.Signal), dump(&s))
			default:
				checkSignal(t, e.Signal)
				read++
			}
		}
		if cause == 0 && !s.At.IsZero() && (read != 1 || failed) {
			t.Errorf("%d messages read from a file that holds one", read)
		}
	})
}
