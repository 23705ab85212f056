package oracle

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzAgree gives messages to both readers, and checks that they agree on what
// both read and on whose meaning there is no doubt.
func FuzzAgree(f *testing.F) {
	_, msgs := messages(f)
	for name, msg := range msgs {
		if !strings.HasPrefix(name, "wild/") { // of whose meaning there is doubt
			f.Add(msg)
		}
	}
	w := writer{Rand: rand.New(rand.NewPCG(1, 1))}
	for range 20 {
		msg, _ := w.message()
		f.Add([]byte(msg))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if !isText(msg) || !utf8.Valid(msg) {
			return
		}
		a, unread, errA := ours(msg)
		b, errB := theirs(msg)
		if errA != nil || errB != nil || unread != 0 {
			return
		}
		tags := 0
		for _, tag := range []string{a.FromTag, a.ToTag} {
			if tag != "" {
				tags++
			}
		}
		if strings.Count(strings.ToLower(string(msg)), "tag") > tags { // of two in a header sipgo takes the last
			a.FromTag, a.ToTag, b.FromTag, b.ToTag = "", "", "", ""
		}
		if d := differences(doubtless(a, b)); len(d) > 0 {
			t.Errorf("%q:\n%s", msg, strings.Join(d, "\n"))
		}
	})
}

// isText reports whether all lines of a message end with CRLF, and nothing is in
// them but text: sipgo ends lines at CR alone, and we at LF alone.
func isText(msg []byte) bool {
	for _, c := range bytes.ReplaceAll(msg, []byte("\r\n"), nil) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Of what is not well formed, sipgo has ideas of its own: that white space
// belongs to a host, that a quotation mark does to a tag, that a host may be
// anything.
var (
	plainUser  = regexp.MustCompile(`^[a-zA-Z0-9.+_-]*$`)
	plainHost  = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)
	plainName  = regexp.MustCompile(`^[a-zA-Z0-9 .,]*$`)
	plainToken = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)
)

// doubtless returns two views without what one of them doubts.
func doubtless(a, b view) (view, view) {
	for _, p := range [][2]*address{{&a.URI, &b.URI}, {&a.From, &b.From}, {&a.To, &b.To}, {&a.Contact, &b.Contact}} {
		for _, x := range p {
			if !plainUser.MatchString(x.User) || !plainHost.MatchString(x.Host) || !plainName.MatchString(x.Name) {
				*p[0], *p[1] = address{}, address{}
			}
		}
		p[0].Params, p[1].Params = "", ""
	}
	for _, p := range [][2]*string{{&a.FromTag, &b.FromTag}, {&a.ToTag, &b.ToTag}} {
		for _, x := range p {
			if !plainToken.MatchString(*x) {
				*p[0], *p[1] = "", ""
			}
		}
	}
	for _, p := range [][2]*string{{&a.CallID, &b.CallID}, {&a.UserAgent, &b.UserAgent}, {&a.Reason, &b.Reason}, {&a.From.Name, &b.From.Name}, {&a.To.Name, &b.To.Name}, {&a.Contact.Name, &b.Contact.Name}} {
		for _, x := range p { // a fold is one space to sipgo
			*x = strings.Join(strings.Fields(*x), " ")
		}
	}
	if a.Via == "" || b.Via == "" { // white space in it is too much for sipgo
		a.Via, b.Via = "", ""
	}
	return a, b
}
