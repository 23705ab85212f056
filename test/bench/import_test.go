package main

import (
	"strings"
	"testing"
)

func TestWriteExport(t *testing.T) {
	var got strings.Builder
	err := writeExport(&got, strings.NewReader(`{"correlationId":"x","startDateTime":"2026-11-01T00:00:25.105Z","failureDateTime":"0001-01-01T00:00:00Z","duration":8,"successfulCall":true,"userId":null,"callerNumber":"+4930,1"}
{"correlationId":"y","mediaBypassEnabled":false}`))
	const want = `Correlation Id,AAD Object Id,UPN,Display Name,Invite time,Start time,Failure time,End time,Duration (seconds),Success,Caller Number,Callee Number,Call type,Final SIP code,Final Microsoft subcode,Final SIP Phrase,SBC FQDN,Media bypass
x,,,,,2026-11-01T00:00:25.105Z,,,8,Yes,"+4930,1",,,,,,,
y,,,,,,,,,,,,,,,,,No
`
	if err != nil || got.String() != want {
		t.Errorf("%v: got\n%s", err, got.String())
	}
}
