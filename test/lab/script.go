package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// A side is one party of a call, for whom a SIPp scenario is written.
type side struct {
	plan
	Teams     bool
	role      role
	caller    bool
	Transport string // of its SIP, as a Via names it
}

// sideOf returns the side of a call that a SIPp plays.
func (p plan) sideOf(r role) *side {
	// A back-to-back user agent is whom it calls, and by whom it is called, with
	// tags of its own.
	switch r {
	case left:
		p.CalleeTag += "l"
	case right:
		p.CallerTag += "r"
	}
	return &side{plan: p, Teams: p.isTeams(r), role: r, caller: r == caller || r == right, Transport: "[transport]"}
}

// script returns the SIPp scenario of a side, complete.
func (s *side) script() ([]byte, error) {
	name := s.plan.callee
	switch s.role {
	case caller:
		name = s.plan.caller
	case second:
		name = s.plan.second
	case left, right:
		name = "core-" + s.core + "-" + string(s.role)
	}
	t, err := template.ParseFS(files, "sipp/parts.tmpl", "sipp/"+name+".xml")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	if err := t.ExecuteTemplate(&out, name+".xml", s); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// H writes a header's name: in capitals if it is Teams who does.
func (s *side) H(name string) string {
	if s.Teams {
		return strings.ToUpper(name)
	}
	return name
}

// Agent says which software sends.
func (s *side) Agent() string {
	switch {
	case s.Teams:
		return "Microsoft.PSTNHub.SIPProxy v.2026.10.20.1 i.EUNO.7"
	case s.role == left || s.role == right:
		return "Core 1.0"
	}
	return "Carrier 1.0"
}

// Refusal is the status with which the callee refuses.
func (s *side) Refusal() string { return s.refusal }

// Code is the one that the caller is refused with.
func (s *side) Code() string {
	if s.refused != "" {
		return s.refused
	}
	code, _, _ := strings.Cut(s.refusal, " ")
	return code
}

// Number is the scenario's.
func (s *side) Number() int { return s.plan.scenario.number }

// number is who the side is.
func (s *side) number() string {
	if s.caller {
		return s.Caller
	}
	return s.Callee
}

// contactURI is where the side wants the requests of a dialog to go.
func (s *side) contactURI() string {
	if s.Teams {
		return "sip:api-du-a-uswe2.pstnhub.microsoft.com:443;x-i=" + s.XI + ";x-c=" + s.XC + "/d/8/" + s.Conf
	}
	return "sip:" + s.number() + "@[local_ip]:[local_port]"
}

// Contact is the header's value.
func (s *side) Contact() string { return "<" + s.contactURI() + ">" }

// peerTag is the tag that the other side has given itself.
const peerTag = "[peer_tag_param]"

// From names the caller.
func (s *side) From() string {
	if s.fromTeams {
		return "Adele Vance<sip:" + s.Caller + "@sip.pstnhub.microsoft.com:5061;user=phone>;tag=" + s.CallerTag
	}
	return "<sip:" + s.Caller + "@sip.carrier.test>;tag=" + s.CallerTag
}

// calleeURI is whom the caller asks for.
func (s *side) calleeURI() string {
	u := "sip:" + s.Callee + "@sbc1.contoso.test:5061;user=phone"
	if s.fromTeams {
		u += ";transport=tls"
	}
	return u
}

// calleeAddress names the callee, without the tag.
func (s *side) calleeAddress() string {
	return "<sip:" + s.Callee + "@sbc1.contoso.test:5061;user=phone>"
}

// Expires is the session timer that Teams' INVITE offers, and a carrier's if the
// scenario says so.
func (s *side) Expires() string {
	if s.expires == "" && s.Teams {
		return "3600"
	}
	return s.expires
}

// A request is a request that a side sends.
type request struct {
	*side
	Method     string
	CSeq       int
	InDialog   bool
	SameBranch bool // as the INVITE: an ACK of a refusal, a CANCEL
	Headers    []string
	SDP        string // the direction of the media; empty for no body
	Fragment   string // of SIP, which a NOTIFY tells
	Prefix     string // of the Call-ID
}

// Request returns a request of the caller's or callee's side.
func (s *side) Request(method string, cseq int) *request {
	r := &request{side: s, Method: method, CSeq: cseq, InDialog: true}
	switch method {
	case "INVITE":
		r.InDialog, r.SDP = false, "sendrecv"
		r.Headers = slices.Clone(s.headers)
	case "CANCEL":
		r.InDialog, r.SameBranch = false, true
	}
	return r
}

// Failed makes an ACK that of a refusal.
func (r *request) Failed() *request {
	r.SameBranch, r.InDialog = true, false
	return r
}

// Leg makes it a request of a leg of a back-to-back user agent's, which has a
// Call-ID of its own; SIPp knows what belongs together by what is behind the
// slashes.
func (r *request) Leg(number int) *request {
	r.Prefix = fmt.Sprintf("core-%d///", number)
	return r
}

// Refused makes an ACK that of a refusal within the dialog.
func (r *request) Refused() *request {
	r.SameBranch = true
	return r
}

// SignedIn adds the answer to a challenge.
func (r *request) SignedIn() *request {
	r.Headers = append(r.Headers, "[authentication username=sbc1 password=wonderland]")
	return r
}

// OnHold makes an INVITE one that puts the other side on hold.
func (r *request) OnHold() *request {
	r.InDialog, r.SDP = true, "sendonly"
	return r
}

// Again makes an INVITE one that takes the other side back.
func (r *request) Again() *request {
	r.InDialog = true
	return r
}

// Longer makes an INVITE offer a longer session.
func (r *request) Longer() *request {
	longer := *r.side
	longer.expires = "1800"
	r.side = &longer
	return r
}

// Refresh makes a request refresh the session.
func (r *request) Refresh() *request {
	r.Headers = append(r.Headers, r.H("Session-Expires")+": "+r.Expires()+";refresher=uac")
	return r
}

// Tells makes a NOTIFY tell what became of a REFER.
func (r *request) Tells(status, state string) *request {
	r.Headers = append(r.Headers, "Event: refer", "Subscription-State: "+state)
	r.Fragment = "SIP/2.0 " + status
	return r
}

// Transfer makes a REFER ask for a call to somebody else.
func (r *request) Transfer() *request { return r.refer("") }

// Replace makes a REFER ask for a call that takes the place of another one.
func (r *request) Replace() *request {
	return r.refer("?Replaces=3d2c4b7e9a8f4f8d8d2c4b7e9a8f4f8d%3Bto-tag%3D11aa%3Bfrom-tag%3D22bb")
}

func (r *request) refer(headers string) *request {
	r.Headers = append(r.Headers,
		"REFER-TO: <sip:+14255550100@sip.pstnhub.microsoft.com:5061;user=phone"+headers+">",
		"REFERRED-BY: <sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:5d1c3e6b-7a7c-4c48-9f05-2a6a29c2b9d1;x-t=1a2b3c4d-0000-4000-8000-00000000c0de;x-ti="+r.XI+">")
	return r
}

// Repeats reports whether the request is sent again until it is answered.
func (r *request) Repeats() bool { return r.Method != "ACK" }

// Target is the Request-URI.
func (r *request) Target() string {
	if r.InDialog {
		return "[next_url]"
	}
	return r.calleeURI()
}

// Local and Remote are From and To of the request.
func (r *request) Local() string {
	if r.caller {
		return r.From()
	}
	return r.calleeAddress() + ";tag=" + r.CalleeTag
}

// Remote is To.
func (r *request) Remote() string {
	switch {
	case !r.caller:
		return r.From()
	case r.InDialog, r.Method == "ACK":
		return r.calleeAddress() + peerTag // of whoever answered or refused
	}
	return r.calleeAddress()
}

// A response is a response that a side sends.
type response struct {
	*side
	Status  string
	Method  string // of the request
	CSeq    string
	Late    bool
	Headers []string
	SDP     string
	fork    string
	once    bool // sent once, whether it is acknowledged or not
}

// Fragment is what only a request tells.
func (r *response) Fragment() string { return "" }

// lastCSeq is the number of the request that has come last.
const lastCSeq = "[last_cseq_number]"

// Response returns the response to the last request of a method.
func (s *side) Response(status, method string) *response {
	r := &response{side: s, Status: status, Method: method, CSeq: lastCSeq}
	if method == "INVITE" && strings.HasPrefix(status, "200") {
		r.SDP = "sendrecv"
	}
	if code := status[0]; code > '3' && s.Teams {
		r.Headers = append(r.Headers, fmt.Sprintf(`REASON: Q.850;cause=16;text="%s;The call was ended."`, s.XI))
	}
	return r
}

// After makes it a response to the INVITE that comes after a CANCEL.
func (r *response) After() *response {
	r.Late = true
	return r
}

// Once makes it one that is not sent again.
func (r *response) Once() *response {
	r.once = true
	return r
}

// WithMedia makes it describe the media.
func (r *response) WithMedia() *response {
	r.SDP = "sendrecv"
	return r
}

// Elsewhere names another number to call.
func (r *response) Elsewhere() *response {
	to := r.Callee[:len(r.Callee)-2] + "99"
	r.Headers = append(r.Headers, "Contact: <sip:"+to+"@sip.carrier.test;user=phone>")
	return r
}

// AtLeast says how long a session must be.
func (r *response) AtLeast() *response {
	r.Headers = append(r.Headers, "Min-SE: 1800")
	return r
}

// Timed agrees to the session timer that the request offered.
func (r *response) Timed() *response {
	r.Headers = append(r.Headers, r.H("Require")+": timer", r.H("Session-Expires")+": "+r.expires+";refresher=uac")
	return r
}

// Of makes it the response to the request with a number, which is not the last
// that has come.
func (r *response) Of(cseq int) *response {
	r.CSeq = strconv.Itoa(cseq)
	return r
}

// Challenge asks for a password.
func (r *response) Challenge() *response {
	name := "WWW-Authenticate"
	if strings.HasPrefix(r.Status, "407") {
		name = "Proxy-Authenticate"
	}
	r.Headers = append(r.Headers, name+`: Digest realm="sip.carrier.test", nonce="7d2e53f6c4f14a7f", algorithm=MD5`)
	return r
}

// Fork makes it a response of another place that rings.
func (r *response) Fork(place string) *response {
	r.fork = place
	return r
}

// From is the header that names whoever sent the request, as it was sent.
func (r *response) From() string {
	switch {
	case r.caller:
		return r.H("From") + ": " + r.calleeAddress() + peerTag
	case r.CSeq != lastCSeq: // something else has come since
		return r.H("From") + ": " + r.side.From()
	}
	return "[last_From:]"
}

// To names whoever answers it, the callee by the tag of the place that does.
func (r *response) To() string {
	if r.caller {
		return r.side.From()
	}
	return r.calleeAddress() + ";tag=" + r.CalleeTag + r.fork
}

// Named reports whether the response has a Contact.
func (r *response) Named() bool { return r.Method == "INVITE" && r.Status[0] <= '2' }

// Repeats reports whether the response is sent again until it is acknowledged.
func (r *response) Repeats() bool { return r.Method == "INVITE" && r.Status[0] > '1' && !r.once }
