package call

import (
	"testing"
	"time"
)

// benchReports returns two witnesses' reports of a call, which differ in clock and in the digits
// that Microsoft masks.
func benchReports() (first, second Row) {
	first = Row{
		ID: GUID{1}, CorrelationID: GUID{2}, CallType: "ByotIn", Successful: true, Caller: "+43123456789", Callee: "+4930100",
		Trunk: "sbc1.contoso.com", FinalSIPPhrase: "BYE", Start: time.Date(2026, 11, 2, 8, 0, 4, 200_000_000, time.UTC), Duration: 60,
	}
	first.Invite, first.End = first.Start.Add(-4*time.Second), first.Start.Add(time.Minute)
	second = first
	first.Settle(SIP.Witness(), true)
	first.Source = "hep"
	second.UserID, second.UserPrincipalName, second.UserDisplayName = GUID{3}, "anna@contoso.com", "Anna M"
	second.Caller, second.CallEndSubReason = "+43123456***", 540_000
	for _, t := range []*time.Time{&second.Start, &second.Invite, &second.End} {
		*t = t.Add(7 * time.Millisecond)
	}
	second.Settle(Graph.Witness(), true)
	return first, second
}

func BenchmarkFold(b *testing.B) {
	first, second := benchReports()
	folded := first
	folded.Fold(&second)
	for _, c := range []struct {
		name string
		r, w *Row
	}{
		{"a second witness", &first, &second},
		{"a second witness that is there already", &folded, &second},
		{"the same once more", &first, &first},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := *c.r
				r.Fold(c.w)
			}
		})
	}
}
