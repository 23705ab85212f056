// Package siptest has what the tests of several packages share: SIP messages in their raw form, and
// the fields of a Signal as text.
package siptest

import (
	"embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/trunklog/trunklog/call"
)

// Files are the names of the message files in this folder: X.want in a file is the expected Signal
// of message X.
var Files = []string{"torture.txtar", "teams.txtar", "odd.txtar", "wild.txtar"}

//go:embed *.txtar
var corpus embed.FS

// Archive returns one of the [Files].
func Archive(t testing.TB, file string) *txtar.Archive {
	t.Helper()
	b, err := corpus.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return txtar.Parse(b)
}

// Messages returns the messages of a file in their raw form, and their names in order.
func Messages(t testing.TB, file string) (names []string, msgs map[string][]byte) {
	t.Helper()
	msgs = map[string][]byte{}
	for _, f := range Archive(t, file).Files {
		if !strings.HasSuffix(f.Name, ".want") {
			names = append(names, f.Name)
			msgs[f.Name] = Wire(t, string(f.Data))
		}
	}
	return names, msgs
}

// All returns the messages of all files.
func All(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, file := range Files {
		all = append(all, in(t, file)...)
	}
	return all
}

// TeamsCall returns the messages of calls as Teams and an SBC send them.
func TeamsCall(t testing.TB) [][]byte { return in(t, "teams.txtar") }

func in(t testing.TB, file string) (all [][]byte) {
	t.Helper()
	names, msgs := Messages(t, file)
	for _, name := range names {
		all = append(all, msgs[name])
	}
	return all
}

var (
	hexMark    = regexp.MustCompile(`<hex>([0-9A-F]*)</hex>`)
	repeatMark = regexp.MustCompile(`<repeat count=(\d+)>(.*?)</repeat>`)
)

// Wire returns the message of a text in the notation of RFC 4475, section 2. Lines end with CRLF;
// <cut> ends the message.
func Wire(t testing.TB, s string) []byte {
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

// Dump writes the known fields of s, one a line.
func Dump(s *call.Signal) string {
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
	line("priority", s.Priority)
	line("attestation", s.Attestation)
	line("origin id", s.OriginID)
	line("verstat", s.Verstat)
	if s.SIPREC {
		line("siprec", "yes")
	}
	return out.String()
}

// Texts returns all texts of s, in one order.
func Texts(s *call.Signal) []string {
	out := []string{s.Method, s.Phrase, s.CallID, s.FromTag, s.ToTag, s.CSeqMethod, s.SessionID, s.UserAgent, s.Reason, s.ReferredBy, s.HistoryInfo, s.ReferTo, s.MediaPath, s.Priority, s.Attestation, s.OriginID, s.Verstat}
	for _, a := range []call.Address{s.URI, s.From, s.To, s.Contact, s.Asserted} {
		out = append(out, a.Name, a.User, a.Host, a.Params)
	}
	return out
}

// Check checks what must be true of every Signal that [sip.Scan] returns.
func Check(t testing.TB, s *call.Signal) {
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
	case !strings.Contains(" A B C ", " "+s.Attestation+" ") && s.Attestation != "":
		t.Errorf("attestation %q", s.Attestation)
	case s.OriginID != "" && len(s.OriginID) != 36:
		t.Errorf("origin id %q", s.OriginID)
	case s.SessionExpires < 0:
		t.Errorf("Session-Expires %d", s.SessionExpires)
	}
	for _, x := range Texts(s) {
		if strings.ContainsAny(x, "\n") {
			t.Errorf("%q goes over the end of a line", x)
		}
		if !utf8.ValidString(x) {
			t.Errorf("%q is not UTF-8", x)
		}
	}
}
