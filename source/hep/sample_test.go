package hep

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// What a sample must not contain.
const (
	mediaKey   = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	digest     = "6629fae49393a05397450978507c4ef1"
	agentKey   = "Xk7-agent-9qPz"
	uriSecret  = "Vw3-uri-password"
	iceSecret  = "Jj8-ice-password"
	foldSecret = "Qd5-folded-digest"
)

// secretForms are the parts of secrets, as they are and in hexadecimal.
var secretForms = func() (forms [][]byte) {
	const part = 7
	for _, secret := range []string{mediaKey, digest, agentKey, uriSecret, iceSecret, foldSecret} {
		for i := range len(secret) - part {
			b := []byte(secret[i : i+part])
			forms = append(forms, b, []byte(hex.EncodeToString(b)), fmt.Appendf(nil, "% x", b))
		}
	}
	return forms
}()

// secretMessage returns an INVITE with all secrets but the agent's key.
func secretMessage() string {
	return strings.ReplaceAll(`INVITE sip:+4930111@sbc1.contoso.com SIP/2.0
Via: SIP/2.0/TLS 52.114.76.76:5061;branch=z9hG4bKx
From: "Ann" <sip:+4420222:`+uriSecret+`@sip.pstnhub.microsoft.com>;tag=1
To: <sip:+4930111@sbc1.contoso.com>
Call-ID: q1
CSeq: 1 INVITE
Authorization: Digest username="sbc", response="`+digest+`"
PROXY-AUTHORIZATION : Digest username="sbc",
 response="`+foldSecret+`"
X-Media: inline:`+mediaKey+`
Contact: <sip:a@b?Authorization=`+digest+`&body=a%3Dcrypto%3A`+mediaKey+`>
Content-Type: application/sdp
Content-Length: 200

v=0
m=audio 49152 RTP/SAVP 8
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:`+mediaKey+`|2^20
a=ice-pwd:`+iceSecret+`
`, "\n", "\r\n")
}

// checkSample checks that a sample is text without any secret, or most of one, as it is or in
// hexadecimal.
func checkSample(t *testing.T, name string, got []byte) {
	t.Helper()
	for _, form := range secretForms {
		if bytes.Contains(got, form) {
			t.Fatalf("%s: the sample tells %q:\n%s", name, form, got)
		}
	}
	if len(got) == 0 || len(got) > maxSample {
		t.Errorf("%s: a sample of %d bytes", name, len(got))
	}
}

// badPackets returns unusable packets of all kinds, by their causes. Each holds all secrets. Their
// receiver wants the auth key "right".
func badPackets(t testing.TB) map[string][][]byte {
	msg := secretMessage()
	sip := func(old, with string) []byte {
		if !strings.Contains(msg, old) {
			t.Fatalf("no %q in the message", old)
		}
		return draft{at: benchTime, key: "right", payload: strings.Replace(msg, old, with, 1)}.bytes()
	}
	right := draft{at: benchTime, src: "52.114.76.76:5061", dst: "203.0.113.10:5061", key: "right", payload: msg}
	change := func(f func(d *draft)) []byte {
		d := right
		d.key = agentKey
		f(&d)
		return d.bytes()
	}
	broken := func(f func(b []byte) []byte) []byte { return f(change(func(*draft) {})) }
	wrapped, err := json.Marshal(map[string]string{"payload": msg, "key": agentKey})
	if err != nil {
		t.Fatal(err)
	}
	other, err := json.Marshal(map[string]string{"log": "a line\r\n" + msg, "key": agentKey})
	if err != nil {
		t.Fatal(err)
	}
	v1 := append([]byte{1, 16, 2, 17, 0x13, 0xc4, 0x13, 0xc4, 10, 0, 0, 65, 10, 0, 0, 66}, msg...)
	v2 := append([]byte{2, 28, 2, 17, 0x13, 0xc4, 0x13, 0xc4, 10, 0, 0, 65, 10, 0, 0, 66, 1, 2, 3, 4, 1, 2, 3, 4, 0xd1, 7, 0, 0}, msg...)
	compressed := zlibbed(msg)
	return map[string][][]byte{
		"short": {[]byte("HEP3"), {}},
		"magic": {
			[]byte(msg), []byte(msg[10:]), []byte(strings.SplitN(msg, "\r\n\r\n", 2)[1]), []byte(mediaKey + "\r\na=x\r\n"), []byte(agentKey + agentKey),
			wrapped, []byte(strings.ReplaceAll(msg, "\r\n", "\n")), []byte(strings.ReplaceAll(msg, "\r\n", "\r")),
			[]byte("GET /?key=" + digest + " HTTP/1.1\r\nAuthorization: " + digest + "\r\n\r\n"), []byte("\x16\x03\x01" + mediaKey),
			[]byte(base64.StdEncoding.EncodeToString([]byte(msg))), append([]byte{0xff, 0}, msg...), []byte(compressed),
		},
		"version": {v1, v2, broken(func(b []byte) []byte { b[3] = '2'; return b })},
		"length": {
			broken(func(b []byte) []byte { return append(b, mediaKey...) }), broken(func(b []byte) []byte { return b[:len(b)-5] }),
			broken(func(b []byte) []byte { b[4], b[5] = 0, 0; return b }), broken(func(b []byte) []byte { return b[:len(b)-300] }),
		},
		"chunk-zero":    {change(func(d *draft) { d.extra = append([]byte{0, 0, 0, 13, 0, 0}, mediaKey...) }), broken(func(b []byte) []byte { b[11] = 0; return b })},
		"chunk-overrun": {change(func(d *draft) { d.extra = append([]byte{0, 0, 0, 14, 0, 99}, agentKey...) })},
		"chunk-size":    {broken(func(b []byte) []byte { b[11] = 8; return b }), change(func(d *draft) { d.extra = append([]byte{0, 0, 0, 3, 0, byte(6 + len(agentKey))}, agentKey...) })},
		"auth": {
			change(func(*draft) {}), change(func(d *draft) { d.packed, d.payload = true, compressed }), change(func(d *draft) { d.payload = string(wrapped) }),
			change(func(d *draft) { d.payload = string(other) }), change(func(d *draft) { d.payload = msg[20:] }), change(func(d *draft) { d.kind = 100 }),
			change(func(d *draft) { d.payload = strings.ReplaceAll(msg, "\r\n", "\\r\\n") + "\r\n" }), change(func(d *draft) { d.payload = strings.ReplaceAll(msg, "\r\n", "\r") }),
			change(func(d *draft) { d.extra = append([]byte{0, 99, 0, 14, 0, byte(6 + len(agentKey))}, agentKey...) }),
		},
		"compression":    {draft{key: "right", packed: true, payload: msg}.bytes(), draft{key: "right", packed: true, payload: compressed[:len(compressed)-9]}.bytes()},
		"inflated":       {draft{key: "right", packed: true, payload: zlibbed(msg + strings.Repeat(" ", maxInflated))}.bytes()},
		"json":           {draft{key: "right", payload: string(other)}.bytes(), draft{key: "right", payload: "{" + msg}.bytes()},
		"payload":        {draft{key: "right", extra: append([]byte{0, 1, 0, 14, 0, byte(6 + len(agentKey))}, agentKey...)}.bytes()},
		"sip-empty":      {draft{key: "right", payload: "\r\n\r\n"}.bytes()},
		"sip-first-line": {sip("INVITE sip:+4930111@sbc1.contoso.com SIP/2.0", mediaKey+" inline:"+mediaKey), draft{key: "right", payload: strings.SplitN(msg, "\r\n\r\n", 2)[1]}.bytes()},
		"sip-version":    {sip("SIP/2.0", "SIP/3.0")},
		"sip-cut":        {draft{key: "right", payload: msg[:strings.Index(msg, "\r\nX-Media")]}.bytes(), draft{key: "right", payload: msg[:strings.Index(msg, digest)+len(digest)]}.bytes()},
		"sip-call-id":    {sip("Call-ID: q1\r\n", ""), sip("Call-ID: q1\r\n", "Call-ID: "+strings.Repeat("x", 2000)+mediaKey+"\r\n")},
		"sip-cseq":       {sip("CSeq: 1 INVITE", "CSeq: x INVITE"), sip("CSeq: 1 INVITE\r\n", "CSeq: 1 BYE\r\n\ta=crypto:"+mediaKey+"\r\n")},
		"sip-from":       {sip("From: \"Ann\" ", "From: Authorization: Digest "+digest+"\x00"), sip("From: \"Ann\" <", "From: <tel:")},
		"sip-to":         {sip("To: <sip:+4930111@sbc1.contoso.com>", "To: a=crypto:1 inline:"+mediaKey), sip("To:", "k=clear:"+mediaKey+"\r\nTo2:")},
		"sip-twice":      {sip("CSeq:", "Call-ID: twice\r\nCSeq:")},
		"sip-unread":     {sip("sip:+4930111@sbc1.contoso.com SIP", "a=crypto:1 inline:"+mediaKey+" SIP"), sip("Contact: <sip:a@b?", "Contact: a=crypto:1 inline:"+mediaKey+"?")},
	}
}

// TestSampleTellsNoSecret checks the sample of each bad packet, and that the packet has its cause.
func TestSampleTellsNoSecret(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.7:40000")
	bad := badPackets(t)
	for cause, packets := range bad {
		for i, b := range packets {
			name := fmt.Sprint(cause, " ", i)
			o := opener{key: []byte("right")}
			if strings.HasPrefix(cause, "chunk") || cause == "length" {
				o.key = nil
			}
			msg, got := o.refused(b)
			if got.String() != cause && !(cause == "sip-from" || cause == "sip-to") {
				t.Errorf("%s: the cause is %v", name, got)
			}
			s := sample(from, b, msg)
			checkSample(t, name, s)
			if !bytes.HasPrefix(s, fmt.Appendf(nil, "from 192.0.2.7:40000: %d bytes", len(b))) {
				t.Errorf("%s: the sample does not tell who sent what:\n%s", name, s)
			}
			// As in a file, and as after a sender that stopped in the middle.
			for n := 0; n < len(b); n += 17 {
				checkSample(t, name, sample(netip.AddrPort{}, b[:n], nil))
				checkSample(t, name, sample(netip.AddrPort{}, b[n:], nil))
			}
		}
	}
	for _, c := range Causes() {
		switch c {
		case PayloadType: // has no sample
		case Time, Overflow, Stall, Cut, Stopped: // causes of packets that may be good
		default:
			if bad[c.String()] == nil {
				t.Errorf("no packet of the cause %v", c)
			}
		}
	}
}

// TestSampleOfNoise checks samples of packets in which some bytes are changed or missing.
func TestSampleOfNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var all [][]byte
	for _, packets := range badPackets(t) {
		all = append(all, packets...)
	}
	for i := range scale(3_000) {
		b := bytes.Clone(all[i%len(all)])
		for range min(1+r.IntN(2), len(b)) {
			switch at := r.IntN(len(b)); r.IntN(3) {
			case 0:
				b[at] = byte(r.Uint32())
			case 1:
				b = b[at:]
			default:
				b = append(b[:at], b[at+1:]...)
			}
			if len(b) == 0 {
				break
			}
		}
		if bytes.Contains(b, []byte("-uri-password")) && !bytes.Contains(b, []byte(":Vw3-uri-password")) {
			continue // the text has become part of a header's name
		}
		msg, _ := (&opener{}).refused(b)
		checkSample(t, fmt.Sprintf("%q", b), sample(netip.AddrPort{}, b, msg))
	}
}

// refused returns the message in b if it is readable, and the cause of a packet or message that is
// refused or has an unreadable part.
func (o *opener) refused(b []byte) ([]byte, Cause) {
	msg, cause := o.open(bytes.Clone(b), new(call.Signal))
	return msg, cmp.Or(cause, o.unread)
}

// TestSampleIsOfUse checks that samples tell an operator enough.
func TestSampleIsOfUse(t *testing.T) {
	from := netip.MustParseAddrPort("[::ffff:192.0.2.7]:40000")
	bad := badPackets(t)
	headers := `Via: SIP/2.0/TLS 52.114.76.76:5061;branch=z9hG4bKx
From: "Ann" <sip:+4420222:…
To: <sip:+4930111@sbc1.contoso.com>
Call-ID: q1
CSeq: 1 INVITE
Authorization: …
PROXY-AUTHORIZATION: … …
X-Media: …
Contact: <sip:a@b…
Content-Type: application/sdp
Content-Length: 200
… (148 bytes)
`
	message := "INVITE sip:+4930111@sbc1.contoso.com SIP/2.0\n" + headers
	for _, test := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a wrong key", bad["auth"][0], `, HEP3 of %d, agent 2001, 52.114.76.76:5061 > 203.0.113.10:5061, ` + benchTime.Format(time.RFC3339) + `, payload type 1
chunks: 0x1 (1), 0x2 (1), 0x3 (4), 0x7 (2), 0x4 (4), 0x8 (2), 0x9 (4), 0xa (4), 0xb (1), 0xc (4), 0xe (auth key), 0xf (787)
` + message},
		{"a wrong key, in JSON", bad["auth"][2], message},
		{"HEP version 1", bad["version"][0], ", sends HEP version 1: set it to 3, as hep=3 does in FreeSWITCH\n" + message},
		{"HEP version 2", bad["version"][1], ", sends HEP version 2: set it to 3, as hep=3 does in FreeSWITCH\n" + message},
		{"no HEP", bad["magic"][0], ", begins with .. .. .. .. .. .. .. .. (.. is text)\n" + message},
		{"TLS", bad["magic"][9], ", begins with 16 03 01 .. .. .. .. .. (.. is text)\n"},
		{"HTTP", bad["magic"][8], ", a request by HTTP\n"},
		{"no first line", bad["sip-first-line"][0], "\n… (88 bytes that are no first line of SIP)\n" + headers},
	} {
		msg, _ := (&opener{key: []byte("right")}).refused(test.b)
		got := string(sample(from, test.b, msg))
		want := test.want
		if strings.Contains(want, "%d") {
			want = fmt.Sprintf(want, len(test.b))
		}
		if !strings.HasPrefix(got, fmt.Sprintf("from 192.0.2.7:40000: %d bytes", len(test.b))) || !strings.HasSuffix(got, want) {
			t.Errorf("%s:\n%s\nwant … %s", test.name, got, want)
		}
	}
	long := []byte("INVITE sip:b SIP/2.0\r\n" + strings.Repeat("Via: "+strings.Repeat("x", 300)+"\r\n", 50))
	if got := sample(from, nil, long); len(got) != maxSample {
		t.Errorf("a sample of %d bytes", len(got))
	}
}
