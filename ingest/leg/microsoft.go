package leg

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// The marks of Microsoft's messages. Microsoft documents the host names, the networks, Referred-By
// and History-Info (learn.microsoft.com, "Direct Routing: SIP protocol" and "Plan Direct Routing").
// The parameters of Contact and the product's name are known from captures.

// microsoftNetworks hold Microsoft's SIP proxies.
var microsoftNetworks = [...]netip.Prefix{
	netip.MustParsePrefix("52.112.0.0/14"),
	netip.MustParsePrefix("52.120.0.0/14"),
}

// microsoftHost reports whether a host name is that of one of Microsoft's SIP proxies, in any
// cloud, such as sip.pstnhub.microsoft.com and sip.pstnhub.gov.teams.microsoft.us.
func microsoftHost(host string) bool {
	return containsFold(host, "pstnhub.") && (hasSuffixFold(host, ".microsoft.com") || hasSuffixFold(host, ".microsoft.us"))
}

// microsoftAgent reports whether a User-Agent or Server names Microsoft's proxy.
func microsoftAgent(agent string) bool { return containsFold(agent, "Microsoft.PSTNHub") }

// microsoftSent reports whether Microsoft made a message. A proxy that passes it on leaves these
// headers unchanged.
func microsoftSent(s *call.Signal) bool {
	return microsoftAgent(s.UserAgent) || microsoftHost(s.Contact.Host) || param(s.Contact.Params, "x-c") != ""
}

// region returns the part of a User-Agent or Server that names Microsoft's region, of 16 bytes at
// most: EUNO of "Microsoft.PSTNHub.SIPProxy v.2020.5.13.3 i.EUNO.7". It is empty if there is none.
func region(agent string) string {
	for word := range strings.FieldsSeq(agent) {
		rest, ok := strings.CutPrefix(word, "i.")
		if !ok {
			continue
		}
		if name, _, _ := strings.Cut(rest, "."); name != "" && len(name) <= 16 {
			return name
		}
	}
	return ""
}

// reasonGUID returns the GUID at the beginning of a Reason's text, which is the call's correlation
// id: `Q.850;cause=16;text="GUID;phrase"`. It is zero if there is none.
func reasonGUID(reason string) call.GUID {
	for {
		_, text, ok := cutFold(reason, "text=")
		if !ok {
			return call.GUID{}
		}
		if g := guidOf(firstPart(strings.TrimLeft(text, `" `))); !g.IsZero() {
			return g
		}
		reason = text // another protocol's reason may follow
	}
}

// firstPart returns the part of s in front of the first '/' or ';'.
func firstPart(s string) string {
	if i := strings.IndexAny(s, "/;"); i >= 0 {
		return s[:i]
	}
	return s
}

// guidOf returns the GUID that s is, with or without hyphens, and the zero one for any other text.
func guidOf(s string) call.GUID {
	switch len(s) {
	case 36:
	case 32:
		var b [36]byte
		n := 0
		for i := range len(s) {
			if i == 8 || i == 12 || i == 16 || i == 20 {
				b[n] = '-'
				n++
			}
			b[n] = s[i]
			n++
		}
		s = string(b[:])
	default:
		return call.GUID{}
	}
	g, err := call.ParseGUID(s)
	if err != nil {
		return call.GUID{}
	}
	return g
}

// param returns the value of a parameter of a URI, whose name may be in any case; empty if it is
// not there.
func param(params, name string) string {
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		if len(p) > len(name) && p[len(name)] == '=' && strings.EqualFold(p[:len(name)], name) {
			return p[len(name)+1:]
		}
	}
	return ""
}

// referrer returns the user who transferred a call, and the correlation id of the call to that
// user, from a Referred-By. Each is zero if it is not there.
func referrer(referredBy string) (user, correlation call.GUID) {
	uri := strings.Trim(referredBy, "<> ")
	uri, _, _ = strings.Cut(uri, ">")
	m := param(uri, "x-m")
	if plain, err := url.PathUnescape(m); err == nil {
		m = plain
	}
	if object, ok := strings.CutPrefix(m, "8:orgid:"); ok {
		user = guidOf(object)
	}
	return user, guidOf(param(uri, "x-ti"))
}

func containsFold(s, sub string) bool {
	if strings.Contains(s, sub) {
		return true
	}
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

func cutFold(s, sep string) (before, after string, found bool) {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}
