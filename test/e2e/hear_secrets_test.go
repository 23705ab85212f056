package e2e

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// What senders of HEP give away, and nobody may find on the disk or in a log.
const (
	heardMediaKey = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
	heardDigest   = "6629fae49393a05397450978507c4ef1"
	heardAuthKey  = "Xk7-wrong-9qPz"
	rightAuthKey  = "Rt4-right-2mLs"
)

// secretInvite is an INVITE as an SBC mirrors it.
func secretInvite(id string) []byte {
	return []byte(strings.ReplaceAll(`INVITE sip:+4930111@sbc1.contoso.com SIP/2.0
Via: SIP/2.0/TLS 52.114.76.76:5061;branch=z9hG4bKx
From: "Ann" <sip:+4420222@sip.pstnhub.microsoft.com>;tag=1
To: <sip:+4930111@sbc1.contoso.com>
Call-ID: `+id+`
CSeq: 1 INVITE
Authorization: Digest username="sbc", response="`+heardDigest+`"
Proxy-Authorization: Digest username="sbc",
 response="`+heardDigest+`"
Content-Type: application/sdp
Content-Length: 100

v=0
m=audio 49152 RTP/SAVP 8
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:`+heardMediaKey+`|2^20
`, "\n", "\r\n"))
}

// secretPackets are one packet that can be read and many that cannot.
func secretPackets(t *testing.T) (good []byte, bad [][]byte) {
	packet := func(key string, compressed bool, payload []byte) []byte {
		p := hep.Packet{
			At: time.Now(), Src: netip.MustParseAddrPort("52.114.76.76:5061"), Dst: netip.MustParseAddrPort("203.0.113.10:5061"),
			Protocol: 6, Type: 1, Agent: 2001, Key: []byte(key), Payload: payload, Compressed: compressed,
		}
		return p.Append(nil)
	}
	with := func(old, now string) []byte {
		return bytes.Replace(secretInvite("bad"), []byte(old), []byte(now), 1)
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(secretInvite("bad"))
	_ = z.Close()
	object, err := json.Marshal(map[string]string{"payload": string(secretInvite("bad"))})
	if err != nil {
		t.Fatal(err)
	}
	wrong := packet(heardAuthKey, false, secretInvite("bad"))
	noChunk := bytes.Clone(wrong)
	noChunk[11] = 0
	v1 := append([]byte{1, 16, 2, 17, 0x13, 0xc4, 0x13, 0xc4, 10, 0, 0, 65, 10, 0, 0, 66}, secretInvite("bad")...)
	body := secretInvite("bad")[bytes.Index(secretInvite("bad"), []byte("v=0")):]
	return packet(rightAuthKey, false, secretInvite("good")), [][]byte{
		wrong, packet(heardAuthKey, true, packed.Bytes()), packet(heardAuthKey, false, object), // auth
		append(bytes.Clone(wrong), heardMediaKey...), wrong[:len(wrong)-20], // length
		noChunk, v1, secretInvite("bad"), body, []byte(heardAuthKey), // chunk-zero, version, magic
		packet(rightAuthKey, true, secretInvite("bad")), packet(rightAuthKey, true, packed.Bytes()[:packed.Len()-9]), // compression
		packet(rightAuthKey, false, []byte(`{"a":"`+heardMediaKey+`"}`)), packet(rightAuthKey, false, body), // json, sip-first-line
		packet(rightAuthKey, false, with("SIP/2.0\r\n", "SIP/3.0\r\n")), packet(rightAuthKey, false, with("Call-ID: bad\r\n", "")), // sip-version, sip-call-id
		packet(rightAuthKey, false, with("1 INVITE", "x INVITE")), packet(rightAuthKey, false, with("From:", "Fram:")), // sip-cseq, sip-from
		packet(rightAuthKey, false, with("To:", "Tu:")), packet(rightAuthKey, false, with("CSeq:", "Call-ID: b\r\nCSeq:")), // sip-to, sip-twice
	}
}

// TestHeardSecrets: media keys, credentials and auth keys that senders give
// away are nowhere, neither of packets that can be read nor of those that
// cannot, though samples of these are kept.
func TestHeardSecrets(t *testing.T) {
	kit.Long(t)
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	udp, tcp := kit.FreePort(t), kit.FreePort(t)
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(rightAuthKey), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(
		t, data, "--keep-sip", "30d", "--log-format", "json",
		"--source", "u=hep+udp://127.0.0.1:"+strconv.Itoa(udp)+"?tenant=contoso&auth-file="+keyFile,
		"--source", "t=hep+tcp://127.0.0.1:"+strconv.Itoa(tcp)+"?tenant=contoso&idle=1s&auth-file="+keyFile,
	)
	good, bad := secretPackets(t)
	for i, p := range append(bad, good) {
		for network, port := range map[string]int{"udp": udp, "tcp": tcp} {
			c, err := net.Dial(network, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(p); err != nil {
				t.Errorf("packet %d by %s: %v", i, network, err)
			}
			_ = c.Close()
		}
		time.Sleep(60 * time.Millisecond) // of each cause there is one sample a second
	}
	causes := map[string][]string{
		"u": {"auth", "length", "chunk-zero", "version", "magic", "compression", "json", "sip-first-line", "sip-version", "sip-call-id", "sip-cseq", "sip-from", "sip-to", "sip-twice"},
		"t": {"auth", "magic", "version", "cut", "sip-version", "sip-twice"},
	}
	for name, all := range causes {
		path := filepath.Join(data, "rejects", "source-"+name+".jsonl")
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			b, _ := os.ReadFile(path)
			missing := ""
			for _, cause := range all {
				if !bytes.Contains(b, []byte(`"reason":"`+cause+`"`)) {
					missing += " " + cause
				}
			}
			if missing == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has no samples of%s:\n%s", path, missing, b)
			}
		}
	}
	if err := s.stop(t); err != nil {
		t.Error(err)
	}
	saved := filepath.Join(t.TempDir(), "saved.hep")
	if err := os.WriteFile(saved, bytes.Join(append(bad, good), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, _ := command(t, "", "import", "hep", "--data", data, "--tenant", "contoso", saved)
	tellsNothing(t, "the log", []byte(s.Log.String()))
	tellsNothing(t, "the import", []byte(out+errs))
	files := 0
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		tellsNothing(t, path, b)
		files++
		return err
	})
	if imported, _ := filepath.Glob(filepath.Join(data, "rejects", "import-*")); err != nil || files < 5 || len(imported) != 1 {
		t.Errorf("%d files, %d of them of an import: %v", files, len(imported), err)
	}
}

func tellsNothing(t *testing.T, where string, b []byte) {
	t.Helper()
	for _, secret := range []string{heardMediaKey, heardDigest, heardAuthKey, rightAuthKey} {
		for _, part := range []string{secret[:8], secret[len(secret)-8:]} {
			if i := bytes.Index(b, []byte(part)); i >= 0 {
				t.Errorf("%s holds %q: %.300q", where, part, b[max(0, i-150):])
			}
		}
	}
}
