package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/store"
)

const ladderTenant = "1a2b3c4d-0000-4000-8000-00000000c0de"

// keepSIP writes to a data folder a call with two legs, over midnight, one
// without messages, and returns their ids.
func keepSIP(t *testing.T, data string) (with, without call.GUID) {
	t.Helper()
	tenant, err := call.ParseGUID(ladderTenant)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 23, 59, 59, 900_000_000, time.UTC)
	row := call.Row{Tenant: tenant, ID: call.NameGUID("ladder", "row"), Start: at, Trunk: "sbc1.contoso.com"}
	empty := call.Row{Tenant: tenant, ID: call.NameGUID("ladder", "empty"), Start: at}
	row.Settle(call.SIP.Witness(), true)
	empty.Settle(call.SIP.Witness(), true)
	b := call.Batch{Rows: []call.Row{row, empty}}
	carrier, sbc, teams := netip.MustParseAddrPort("203.0.113.9:5060"), netip.MustParseAddrPort("192.0.2.1:5061"), netip.MustParseAddrPort("52.114.76.76:5061")
	for i, m := range []struct {
		leg      string
		src, dst netip.AddrPort
		first    string
		cseq     string
	}{
		{"carrier", carrier, sbc, "INVITE sip:+441632960011@192.0.2.1 SIP/2.0", "7 INVITE"},
		{"teams", sbc, teams, "INVITE sip:+441632960011@sip.pstnhub.microsoft.com SIP/2.0", "1 INVITE"},
		{"teams", teams, sbc, "SIP/2.0 486 Busy\x1b[2J Here", "1 INVITE"},
		{"carrier", sbc, carrier, "SIP/2.0 486 Busy Here", "7 INVITE"},
	} {
		b.Messages = append(b.Messages, call.Message{
			Leg: call.NameGUID("ladder", m.leg), At: at.Add(time.Duration(i) * 50 * time.Millisecond), Src: m.src, Dst: m.dst, Transport: "tls",
			Raw: fmt.Appendf(nil, "%s\r\nCall-ID: of-the-%s\r\nCSeq: %s\r\n\r\n", m.first, m.leg, m.cseq),
		})
	}
	for _, name := range []string{"carrier", "teams"} {
		b.Legs = append(b.Legs, call.Leg{
			Tenant: tenant, Row: row.Cursor(), ID: call.NameGUID("ladder", name), Main: name == "teams", From: at, To: at.Add(time.Second),
		})
	}
	st, err := store.Open(t.Context(), "pebble:"+datadir.Store(data), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return row.ID, empty.ID
}

// The command prints the same whether or not a server runs.
func TestLadder(t *testing.T) {
	t.Parallel() // it mostly waits for processes
	data := filepath.Join(t.TempDir(), "data")
	must(t, "", "tenant", "add", "contoso", "--id", ladderTenant, "--data", data)
	id, empty := keepSIP(t, data)
	const want = `2026-11-23T23:59:59.9Z  4 messages, 2 legs, 150.0 ms
leg 1  to Microsoft  Call-ID of-the-teams
leg 2  Call-ID of-the-carrier

   ms  leg   203.0.113.9              192.0.2.1             52.114.76.76   CSeq
                                  sbc1.contoso.com            Microsoft
  0.0  2          |------- INVITE ------->|                       |        7 INVITE
 50.0  1          |                       |------- INVITE ------->|        1 INVITE
100.0  1          |                       |<- 486 Busy�[2J Here --|        1 INVITE
150.0  2          |<--- 486 Busy Here ----|                       |        7 INVITE
`
	look := func(t *testing.T) {
		if got := must(t, "", "calls", "ladder", id.String(), "--data", data); got != want {
			t.Errorf("the ladder is\n%s\nwant\n%s", got, want)
		}
		var c struct {
			Start    time.Time
			Messages []struct {
				MS       float64
				Code     int
				Src, Raw string
			}
		}
		if err := json.Unmarshal([]byte(must(t, "", "calls", "ladder", id.String(), "--json", "--data", data)), &c); err != nil {
			t.Fatal(err)
		}
		if len(c.Messages) != 4 || c.Messages[2].MS != 100 || c.Messages[2].Code != 486 || c.Messages[2].Src != "52.114.76.76:5061" ||
			!strings.HasPrefix(c.Messages[2].Raw, "SIP/2.0 486 Busy\x1b[2J Here\r\n") || c.Start.Nanosecond() != 900_000_000 {
			t.Errorf("JSON %+v", c)
		}
		file := filepath.Join(t.TempDir(), "call.pcap")
		out, errs, code := command(t, "", "calls", "ladder", id.String(), "--pcap", file, "--data", data)
		b, err := os.ReadFile(file)
		if err != nil || code != 0 || out != "" || errs != "wrote 4 messages as UDP\n" {
			t.Errorf("--pcap: %v, exit code %d, %q, %q", err, code, out, errs)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("--pcap: %v, %v", info.Mode(), err)
		}
		if s := must(t, "", "calls", "ladder", id.String(), "--pcap", "-", "--data", data); s != string(b) || !bytes.HasPrefix(b, []byte{0xd4, 0xc3, 0xb2, 0xa1}) {
			t.Errorf("--pcap -: %d bytes, the file has %d", len(s), len(b))
		}
		for _, c := range []struct {
			args []string
			code int
			says string
		}{
			{[]string{"ladder"}, 2, "ID is missing"},
			{[]string{"ladder", "x"}, 2, `"x" is not a GUID`},
			{[]string{"ladder", id.String(), "--json", "--pcap", "x"}, 2, "one of them at a time"},
			{[]string{"ladder", id.String(), "--pcap", ""}, 2, "the name of a file is missing"},
			{[]string{"ladder", id.String(), "--pcap", filepath.Join(t.TempDir(), "no", "file")}, 1, "no such file or directory"},
			{[]string{"ladder", id.String(), "--tenant", "nobody"}, 2, "nobody"},
			{[]string{"ladder", id.String(), "--tenant", "unassigned"}, 1, "there is no call"},
			{[]string{"ladder", call.GUID{1}.String()}, 1, "there is no call 01000000-0000-0000-0000-000000000000 in tenant contoso"},
			{[]string{"ladder", empty.String()}, 1, "--keep-sip 30d"},
		} {
			out, errs, code := command(t, "", append(append([]string{"calls"}, c.args...), "--data", data)...)
			if out != "" || code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("calls %q: exit code %d, %q, %q; want %d and %q", c.args, code, out, errs, c.code, c.says)
			}
		}
	}
	t.Run("without a server", look)
	s := start(t, data, "--keep-sip", "forever")
	t.Run("with a server", look)
	if err := s.stop(t); err != nil {
		t.Fatal(err)
	}
}
