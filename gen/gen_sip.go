package gen

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/trunklog/trunklog/call"
)

// The parties of the messages of [SIP]. The first is one of Microsoft's addresses, the others are
// private ones (RFC 1918).
var (
	microsoft = netip.MustParseAddrPort("52.114.75.24:5061")
	sbc       = netip.MustParseAddrPort("10.1.2.3:5061")
	carrier   = netip.MustParseAddrPort("10.9.9.9:5060")
)

// proxyDelay is how long the SBC takes to pass a message on.
const proxyDelay = 3 * time.Millisecond

// SIP returns the SIP messages of the call of r, in the order of their times, as the capture agent
// of an SBC sees them that passes each of them on: an answered call has 13. It derives from the id
// what r does not have. The messages have no bodies.
func SIP(r *call.Row) []call.Message {
	d := newDialog(r)
	answered := d.invite.Add(proxyDelay)
	if r.Successful {
		answered = r.Start
	}
	d.pass(d.invite, true, d.request("INVITE", 1, true))
	d.add(d.invite.Add(time.Millisecond), d.near, false, d.answer(100, "Trying", "INVITE", 1, false))
	ringing := d.invite.Add(answered.Sub(d.invite) / 2)
	switch {
	case r.Successful:
		d.pass(ringing, false, d.answer(180, "Ringing", "INVITE", 1, true))
		d.pass(answered, false, d.answer(200, "OK", "INVITE", 1, true))
		d.pass(answered.Add(20*time.Millisecond), true, d.request("ACK", 1, false))
		if !r.End.IsZero() {
			// Microsoft ends every second call.
			byCaller := (r.ID[15]&1 == 0) == d.outbound
			d.pass(r.End, byCaller, d.request("BYE", 2, byCaller))
			d.pass(r.End.Add(10*time.Millisecond), !byCaller, d.answer(200, "OK", "BYE", 2, !byCaller))
		}
	case r.FinalSIPCode == 487:
		d.pass(r.Failure.Add(-10*time.Millisecond), true, d.request("CANCEL", 1, true))
		fallthrough
	default:
		code, phrase := int(r.FinalSIPCode), r.FinalSIPPhrase
		if code < 300 || code > 699 {
			code, phrase = 500, "Server Internal Error"
		}
		d.pass(r.Failure, false, d.answer(code, phrase, "INVITE", 1, true))
		d.pass(r.Failure.Add(10*time.Millisecond), true, d.request("ACK", 1, true))
	}
	slices.SortStableFunc(d.messages, func(a, b call.Message) int { return a.At.Compare(b.At) })
	return d.messages
}

// A dialog makes the messages of one call.
type dialog struct {
	row      *call.Row
	outbound bool
	invite   time.Time
	callID   string
	near     [2]netip.AddrPort // the hop on the caller's side, the caller first
	far      [2]netip.AddrPort
	messages []call.Message
}

func newDialog(r *call.Row) *dialog {
	d := &dialog{row: r, outbound: !r.Inbound(), invite: r.Invite}
	if d.invite.IsZero() {
		d.invite = r.Start
	}
	d.callID = strings.ReplaceAll(r.ID.String(), "-", "")
	d.near, d.far = [2]netip.AddrPort{microsoft, sbc}, [2]netip.AddrPort{sbc, carrier}
	if !d.outbound {
		d.callID += "@10.1.2.3"
		d.near, d.far = [2]netip.AddrPort{carrier, sbc}, [2]netip.AddrPort{sbc, microsoft}
	}
	return d
}

// add adds a message on one hop.
func (d *dialog) add(at time.Time, hop [2]netip.AddrPort, fromCaller bool, text string) {
	src, dst := hop[0], hop[1]
	if !fromCaller {
		src, dst = dst, src
	}
	d.messages = append(d.messages, call.Message{At: at, Src: src, Dst: dst, Transport: "tls", Raw: []byte(text)})
}

// pass adds a message on both hops. The time is that on the hop to Microsoft.
func (d *dialog) pass(at time.Time, fromCaller bool, text string) {
	near, far := at, at
	switch {
	case d.outbound && fromCaller:
		far = at.Add(proxyDelay)
	case d.outbound:
		far = at.Add(-proxyDelay)
	case fromCaller:
		near = at.Add(-proxyDelay)
	default:
		near = at.Add(proxyDelay)
	}
	nearText, farText := text, text
	if strings.HasPrefix(text, "INVITE ") {
		if d.outbound {
			farText = strings.Replace(text, "@"+d.row.Trunk, "@10.9.9.9", 1)
		} else {
			nearText = strings.Replace(text, "@sip.pstnhub.microsoft.com", "@"+d.row.Trunk, 1)
		}
	}
	d.add(near, d.near, fromCaller, nearText)
	d.add(far, d.far, fromCaller, farText)
}

// request returns a request of the caller's or the callee's.
func (d *dialog) request(method string, cseq int, fromCaller bool) string {
	var b strings.Builder
	host := d.row.Trunk
	if d.outbound != fromCaller {
		host = "sip.pstnhub.microsoft.com"
	}
	number := d.row.Callee
	if !fromCaller {
		number = d.row.Caller
	}
	fmt.Fprintf(&b, "%s sip:%s@%s:5061;user=phone;transport=tls SIP/2.0\r\n", method, number, host)
	d.headers(&b, method, cseq, fromCaller, fromCaller, method != "INVITE" && method != "CANCEL")
	if d.outbound == fromCaller {
		b.WriteString("USER-AGENT: Microsoft.PSTNHub.SIPProxy v.2026.11.2.1 i." + d.region() + ".7\r\n")
	}
	if method == "INVITE" && d.outbound {
		d.referrers(&b)
	}
	if method == "BYE" {
		fmt.Fprintf(&b, "REASON: Q.850;cause=16;text=\"%s;Call ended.\"\r\n", d.row.CorrelationID)
	}
	b.WriteString("CONTENT-LENGTH: 0\r\n\r\n")
	return b.String()
}

// referrers writes the headers that say why Microsoft has made a call.
func (d *dialog) referrers(b *strings.Builder) {
	switch call.CallType(d.row.CallType).Graph() {
	case "ByotOutUserForwarding":
		fmt.Fprintf(b, "HISTORY-INFO: <sip:%s@sip.pstnhub.microsoft.com;user=phone?Reason=SIP;cause=302;text=\"Moved\">;index=1\r\n", d.row.Caller)
	case "ByotOutUserTransfer":
		fmt.Fprintf(b, "REFERRED-BY: <sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:%s;x-t=%s;x-ti=%s;x-tt=%s>\r\n",
			d.row.UserID, d.row.Tenant, d.row.TransferorID, base64.RawURLEncoding.EncodeToString(d.row.ID[:]))
	}
}

// answer returns an answer to a request; fromCallee says which side answers.
func (d *dialog) answer(code int, phrase, method string, cseq int, fromCallee bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", code, phrase)
	sender := !fromCallee
	if code == 100 {
		sender = !d.outbound // the SBC's
	}
	d.headers(&b, method, cseq, sender, method == "INVITE" || fromCallee, code != 100)
	if (d.outbound != fromCallee) && code != 100 {
		b.WriteString("SERVER: Microsoft.PSTNHub.SIPProxy v.2026.11.2.1 i." + d.region() + ".7\r\n")
	}
	b.WriteString("CONTENT-LENGTH: 0\r\n\r\n")
	return b.String()
}

// headers writes the headers that every message has. The Contact names the sender of the message,
// From and To that of the request.
func (d *dialog) headers(b *strings.Builder, method string, cseq int, senderIsCaller, requestOfCaller, established bool) {
	r := d.row
	from := fmt.Sprintf("%s<sip:%s@sip.pstnhub.microsoft.com:5061;user=phone>;tag=%s", r.UserDisplayName, r.Caller, d.callID[:16])
	to := fmt.Sprintf("<sip:%s@%s:5061;user=phone>", r.Callee, r.Trunk)
	if !d.outbound {
		from = fmt.Sprintf("<sip:%s@%s:5061;user=phone>;tag=%s", r.Caller, r.Trunk, d.callID[:16])
		to = fmt.Sprintf("<sip:%s@sip.pstnhub.microsoft.com:5061;user=phone>", r.Callee)
	}
	if established {
		to += ";tag=" + d.callID[16:32]
	}
	if !requestOfCaller {
		from, to = to, from
	}
	fmt.Fprintf(b, "FROM: %s\r\nTO: %s\r\nCSEQ: %d %s\r\nCALL-ID: %s\r\nVIA: SIP/2.0/TLS 10.1.2.3:5061;branch=z9hG4bK%s%d\r\nMAX-FORWARDS: 68\r\n",
		from, to, cseq, method, d.callID, d.callID[:8], cseq)
	if senderIsCaller == d.outbound {
		fmt.Fprintf(b, "CONTACT: <sip:api-du-a-%s.pstnhub.microsoft.com:443;x-i=%s;x-c=%s/d/8/%s>\r\n",
			strings.ToLower(d.region()), r.CorrelationID, strings.ReplaceAll(r.ID.String(), "-", ""), d.callID[:32])
	} else {
		fmt.Fprintf(b, "CONTACT: <sip:%s:5061;transport=tls>\r\n", r.Trunk)
	}
}

func (d *dialog) region() string {
	if d.row.SignalLocation == "" {
		return "EUWE"
	}
	return d.row.SignalLocation
}
