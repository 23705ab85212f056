package oracle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// A writer writes messages that are valid, in all the ways that SIP allows.
type writer struct {
	*rand.Rand
	strings.Builder
}

func (w *writer) pick(s ...string) string { return s[w.IntN(len(s))] }

// cased writes a header's name in some case.
func (w *writer) cased(s string) string {
	b := []byte(s)
	for i := range b {
		switch w.IntN(3) {
		case 0:
			b[i] = strings.ToUpper(string(b[i]))[0]
		case 1:
			b[i] = strings.ToLower(string(b[i]))[0]
		}
	}
	return string(b)
}

// space is white space where there may be some, of which a line break may be a
// part.
func (w *writer) space() string {
	return w.pick("", "", "", " ", "\t", "  ", "\r\n ", " \r\n\t ")
}

func (w *writer) token() string {
	const letters = "abcXYZ019-.!%*_+`'~"
	b := make([]byte, 1+w.IntN(8))
	for i := range b {
		b[i] = letters[w.IntN(len(letters))]
	}
	return string(b)
}

// uri writes a URI and returns what it means. Within a name-addr it may have
// parameters.
func (w *writer) uri(bare bool) (string, address) {
	a := address{Host: w.pick("a", "sbc1.contoso.com", "192.0.2.1", "2001:db8::1")}
	host := a.Host
	if strings.Contains(host, "::") {
		host = "[" + host + "]"
	}
	host += w.pick("", "", ":5060", ":1")
	user := ""
	switch w.IntN(5) {
	case 0:
	case 1:
		user, a.User = "%2B49%31", "+491"
	case 2:
		user, a.User = "+44;npdi", "+44"
	case 3:
		user, a.User = "j.doe:password", "j.doe"
	default:
		user = w.pick("+441632960002", "alice", "a&b=c", "%00x%zz")
		a.User = user
	}
	if bare {
		user, _, _ = strings.Cut(user, ";")
		a.User, _, _ = strings.Cut(a.User, ";")
	}
	if user != "" {
		user += "@"
	}
	text := w.pick("sip:", "sips:", "SIP:", "Sips:") + user + host
	if bare {
		return text, a
	}
	var all []string
	for range w.IntN(3) {
		name := w.pick("user", "transport", "x-i", "lr") + strconv.Itoa(w.IntN(100))
		value := w.pick("", "=phone", "=tls", "=109abb90-581d-40dc", "=8:orgid:2f3a")
		text += ";" + name + value
		if value == "" {
			value = "="
		}
		all = append(all, name+value)
	}
	a.Params = strings.Join(unique(all), ";")
	if len(unique(all)) != len(all) {
		return w.uri(bare) // what a repeated one means, nobody says
	}
	return text + w.pick("", "", "?Subject=x", "?a=b&c=d"), a
}

func unique(all []string) (out []string) {
	seen := map[string]bool{}
	for _, s := range all {
		if name, _, _ := strings.Cut(s, "="); !seen[name] {
			seen[name] = true
			out = append(out, s)
		}
	}
	return out
}

// address writes the value of a From, To or Contact and returns what it means.
func (w *writer) address(tagged bool) (string, address, string) {
	var text string
	var a address
	if w.IntN(4) == 0 {
		text, a = w.uri(true)
	} else {
		var u string
		u, a = w.uri(false)
		name := ""
		switch w.IntN(5) {
		case 0:
			name, a.Name = "Front Desk", "Front Desk"
		case 1:
			name, a.Name = `"Doe, \"J\" <x;y>"`, `Doe, "J" <x;y>`
		case 2:
			name, a.Name = `"Zoë \\"`, `Zoë \`
		case 3:
			name = `""`
		}
		text = name + w.space() + "<" + u + ">"
	}
	tag := ""
	for range w.IntN(3) {
		text += w.space() + ";" + w.space() + "x" + strconv.Itoa(w.IntN(100)) + w.pick("", "="+w.token())
	}
	if tagged {
		tag = w.token()
		text += w.space() + ";" + w.space() + w.cased("tag") + w.space() + "=" + w.space() + tag
	}
	return text, a, tag
}

// message writes a message and returns what it means.
func (w *writer) message() (string, view) {
	v := view{CallID: w.token() + w.pick("", "@"+w.token()), CSeq: w.Uint32N(1 << 31), CSeqMethod: w.pick("INVITE", "ACK", "BYE", "CANCEL", "REFER", "OPTIONS", "X-"+strings.ToUpper(w.token()))}
	first := ""
	if w.IntN(2) == 0 {
		v.Method = v.CSeqMethod
		var u string
		u, v.URI = w.uri(false)
		first = v.Method + " " + u + " SIP/2.0"
	} else {
		v.Code = 100 + w.IntN(600)
		v.Phrase = w.pick("", "OK", "Busy Here", "Zoë = 2**3")
		first = fmt.Sprintf("SIP/2.0 %d %s", v.Code, v.Phrase)
	}
	lines := []string{}
	add := func(name, compact, value string) {
		if compact != "" && w.IntN(3) == 0 {
			name = compact
		}
		lines = append(lines, w.cased(name)+w.pick("", "", " ", "\t ")+":"+w.space()+value+w.pick("", "", " ", "\t"))
	}
	from, a, tag := w.address(true)
	add("From", "f", from)
	v.From, v.FromTag = a, tag
	to, a, tag := w.address(w.IntN(2) == 0)
	add("To", "t", to)
	v.To, v.ToTag = a, tag
	add("Call-ID", "i", v.CallID)
	add("CSeq", "", fmt.Sprint(v.CSeq)+w.pick(" ", "  ", "\r\n\t")+v.CSeqMethod)
	if w.IntN(2) == 0 {
		c, a, _ := w.address(false)
		add("Contact", "m", c)
		v.Contact = a
	}
	if w.IntN(2) == 0 {
		v.Via = w.pick("udp", "tcp", "tls", "ws")
		add("Via", "v", "SIP/2.0/"+w.cased(v.Via)+" a.example.com;branch=z9hG4bK1")
	}
	if w.IntN(2) == 0 {
		v.UserAgent = "Microsoft.PSTNHub.SIPProxy v.2026.5.13.3 i.EUNO.7"
		add(w.pick("User-Agent", "Server"), "", v.UserAgent)
	}
	if w.IntN(3) == 0 {
		v.Reason = `Q.850;cause=16;text="GUID;a: b, <c>"`
		add("Reason", "", v.Reason)
	}
	for range w.IntN(4) {
		add("X-"+w.token(), "", w.pick("", "a,b;c=\"d\"", "Call-ID: no", "long\r\n\t folded: x"))
	}
	w.Shuffle(len(lines), func(i, k int) { lines[i], lines[k] = lines[k], lines[i] })
	return first + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + w.pick("", "", "v=0\r\nCall-ID: body\r\n"), v
}

// TestGenerated writes valid messages and checks that both readers read what
// was meant.
func TestGenerated(t *testing.T) {
	n := 5000
	if f, err := strconv.ParseFloat(os.Getenv("TRUNKLOG_SCALE"), 64); err == nil && f > 0 {
		n = int(float64(n) * f)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := writer{Rand: rand.New(rand.NewPCG(seed, 0))}
	for range n {
		msg, want := w.message()
		got, unread, err := ours([]byte(msg))
		if err != nil || unread != 0 {
			t.Fatalf("%q: %v, unread: %v", msg, err, unread)
		}
		if d := differences(want, got); len(d) > 0 {
			t.Fatalf("%q:\nmeant, and read: %s", msg, strings.Join(d, "\n"))
		}
		other, err := theirs([]byte(msg))
		if errors.Is(err, strconv.ErrSyntax) {
			continue // it takes no white space between a port and what follows it
		}
		if err != nil {
			t.Fatalf("%q: sipgo: %v", msg, err)
		}
		if d := differences(got, other); len(d) > 0 {
			t.Fatalf("%q:\n%s", msg, strings.Join(d, "\n"))
		}
	}
}
