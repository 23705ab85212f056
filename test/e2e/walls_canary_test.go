package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// A canary is canaryMark and the digit of a tenant. Digits alone, it can stand in a telephone
// number, a GUID, a host name, a Call-ID and any text, and stays as it is in JSON, in a URL, in
// CSV and in capitals: one look through an answer finds all canaries of all tenants.
const canaryMark = "7091435582"

// canaryBytes is the mark as it stands in the bytes of a GUID, which nextLinks hold.
var canaryBytes, _ = hex.DecodeString(canaryMark)

func canaryWord(digit int) string { return fmt.Sprint("w", canaryMark, digit) }

func canaryNumber(digit, n int) string { return fmt.Sprintf("+%s%d%04d", canaryMark, digit, n%10_000) }

// canaryGUID returns a GUID that ends with the canary.
func canaryGUID(rnd *rand.Rand, digit int) (g call.GUID) {
	binary.BigEndian.PutUint64(g[:8], rnd.Uint64())
	g[6], g[8], g[9] = g[6]&0x0f|0x40, 0x80, byte(rnd.Uint32())
	copy(g[10:], canaryBytes)
	g[15] = byte(digit) << 4
	return g
}

// A sighting is what an answer shows of canaries.
type sighting struct {
	own     int
	foreign string // what stands around the first of another tenant
}

// look looks for canaries in an answer to the tenant of a digit, and in what the answer holds in
// base64: tokens, and bodies within a batch's. What the client has said itself the answer may
// repeat.
func look(answer []byte, digit int, said ...string) (s sighting) {
	for _, text := range said {
		answer = bytes.ReplaceAll(answer, []byte(text), []byte("…"))
	}
	s.see(answer, []byte(canaryMark), digit, func(b byte) int { return int(b) - '0' })
	for _, packed := range []struct{ before, end string }{
		{"skiptoken=", "&\"'\\ \n"}, {`"access_token":"`, `"`}, {`"body":"`, `"`},
	} {
		for rest := answer; ; {
			_, after, found := bytes.Cut(rest, []byte(packed.before))
			if !found {
				break
			}
			text := after
			if end := bytes.IndexAny(after, packed.end); end >= 0 {
				text = after[:end]
			}
			rest = after
			s.unpack(string(text), digit)
		}
	}
	return s
}

// unpack looks into base64 of either alphabet, and into each part of a token.
func (s *sighting) unpack(text string, digit int) {
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	text = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
	for part := range strings.SplitSeq(text, ".") {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			continue
		}
		s.see(b, []byte(canaryMark), digit, func(b byte) int { return int(b) - '0' })
		s.see(b, canaryBytes, digit, func(b byte) int { return int(b >> 4) })
	}
}

// see looks for a mark behind which the digit of a tenant stands.
func (s *sighting) see(b, mark []byte, digit int, digitOf func(byte) int) {
	for from := 0; ; {
		i := bytes.Index(b[from:], mark)
		if i < 0 {
			return
		}
		at := from + i
		from = at + len(mark)
		if from == len(b) {
			return
		}
		switch of := digitOf(b[from]); {
		case of == digit:
			s.own++
		case of > 0 && of < 10 && s.foreign == "":
			s.foreign = fmt.Sprintf("%q", b[max(0, at-400):min(len(b), from+200)])
		}
	}
}

// TestLook: a canary is seen in every form in which an answer can hold it, and no other is.
func TestLook(t *testing.T) {
	id := canaryGUID(rand.New(rand.NewPCG(1, 1)), 2)
	place := base64.RawURLEncoding.EncodeToString(append([]byte{2, 0, 5}, id[:]...))
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"tid":"` + id.String() + `"}`))
	page := base64.StdEncoding.EncodeToString([]byte("??" + canaryNumber(2, 7)))
	for _, answer := range []string{
		canaryNumber(2, 7), "%2B" + canaryNumber(2, 7)[1:], canaryWord(2), id.String(), `"@odata.nextLink":"https://x/y?$skip=5&$skiptoken=` + place + `&$top=5"`,
		`{"access_token":"e30.` + claims + `.AAAA"}`, `{"id":"1","body":"` + page + `"}`,
	} {
		if s := look([]byte(answer), 2); s.own != 1 || s.foreign != "" {
			t.Errorf("%s: its own is seen as %+v", answer, s)
		}
		if s := look([]byte(answer), 1); s.own != 0 || s.foreign == "" {
			t.Errorf("%s: another's is seen as %+v", answer, s)
		}
	}
	if s := look([]byte("no call "+id.String()), 1, id.String()); s.foreign != "" {
		t.Errorf("what the client has said is seen as %+v", s)
	}
	if s := look([]byte(canaryMark+`x $skiptoken=%zz&"access_token":"`), 1); s != (sighting{}) {
		t.Errorf("no canary is seen as %+v", s)
	}
}
