package siptest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Script is a text with the messages of a call, and the rows that must come of them:
//
//	# a comment
//	@ SECONDS SRC > DST proto=tls
//	INVITE …
//	----
//	{"callType":"ByotOut","startDateTime":2.5}
//
// Times are seconds since the beginning. Only the named fields of a row matter; null is no time.
type Script struct {
	Packets []Packet
	Rows    []map[string]any
}

// A Packet is a message between two addresses.
type Packet struct {
	At        time.Duration
	Src, Dst  netip.AddrPort
	Transport string
	Message   []byte
}

// ReadScript reads a script.
func ReadScript(t testing.TB, text string) (s Script) {
	t.Helper()
	messages, rows, _ := strings.Cut(text, "\n----\n")
	for line := range strings.Lines(rows) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		s.Rows = append(s.Rows, row)
	}
	for line := range strings.Lines(messages + "\n") {
		switch line = strings.TrimRight(line, "\r\n"); {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "@"):
			s.Packets = append(s.Packets, readPacket(t, line))
		default:
			p := &s.Packets[len(s.Packets)-1]
			p.Message = append(append(p.Message, line...), "\r\n"...)
		}
	}
	for i := range s.Packets {
		p := &s.Packets[i]
		p.Message = []byte(strings.TrimRight(string(p.Message), "\r\n") + "\r\n\r\n")
	}
	return s
}

func readPacket(t testing.TB, line string) (p Packet) {
	t.Helper()
	var at float64
	var src, dst, rest string
	_, err := fmt.Sscanf(line, "@ %f %s > %s %s", &at, &src, &dst, &rest)
	if err == nil {
		p.Src, err = netip.ParseAddrPort(src)
	}
	if err == nil {
		p.Dst, err = netip.ParseAddrPort(dst)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	p.At, p.Transport = Seconds(at), strings.TrimPrefix(rest, "proto=")
	return p
}

// Seconds returns a number of seconds as a duration, in whole microseconds.
func Seconds(n float64) time.Duration {
	return time.Duration(n*1e6+0.5) * time.Microsecond
}

// WrongIn returns the fields of a row, in the form for a client of Graph, that differ from a script
// whose times count from began.
func WrongIn(got, want map[string]any, began time.Time) (wrong []string) {
	for name, w := range want {
		g := got[name]
		if strings.HasSuffix(name, "DateTime") {
			at, none := any(nil), g == nil || strings.HasPrefix(fmt.Sprint(g), "0001-")
			if !none {
				parsed, err := time.Parse(time.RFC3339Nano, fmt.Sprint(g))
				if err != nil {
					wrong = append(wrong, err.Error())
					continue
				}
				at = parsed.Sub(began).String()
			}
			if n, ok := w.(float64); ok {
				w = Seconds(n).String()
			}
			g = at
		}
		if fmt.Sprint(g) != fmt.Sprint(w) {
			wrong = append(wrong, fmt.Sprintf("%s is %s, want %s", name, show(g), show(w)))
		}
	}
	return wrong
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}
