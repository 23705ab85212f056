package graphjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
)

// sampleLines returns n rows as JSON lines, in the form in which Graph writes
// them.
func sampleLines(n int) []byte {
	var b bytes.Buffer
	start := time.Date(2026, 11, 1, 0, 0, 25, 105_000_000, time.UTC)
	for i := range n {
		t := start.Add(time.Duration(i) * 613 * time.Millisecond)
		f := func(d time.Duration) string { return t.Add(d).Format("2006-01-02T15:04:05.999Z07:00") }
		fmt.Fprintf(&b, `{"id":"%s","correlationId":"%s","userId":"db03c14b-06eb-4189-939b-7cbf3a20ba27","userPrincipalName":"richard.malk@contoso.com","userDisplayName":"Richard Malk","startDateTime":"%s","inviteDateTime":"%s","failureDateTime":"0001-01-01T00:00:00Z","endDateTime":"%s","duration":%d,"callType":"ByotIn","successfulCall":true,"callerNumber":"+49301234%04d","calleeNumber":"+4930567890","mediaPathLocation":"USWE","signalingLocation":"EUNO","finalSipCode":0,"callEndSubReason":540000,"finalSipCodePhrase":"BYE","trunkFullyQualifiedDomainName":"tll-audiocodes01.adatum.biz","mediaBypassEnabled":false}`+"\n",
			call.NameGUID("id", fmt.Sprint(i)), call.NameGUID("correlation", fmt.Sprint(i)), f(0), f(-3156*time.Millisecond), f(5*time.Second), 5, i%10000)
	}
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	const rows = 2000
	lines := sampleLines(rows)
	b.SetBytes(int64(len(lines)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range Decode(bytes.NewReader(lines)) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// The yardstick: the standard library into a struct of the same fields.
func BenchmarkDecodeStandard(b *testing.B) {
	const rows = 2000
	lines := sampleLines(rows)
	b.SetBytes(int64(len(lines)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for d := json.NewDecoder(bytes.NewReader(lines)); d.More(); n++ {
			var r standardRow
			if err := d.Decode(&r); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

type standardRow struct {
	ID                            string
	CorrelationID                 string
	UserID                        string
	UserPrincipalName             string
	UserDisplayName               string
	StartDateTime                 time.Time
	InviteDateTime                time.Time
	FailureDateTime               time.Time
	EndDateTime                   time.Time
	Duration                      int32
	CallType                      string
	SuccessfulCall                bool
	CallerNumber                  string
	CalleeNumber                  string
	MediaPathLocation             string
	SignalingLocation             string
	FinalSipCode                  int32
	CallEndSubReason              int32
	FinalSipCodePhrase            string
	TrunkFullyQualifiedDomainName string
	MediaBypassEnabled            bool
}
