package pebble

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestFormat compares the keys and values of a tiny store with a golden file. If it fails, this
// version misreads existing stores: raise formatVersion, or undo the change.
func TestFormat(t *testing.T) {
	o := testOptions(t, vfs.NewMem())
	o.Now = func() time.Time { return time.Date(2024, 3, 12, 0, 0, 0, 0, time.UTC) }
	s, err := Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	at := time.Date(2024, 3, 10, 12, 34, 56, 789_000_100, time.UTC)
	rows := []call.Row{
		{
			Tenant: call.GUID{0xaa}, ID: call.GUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Start: at, Invite: at.Add(-2 * time.Second),
			CorrelationID: call.GUID{0xcc}, UserID: call.GUID{0xdd}, Caller: "+49 30 1234", Callee: "+4930555***", Trunk: "sbc1.contoso.com", Duration: 7, Successful: true,
			UserPrincipalName: "Anna@Contoso.com",
		},
		{ID: call.GUID{0xff}, Start: at.Add(24 * time.Hour), Caller: "112", Callee: "112", FinalSIPCode: 486},
		{ID: call.GUID{0xfe}, Start: time.Date(1, 1, 1, 0, 0, 0, 100, time.UTC), Caller: "anonymous", Callee: "***"},
	}
	for i := range rows {
		rows[i].Settle(call.SIP.Witness(), false)
	}
	leg := call.GUID{0xbb, 15: 0xbc}
	b := call.Batch{
		Rows: rows, State: map[string][]byte{"mark/sbc1": []byte("17")},
		Messages: []call.Message{
			{
				Leg: leg, At: at, Transport: "tls", Raw: []byte("BYE sip:x SIP/2.0\r\n\r\n"),
				Src: netip.MustParseAddrPort("192.0.2.1:5061"), Dst: netip.MustParseAddrPort("[2001:db8::1]:5062"),
			},
			{Leg: leg, At: at.Add(24 * time.Hour), Raw: []byte("x")},
		},
		Legs: []call.Leg{{Tenant: call.GUID{0xaa}, Row: rows[0].Cursor(), ID: leg, Main: true, From: at, To: at.Add(24 * time.Hour)}},
	}
	if _, err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	moved := rows[1]
	moved.Start = moved.Start.Add(time.Minute)
	moved.Settle(call.Graph.Witness(), false)
	more := call.Batch{
		Rows: []call.Row{moved}, Remove: []call.RowID{{ID: rows[2].ID}}, Aliases: []call.Alias{{ID: call.GUID{0xfd}, Of: moved.ID}},
	}
	if _, err := s.Write(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	it, err := s.db.NewIter(wholeStore())
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for ok := it.First(); ok; ok = it.Next() {
		value := hex.EncodeToString(it.Value())
		if it.Key()[0] == kindEpoch {
			value = value[:2] + "…" // another one in each store
		}
		fmt.Fprintf(&got, "%s = %s\n", readable(it.Key()), value)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&got, "merger %s, filter %s, comparer %s, pebble format %d\n",
		sumMerger().Name, idFilter{}.Name(), pebble.DefaultComparer.Name, s.db.FormatMajorVersion())
	const file = "testdata/format.golden"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the store holds\n%s\nwant\n%s", got.Bytes(), want)
	}
}

// readable shows a key by its parts.
func readable(k []byte) string {
	h := hex.EncodeToString
	switch k[0] {
	case kindFormat, kindState:
		return string(k)
	case kindRow:
		return fmt.Sprintf("%c %s %s %s", k[0], h(k[1:17]), h(k[17:25]), h(k[25:]))
	case kindID:
		return fmt.Sprintf("%c %s %s", k[0], h(k[1:17]), h(k[17:]))
	case kindMessage:
		return fmt.Sprintf("%c %s %s %s %s", k[0], h(k[1:5]), h(k[5:21]), h(k[21:26]), h(k[26:]))
	case kindLeg:
		return fmt.Sprintf("%c %s %s %s %s %s", k[0], h(k[1:5]), h(k[5:21]), h(k[21:26]), h(k[26:42]), h(k[42:]))
	case kindEpoch:
		return string(k[0])
	case kindHead:
		return fmt.Sprintf("%c %s", k[0], h(k[1:17]))
	case kindChange:
		return fmt.Sprintf("%c %s %s", k[0], h(k[1:17]), h(k[17:]))
	case kindMove:
		return fmt.Sprintf("%c %s %s %s %s %s", k[0], h(k[1:17]), h(k[17:25]), h(k[25:41]), h(k[41:49]), h(k[49:]))
	case kindAlias:
		return fmt.Sprintf("%c %s %s %s", k[0], h(k[1:17]), h(k[17:33]), h(k[33:]))
	case kindTotals:
		if len(k) == 1 {
			return "t"
		}
		return fmt.Sprintf("%c %s %c %s %q", k[0], h(k[1:17]), k[17], h(k[18:22]), k[22:])
	case kindShape:
		return fmt.Sprintf("%c %s %s %s", k[0], h(k[1:17]), h(k[17:19]), h(k[19:]))
	case kindCount:
		return fmt.Sprintf("%c %s %c %s", k[0], h(k[1:17]), k[17], h(k[18:]))
	}
	n := len(k) - tailLen
	return fmt.Sprintf("%c %s %s %q %s %s", k[0], h(k[1:17]), h(k[17:21]), k[21:n], h(k[n:n+5]), h(k[n+5:]))
}
