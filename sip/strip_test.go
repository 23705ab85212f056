package sip

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/sip/siptest"
)

// passportA has the claims attest and origid, and a number, dest and iat.
var passportA = "secret." + base64.RawURLEncoding.EncodeToString([]byte(
	`{"attest":"A","dest":{"tn":["secret"]},"iat":1,"orig":{"tn":"secret"},"origid":"8f14e45f-ceea-467f-9d5a-3c0b7a1e52d0"}`)) + ".secret"

// TestStrip checks the stripped form of a message, and that it holds nothing that a store must not
// keep.
func TestStrip(t *testing.T) {
	lines := func(s ...string) string { return strings.Join(s, "\r\n") + "\r\n" }
	for _, test := range []struct{ name, msg, want string }{
		{
			"body and credentials",
			lines("INVITE sip:b SIP/2.0", "Via: SIP/2.0/TLS a", "Authorization: Digest response=\"secret\"", "From: <sip:a>", "PROXY-AUTHORIZATION : secret,",
				" secret", "\tsecret", "To: <sip:b>", "WWW-Authenticate: Digest nonce=\"secret\"", "Proxy-Authenticate: secret", "identity: secret", "y: secret", "Y :secret",
				"Authentication-Info: secret", "Proxy-Authentication-Info: secret", "Subject: folded", "  value", "Content-Length: 20", "", "v=0", "a=crypto:1 secret"),
			lines("INVITE sip:b SIP/2.0", "Via: SIP/2.0/TLS a", "From: <sip:a>", "To: <sip:b>", "Subject: folded", "  value", "Content-Length: 20", ""),
		},
		{"line feeds alone", "BYE sip:b SIP/2.0\nFrom: a\nAuthorization:\n secret\nTo: b\n\nsecret", "BYE sip:b SIP/2.0\nFrom: a\nTo: b\n\r\n"},
		{"no end", lines("BYE sip:b SIP/2.0", "From: a") + "Authorization: secret", lines("BYE sip:b SIP/2.0", "From: a", "")},
		{"no end of a header", lines("BYE sip:b SIP/2.0", "From: a") + "To: b", lines("BYE sip:b SIP/2.0", "From: a", "")},
		{"no end of the first line", "BYE sip:b SIP/2.0", lines("BYE sip:b SIP/2.0", "")},
		{
			"what a passport says", lines("INVITE sip:b SIP/2.0", "From: a", "Identity: secret.eyJub3RoaW5nIjoic2VjcmV0In0.secret", "Identity : "+passportA+";info=<https://secret>;ppt=shaken", "y: "+passportA, "To: b", ""),
			lines("INVITE sip:b SIP/2.0", "From: a", "Attestation-Info: A", "Origination-Id: 8f14e45f-ceea-467f-9d5a-3c0b7a1e52d0", "To: b", ""),
		},
		{
			"what was said in front of a passport", lines("INVITE sip:b SIP/2.0", "Attestation-Info: B", "Identity: "+passportA, "To: b", ""),
			lines("INVITE sip:b SIP/2.0", "Attestation-Info: B", "To: b", ""),
		},
		{"credentials first", lines("BYE sip:b SIP/2.0", " Authorization: secret", "From: a", ""), lines("BYE sip:b SIP/2.0", "From: a", "")},
		{"line breaks in front", "\r\n\r\n" + lines("BYE sip:b SIP/2.0", "From: a", ""), lines("BYE sip:b SIP/2.0", "From: a", "")},
		{"only a body", lines("SIP/2.0 200 OK", "", "secret"), lines("SIP/2.0 200 OK", "")},
		{
			"names that only look like it", lines("SIP/2.0 200 OK", "Authorizations: 1", "X-Authorization: 2", "Identity-Info: 3", "z: 4", "Authorization", ""),
			lines("SIP/2.0 200 OK", "Authorizations: 1", "X-Authorization: 2", "Identity-Info: 3", "z: 4", ""),
		},
		{
			"a body without an empty line", lines("BYE sip:b SIP/2.0", "From: a", "v=0", "o=- 1 1 IN IP4 1.2.3.4", "a=crypto:1 AES inline:secret", "k = clear:secret", "To: b"),
			lines("BYE sip:b SIP/2.0", "From: a", "To: b", ""),
		},
		{"bare CRs", "BYE sip:b SIP/2.0\rAuthorization: secret\r\nX: y\rAuthorization: secret\r\nZ: y\r\rv=0\ra=crypto:secret\r\nTo: b\r\n", lines("BYE sip:b SIP/2.0", "X: y", "Z: y", "To: b", "")},
		{"nothing", "", "\r\n"},
	} {
		got := string(Strip([]byte("kept"), []byte(test.msg)))
		if got != "kept"+test.want {
			t.Errorf("%s:\n%q, want\n%q", test.name, got[4:], test.want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s: a secret was kept", test.name)
		}
	}
}

// TestStripKeepsSignal checks that Scan gives the same for a message and its stripped form, and
// that a second Strip changes nothing.
func TestStripKeepsSignal(t *testing.T) {
	for _, msg := range siptest.All(t) {
		want, _, _ := strings.Cut(scanned(msg), "unread: ") // a header that breaks off is gone
		kept := Strip(nil, msg)
		if got, _, _ := strings.Cut(scanned(kept), "unread: "); got != want && !strings.HasPrefix(want, "error: ") {
			t.Errorf("%q:\n%swant:\n%s", kept, got, want)
		}
		if again := Strip(nil, kept); !bytes.Equal(again, kept) {
			t.Errorf("%q became\n%q", kept, again)
		}
	}
}
