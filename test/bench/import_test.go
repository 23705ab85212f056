package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

func TestWriteExport(t *testing.T) {
	rows := []*call.Row{
		{CorrelationID: call.GUID{1}, Start: time.Date(2026, 11, 1, 0, 0, 25, 105_000_000, time.UTC), Duration: 8, Successful: true, Caller: "+4930,1"},
		{UserPrincipalName: "adele@contoso.com", FinalSIPCode: 486, MediaBypass: true},
	}
	var got strings.Builder
	err := writeExport(&got, slices.Values(rows))
	const want = `Correlation Id,AAD Object Id,UPN,Display Name,Invite time,Start time,Failure time,End time,Duration (seconds),Success,Caller Number,Callee Number,Call type,Final SIP code,Final Microsoft subcode,Final SIP Phrase,SBC FQDN,Media bypass
01000000-0000-0000-0000-000000000000,,,,,2026-11-01T00:00:25.105Z,,,8,Yes,"+4930,1",,,0,0,,,No
,,adele@contoso.com,,,,,,0,No,,,,486,0,,,Yes
`
	if err != nil || got.String() != want {
		t.Errorf("%v: got\n%s", err, got.String())
	}
}
