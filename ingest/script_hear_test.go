package ingest

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trunklog/trunklog/call"
)

var guidWord = regexp.MustCompile(`\{\w+\}`)

// hear puts the messages of the input.
func (s *script) hear(words, input []string) string {
	i := Input{Source: words[0]}
	var from []string
	proven := false
	for _, word := range words[1:] {
		switch name, v, _ := strings.Cut(word, "="); name {
		case "tenant":
			i.Tenant = s.guid(v)
		case "trunk":
			i.Trunk = v
		case "from":
			if proven = true; v != "" {
				from = strings.Split(v, ",")
			}
		case "hearsay":
			i.Hearsay = true
		default:
			s.t.Fatalf("no parameter %q", name)
		}
	}
	var events []call.Event
	for _, line := range input {
		m := s.signal(line)
		events = append(events, call.Event{Kind: call.MessageEvent, Call: m.CallID, Signal: m})
	}
	sink := s.in.SinkOf(i)
	if proven {
		sink = sink.From(from)
	}
	if err := tryPut(s.t.Context(), sink, events...); err != nil {
		return err.Error()
	}
	if said := s.refused; len(said) > 0 {
		s.refused = nil
		return "refused " + strings.Join(said, "\nrefused ")
	}
	return "ok"
}

// signal reads "TIME SRC > DST WHAT NAME=VALUE…": WHAT is a method, or a code and the
// method that it answers, as 200/INVITE; the names are call, cseq, tag (of To), agent,
// and uri, from, to and contact, which are USER@HOST;PARAMETERS. Addresses without a
// port have 5061. {WORD} is the GUID of a word. The message that is kept is the line.
func (s *script) signal(line string) *call.Signal {
	words := strings.Fields(guidWord.ReplaceAllStringFunc(line, func(word string) string { return s.guid(strings.Trim(word, "{}")).String() }))
	end := func(text string) netip.AddrPort {
		if !strings.Contains(text, ":") {
			text += ":5061"
		}
		return netip.MustParseAddrPort(text)
	}
	m := &call.Signal{At: s.time(words[0]), Src: end(words[1]), Dst: end(words[3]), CSeq: 1, FromTag: "f", Raw: []byte(line)}
	if code, method, ok := strings.Cut(words[4], "/"); ok {
		m.Code, _ = strconv.Atoi(code)
		m.CSeqMethod, m.ToTag = method, "t"
	} else if m.Method, m.CSeqMethod = words[4], words[4]; m.Method == "BYE" || m.Method == "ACK" {
		m.ToTag, m.CSeq = "t", 2
	}
	for _, word := range words[5:] {
		name, v, _ := strings.Cut(word, "=")
		switch name {
		case "call":
			m.CallID = v
		case "cseq":
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				s.t.Fatal(err)
			}
			m.CSeq = uint32(n)
		case "tag":
			m.ToTag = v
		case "agent":
			m.UserAgent = v
		default:
			a := map[string]*call.Address{"uri": &m.URI, "from": &m.From, "to": &m.To, "contact": &m.Contact}[name]
			if a == nil {
				s.t.Fatalf("no field %q", name)
			}
			address, params, _ := strings.Cut(v, ";")
			user, host, ok := strings.Cut(address, "@")
			if !ok {
				user, host = "", address
			}
			*a = call.Address{User: user, Host: host, Params: params}
		}
	}
	return m
}

// ladder returns the messages that the store has of the tenants' rows.
func (s *script) ladder(tenants []string) string {
	var out strings.Builder
	for _, tenant := range tenants {
		for r, err := range s.store.Rows(s.t.Context(), call.Query{Tenant: s.guid(tenant)}) {
			if err != nil {
				s.t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s: row at %s\n", tenant, r.Start.Format("15:04:05"))
			for _, line := range s.messages(r) {
				out.WriteString(line + "\n")
			}
		}
	}
	return out.String()
}

// messages returns the messages that the store has of a row, in order.
func (s *script) messages(r *call.Row) (all []string) {
	legs, err := s.store.Legs(s.t.Context(), r.Tenant, r.Cursor())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range legs {
		for m, err := range s.store.Messages(s.t.Context(), l) {
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, string(m.Raw))
		}
	}
	slices.Sort(all)
	return all
}
