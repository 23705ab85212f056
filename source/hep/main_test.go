package hep

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scale multiplies how much is tried; see TRUNKLOG_SCALE.
func scale(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	if testing.Short() {
		n /= 10
	}
	return max(n, 1)
}

var (
	hexMark    = regexp.MustCompile(`<hex>([0-9A-F]*)</hex>`)
	repeatMark = regexp.MustCompile(`<repeat count=(\d+)>(.*?)</repeat>`)
)

// wire returns the message that a text in the notation of RFC 4475, section 2,
// stands for. Lines end with CRLF; <cut> ends the message.
func wire(t testing.TB, s string) []byte {
	t.Helper()
	s = repeatMark.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeatMark.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Repeat(parts[2], n)
	})
	s = strings.ReplaceAll(s, "\n", "\r\n")
	s, _, _ = strings.Cut(s, "<cut>")
	return []byte(hexMark.ReplaceAllStringFunc(s, func(m string) string {
		b, err := hex.DecodeString(hexMark.FindStringSubmatch(m)[1])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}))
}

// dump writes what is known of s, a field a line.
func dump(s *call.Signal) string {
	var out strings.Builder
	line := func(name, value string) {
		if value != "" {
			quoted := strconv.Quote(value)
			fmt.Fprintf(&out, "%s: %s\n", name, strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`))
		}
	}
	number := func(name string, n int) {
		if n != 0 {
			line(name, strconv.Itoa(n))
		}
	}
	address := func(name string, a call.Address) {
		line(name+" name", a.Name)
		line(name+" user", a.User)
		line(name+" host", a.Host)
		line(name+" params", a.Params)
	}
	if !s.At.IsZero() {
		line("at", s.At.Format("2006-01-02T15:04:05.000000Z07:00"))
	}
	if s.Src.IsValid() || s.Dst.IsValid() {
		line("path", s.Src.String()+" > "+s.Dst.String())
	}
	line("transport", s.Transport)
	number("agent", int(s.Agent))
	line("method", s.Method)
	number("code", s.Code)
	line("phrase", s.Phrase)
	address("uri", s.URI)
	line("call-id", s.CallID)
	line("cseq", strings.TrimSpace(fmt.Sprint(s.CSeq, " ", s.CSeqMethod)))
	line("from tag", s.FromTag)
	line("to tag", s.ToTag)
	line("session-id", s.SessionID)
	address("from", s.From)
	address("to", s.To)
	address("contact", s.Contact)
	address("asserted", s.Asserted)
	line("user-agent", s.UserAgent)
	line("reason", s.Reason)
	line("referred-by", s.ReferredBy)
	line("refer-to", s.ReferTo)
	line("history-info", s.HistoryInfo)
	number("session-expires", s.SessionExpires)
	line("media path", s.MediaPath)
	return out.String()
}
