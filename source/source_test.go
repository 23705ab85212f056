package source

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

func TestOpen(t *testing.T) {
	name, s, err := Open("sbc1=hep+tcp://127.0.0.1:0?tenant=contoso&trunk=sbc1.contoso.com&microsoft=10.0.0.1", Options{})
	if err != nil || name != "sbc1" || s.Tenant() != "contoso" || s.Trunk() != "sbc1.contoso.com" || len(s.Microsoft()) != 1 || s.Authenticated() {
		t.Errorf("%s, %+v, %v", name, s, err)
	}
	for _, c := range []struct{ spec, says string }{
		{"hep+tcp://:9060", "NAME=URL is needed"},
		{"=hep+tcp://:9060", "NAME=URL is needed"},
		{"SBC 1=hep+tcp://:9060", "NAME=URL is needed"},
		{"sbc1=%zz://", "no URL"},
		{"sbc1=syslog://:514", `unknown kind "syslog"`},
		{"sbc1=hep+tcp://:9060?tennant=x", "unknown parameter"},
		{"hep+tcp://:9060?auth=secret", "NAME=URL is needed"},
	} {
		_, _, err := Open(c.spec, Options{})
		if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want an error that says %q", c.spec, err, c.says)
		}
	}
}

// Each kind of recording that is listed can be read, and no other.
func TestRecording(t *testing.T) {
	for _, kind := range Recordings() {
		d, ok := Recording(kind, time.Now, nil)
		if !ok {
			t.Fatalf("%s is listed and cannot be read", kind)
		}
		for range d(strings.NewReader("")) {
			t.Errorf("%s: an empty recording has events", kind)
		}
	}
	if _, ok := Recording("graph", time.Now, nil); ok {
		t.Error("what is no recording can be read as one")
	}
}

// A recording is told by its first bytes: HEP, both orders of bytes of pcap in each
// form, pcapng, and captures of programs that are refused with what converts them.
func TestLooksRecorded(t *testing.T) {
	for head, want := range map[string]string{
		"HEP3\x00\x20":             "hep",
		"\xa1\xb2\xc3\xd4\x00\x02": "pcap", "\xd4\xc3\xb2\xa1\x02\x00": "pcap",
		"\xa1\xb2\x3c\x4d": "pcap", "\x4d\x3c\xb2\xa1": "pcap", "\xa1\xb2\xcd\x34": "pcap", "\x34\xcd\xb2\xa1": "pcap",
		"\x0a\x0d\x0d\x0a\x1c\x00": "pcap", "snoop\x00": "pcap", "RTSS": "pcap",
		"": "", "HEP": "", "HEP2": "", "\xa1\xb2\xc3": "", "\xa1\xb2\xc3\xd5": "", "{\"value\":[]}": "", "\r\n\r\n": "", "\x16\x03\x01": "",
	} {
		kind, ok := LooksRecorded([]byte(head))
		if kind != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", head, kind, ok)
		}
	}
}
