package hep

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/sip"
)

// withBody returns a message with the given body, and its length in Content-Length.
func withBody(id, body string) string {
	return strings.Replace(message(id), "\r\n\r\n", "\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body, 1)
}

// TestFurtherMessages sends several messages in one payload, as agents do that take a TCP segment
// for one message.
func TestFurtherMessages(t *testing.T) {
	sdp := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
	bad := strings.Replace(withBody("bad", ""), "CSeq: 1 BYE", "CSeq: x", 1)
	for _, test := range []struct {
		name, payload string
		want          string // the Call-IDs
		refused       string
		further       uint64
	}{
		{"one", withBody("a", sdp), "a", "", 0},
		{"two", withBody("a", sdp) + withBody("b", ""), "a b", "", 1},
		{"three, with keep-alives and line feeds", "\r\n" + withBody("a", "") + "\r\n\r\n" + strings.ReplaceAll(withBody("b", "xy"), "\r", "") + withBody("c", sdp), "a b c", "", 2},
		{"compact and twice", strings.Replace(withBody("a", sdp), "Content-Length", "l ", 1) + withBody("b", "") + withBody("b", ""), "a b", "", 2},
		{"the second is bad", withBody("a", "") + bad + withBody("c", ""), "a c", "sip-cseq 1", 2},
		{"the first is bad", bad + withBody("b", ""), "b", "sip-cseq 1", 1},
		{"the second is cut in front of its ids", withBody("a", sdp) + "BYE sip:b SIP/2.0\r\nVia: SIP/2.0/TC", "a", "sip-cut 1", 1},
		{"no length", message("a") + message("b"), "a", "", 0},
		{"a length beyond the end", strings.Replace(withBody("a", sdp), "Content-Length: ", "Content-Length: 9", 1) + withBody("b", ""), "a", "", 0},
		{"something else behind it", withBody("a", sdp) + "v=0\r\nGET / HTTP/1.1\r\n", "a", "", 0},
		{"a message within a body", withBody("a", message("b")), "a", "", 0},
	} {
		for _, u := range bothNetworks[:2] {
			r := run(t, u, newRecorder())
			r.send(r.dial(), draft{at: benchTime, payload: test.payload}.bytes())
			want := strings.Fields(test.want)
			r.until(test.name, func(s Stats) bool { return s.Packets == 1 && s.Messages+sum(s.Refused) == 1+test.further })
			s := r.Stats()
			if got := r.sink.ids(); !slices.Equal(got, want) || r.refused() != test.refused || s.Further != test.further {
				t.Errorf("%s by %s: %q, refused %q, %d further; want %q, %q, %d", test.name, u, got, r.refused(), s.Further, want, test.refused, test.further)
			}
			for id, raw := range r.sink.raws {
				if !strings.Contains(raw, "Call-ID: "+id+"\r") && !strings.Contains(raw, "Call-ID: "+id+"\n") || strings.Count(raw, "Call-ID") != 1 {
					t.Errorf("%s: kept %q of %s", test.name, raw, id)
				}
			}
		}
		var ids []string
		for e, err := range Decoder(nil)(bytes.NewReader(draft{at: benchTime, payload: test.payload}.bytes())) {
			if err == nil && !slices.Contains(ids, e.Call) {
				ids = append(ids, e.Call)
			}
		}
		if got := strings.Join(ids, " "); got != test.want {
			t.Errorf("%s from a file: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestUnread checks that the source takes a message with an unreadable part, and counts and shows
// it.
func TestUnread(t *testing.T) {
	for change, want := range map[string]Cause{
		"From: <sip:1@a>|From: nobody":                SIPFrom,
		"To: <sip:2@b>|To: <>":                        SIPTo,
		"CSeq:|To: <sip:3@c>\r\nCSeq:":                SIPTwice,
		"\r\n\r\n|\r\nContact":                        SIPCut,
		"CSeq:|Contact: nobody\r\nCSeq:":              SIPUnread,
		"CSeq:|Contact: *\r\nX-Anything: \"\r\nCSeq:": 0,
	} {
		old, replacement, _ := strings.Cut(change, "|")
		r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
		r.send(r.dial(), draft{at: benchTime, payload: strings.Replace(bye, old, replacement, 1)}.bytes())
		r.messages(1)
		s := r.Stats()
		for c := range s.Unread {
			if got, want := s.Unread[c], Cause(c) == want && c != 0; (got == 1) != want || got > 1 {
				t.Errorf("%q: %v is counted %d times", replacement, Cause(c), got)
			}
			if s.Unread[c] > 0 && !Cause(c).Partial() {
				t.Errorf("%v is never unread", Cause(c))
			}
		}
		r.mu.Lock()
		if n := len(r.rejects[want.String()]); want != 0 && n != 1 {
			t.Errorf("%q: %d samples", replacement, n)
		}
		r.mu.Unlock()
	}
}

// TestNextIsLinear checks that sip.Next finds each of many messages in one payload.
func TestNextIsLinear(t *testing.T) {
	n := 0
	for msg := []byte(strings.Repeat(withBody("a", ""), 500)); msg != nil; msg = sip.Next(msg) {
		n++
	}
	if n != 500 {
		t.Errorf("%d messages", n)
	}
}

// TestAbout checks that a source tells its address, its tenant and trunk, and when it last
// understood a message.
func TestAbout(t *testing.T) {
	r := run(t, "hep+udp://127.0.0.1:0?tenant=contoso&trunk=sbc1.contoso.com&microsoft=10.0.0.1", newRecorder())
	before := r.About()
	if before.Kind != "hep+udp" || before.Address != r.Addr().String() || before.Tenant != "contoso" || before.Trunk != "sbc1.contoso.com" ||
		len(before.Microsoft) != 1 || before.Authenticated || !before.Seen.IsZero() {
		t.Errorf("%+v", before)
	}
	c := r.dial()
	r.send(c, []byte("HEP3, and nothing behind it"))
	r.until("a refusal", func(s Stats) bool { return s.Packets == 1 })
	if got := r.About().Seen; !got.IsZero() {
		t.Errorf("what was not understood was seen at %v", got)
	}
	r.send(c, packet("a"))
	r.until("a message that was seen", func(s Stats) bool { return s.Messages == 1 && r.About().Seen.Equal(benchTime) })
}
