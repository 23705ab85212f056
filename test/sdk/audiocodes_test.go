package sdk

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestAudioCodes runs the recipe of ../../docs/sources/hep.md for AudioCodes, as it
// is printed there, with npm's paStash: syslog as a Mediant writes it goes in,
// rows come out. All numbers and names are made up.
func TestAudioCodes(t *testing.T) {
	kit.Need(t, "node")
	syslog, heard := freeUDP(t), freeUDP(t)
	h := newHouse(t, nil)
	h.serve(t, "--source", "sbc1=hep+udp://"+heard+"?tenant=contoso&auth=MyHep") // paStash's own default
	began := time.Now()
	send := startPastash(t, syslog, heard)

	// A call that Teams makes and the carrier answers. Its INVITE has SDP and comes
	// in one packet; between the messages come logs and the end's CDR.
	out := dialog{
		id: "41ed3d7a9ef75dbbbadea940954dee52", in: true, from: `Jörg Müller<sip:+441632960002@sip.pstnhub.microsoft.com:5061;user=phone>;tag=23`, to: "<sip:+441632960000@sbc1.contoso.test:5061;user=phone>",
		contact: "<sip:api-du-a-euno.pstnhub.microsoft.com:443;x-i=fbac95fa-1ea5-47cf-a3ae-0a1264925c07;x-c=41ed3d7a9ef75dbbbadea940954dee52/d/1/a5>",
	}
	const sdp = "v=0\r\no=- 0 0 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n"
	send(out.request("INVITE", "", sdp))
	send(record("(#12)Route found (3), Route by IPGroup, IP Group 1 -> 2 (Teams -> Carrier)"))
	send(out.response("100 Trying", "", ""), out.response("180 Ringing", ";tag=7", ""), out.response("200 OK", ";tag=7", sdp))
	send(out.request("ACK", ";tag=7", ""))
	time.Sleep(1500 * time.Millisecond) // the second that is looked for below, whatever the pipeline takes
	send(out.request("BYE", ";tag=7", ""), out.bye(";tag=7"))
	send(record("CALL_END     |SBC  |41ed3d7a9ef75dbbbadea940954dee52  |LCL  |192.0.2.10  |5061"))

	// A call to Teams that is busy, in the form in which rsyslog passes syslog on.
	in := dialog{id: "183091122233-sbc1", from: "<sip:+441632960099@sbc1.contoso.test>;tag=45", to: "<sip:+441632960001@sip.pstnhub.microsoft.com>", contact: "<sip:+441632960099@sbc1.contoso.test:5061;transport=tls>"}
	for _, packet := range [][]byte{in.request("INVITE", "", sdp), in.response("100 Trying", "", ""), in.response("486 Busy Here", ";tag=9", ""), in.request("ACK", ";tag=9", "")} {
		send([]byte(strings.ReplaceAll(string(packet), "\r\n", "#012")))
	}

	// A call whose INVITE the Mediant splits, of which paStash sends the beginning.
	split := dialog{id: "7be03d7a9ef75dbbbadea940954dee53", in: true, from: "<sip:+441632960003@sip.pstnhub.microsoft.com>;tag=67", to: out.to, contact: strings.NewReplacer("fbac95fa", "0bac95fa", out.id, "7be03d7a9ef75dbbbadea940954dee53").Replace(out.contact)}
	whole := split.request("INVITE", "", sdp)
	cut := len(whole) - len(sdp)
	send(append(whole[:cut:cut], " [Time:30-11@02:00:00.131]"...), record(string(whole[cut:])))
	send(split.response("100 Trying", "", ""), split.response("200 OK", ";tag=8", sdp), split.request("ACK", ";tag=8", ""), split.request("BYE", ";tag=8", ""), split.bye(";tag=8"))

	type row struct {
		CallType, CallerNumber, CalleeNumber, CorrelationID, TrunkFullyQualifiedDomainName, FinalSIPCodePhrase string
		FinalSIPCode, CallEndSubReason, Duration                                                               int
		SuccessfulCall                                                                                         bool
		UserDisplayName                                                                                        *string
		StartDateTime, InviteDateTime                                                                          time.Time
	}
	var rows []row
	deadline := time.Now().Add(30 * time.Second)
	for len(rows) < 3 && time.Now().Before(deadline) {
		rows = nil
		if err := json.Unmarshal(h.trunklog(t, "calls", "list", "--tenant", "contoso", "-o", "json"), &rows); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %s > %s %s %d/%d %v %ds", r.CallType, r.CallerNumber, r.CalleeNumber, r.TrunkFullyQualifiedDomainName, r.FinalSIPCode, r.CallEndSubReason, r.SuccessfulCall, r.Duration))
		if r.InviteDateTime.Before(began.Add(-time.Second)) || r.StartDateTime.After(time.Now().Add(time.Second)) {
			t.Errorf("%s: invite %v, start %v: not when its messages arrived", got[len(got)-1], r.InviteDateTime, r.StartDateTime)
		}
	}
	want := []string{
		"ByotOut +441632960002 > +441632960000 sbc1.contoso.test 0/560000 true 1s",
		"ByotIn +441632960099 > +441632960001 sbc1.contoso.test 486/0 false 0s",
		"ByotOut +441632960003 > +441632960000 sbc1.contoso.test 0/560000 true 0s",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("rows:\n%s\nwant\n%s\nrefused:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), h.refused())
	}
	if len(rows) > 0 && (rows[0].UserDisplayName == nil || *rows[0].UserDisplayName != "Jörg Müller") {
		t.Errorf("display name %v", rows[0].UserDisplayName)
	}
}

// refused returns what the source could not read.
func (h *house) refused() string {
	b, _ := os.ReadFile(filepath.Join(h.Data, "rejects", "source-sbc1.jsonl"))
	return string(b)
}

// freeUDP returns an address on loopback that is free over UDP.
func freeUDP(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().String()
}

var recipe = regexp.MustCompile("(?s)`audiocodes.conf`,[^`]*:\n\n```[a-z]*\n(.*?)```")

// startPastash runs paStash with the recipe of the page, of which only the ports
// are changed, and returns what sends it syslog.
func startPastash(t *testing.T, syslog, heard string) (send func(packets ...[]byte)) {
	t.Helper()
	const program = "audiocodes/node_modules/@pastash/pastash/bin/pastash"
	if _, err := os.Stat(program); err != nil {
		kit.Missing(t, "paStash is not installed: npm ci in test/sdk/audiocodes")
	}
	page, err := os.ReadFile("../../docs/sources/hep.md")
	if err != nil {
		t.Fatal(err)
	}
	m := recipe.FindSubmatch(page)
	if m == nil {
		t.Fatal("the page has no audiocodes.conf any more")
	}
	config := string(m[1])
	for from, to := range map[string]string{"port => 514": syslog, "port => 9060": heard} {
		if strings.Count(config, from) != 1 {
			t.Fatalf("the page's recipe does not have %q once:\n%s", from, config)
		}
		_, port, _ := net.SplitHostPort(to)
		config = strings.Replace(config, from+" ", "port => "+port+" ", 1)
	}
	file := filepath.Join(t.TempDir(), "audiocodes.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log kit.Log
	cmd := exec.CommandContext(t.Context(), "node", program, "--config_file="+file)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("paStash:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "Config loaded."); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("paStash is not ready")
		}
	}
	c, err := net.Dial("udp", syslog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return func(packets ...[]byte) {
		for _, p := range packets {
			if _, err := c.Write(p); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond) // a datagram must not overtake another
		}
	}
}

// A dialog writes syslog of one call's messages on the Teams side of a Mediant.
type dialog struct {
	id, from, to, contact string
	in                    bool // Teams calls: requests come in
}

// teams is where Microsoft's end of the connection is.
const teams = "52.114.75.24:12301"

func (d *dialog) request(method, toTag, body string) []byte {
	n := 1
	if method == "BYE" {
		n = 2
	}
	return d.packet(d.in, method+" "+strings.Trim(d.to, "<>")+" SIP/2.0", fmt.Sprint(n, " ", method), toTag, body)
}

func (d *dialog) response(status, toTag, body string) []byte {
	return d.packet(!d.in, "SIP/2.0 "+status, "1 INVITE", toTag, body)
}

func (d *dialog) bye(toTag string) []byte {
	return d.packet(!d.in, "SIP/2.0 200 OK", "2 BYE", toTag, "")
}

func (d *dialog) packet(in bool, first, cseq, toTag, body string) []byte {
	way := "Outgoing SIP Message to " + teams + " from"
	if in {
		way = "Incoming SIP Message from " + teams + " to"
	}
	msg := fmt.Sprintf("%s\r\nFrom: %s\r\nTo: %s%s\r\nCSeq: %s\r\nCall-ID: %s\r\nVia: SIP/2.0/TLS 52.114.75.24:5061;branch=z9hG4bK%s\r\nContact: %s\r\nContent-Length: %d\r\n\r\n%s", first, d.from, d.to, toTag, cseq, d.id, d.id[:4], d.contact, len(body), body)
	return record("(N  5001) ---- " + way + " SIPInterface #1 (Teams) TLS TO(#21) SocketID(3) ---- \r\n" + msg + "\r\n")
}

// record is one packet of syslog.
func record(text string) []byte {
	return []byte("<133>[S=1001] [SID=aabbcc:12:345]  " + text + " [Time:30-11@02:00:00.123]")
}
