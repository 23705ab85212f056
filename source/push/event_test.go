package push

import (
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/format/graphjson"
)

// TestEvent: an event settles the fields that it names and no others.
func TestEvent(t *testing.T) {
	w := call.CDR.Witness()
	at := func(s string) time.Time {
		x, err := call.ParseTime(s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		name, line string
		want       call.Event
		settled    []call.Field
	}{
		{
			"begun", `{"event":"partial","call":"a b/1","inviteDateTime":"2026-10-01T00:00:01Z","callerNumber":"+49301"}`,
			call.Event{Kind: call.PartEvent, Call: "a b/1", Row: call.Row{Start: at("2026-10-01T00:00:01Z"), Invite: at("2026-10-01T00:00:01Z"), Caller: "+49301"}},
			[]call.Field{call.FieldInvite, call.FieldCaller},
		},
		{
			"answered", ` {"call":"k","startDateTime":"2026-10-01T00:00:02Z","successfulCall":true,"event":"partial","done":false}`,
			call.Event{Kind: call.PartEvent, Call: "k", Row: call.Row{Start: at("2026-10-01T00:00:02Z"), Successful: true}},
			[]call.Field{call.FieldStart, call.FieldSuccessful},
		},
		{
			"ended", `{"event":"partial","call":"k","endDateTime":"2026-10-01T00:01:00Z","duration":"58","finalSipCode":0,"failureDateTime":"0001-01-01T00:00:00Z","done":true}` + "\r\n",
			call.Event{Kind: call.LastPartEvent, Call: "k", Row: call.Row{Start: at("2026-10-01T00:01:00Z"), End: at("2026-10-01T00:01:00Z"), Duration: 58}},
			[]call.Field{call.FieldEnd, call.FieldDuration, call.FieldFinalSIPCode, call.FieldFailure},
		},
		{
			"no time at all", `{"event":"partial","call":"k","finalSipCode":486,"somethingElse":{"x":1}}`,
			call.Event{Kind: call.PartEvent, Call: "k", Row: call.Row{FinalSIPCode: 486}},
			[]call.Field{call.FieldFinalSIPCode},
		},
		{
			"nothing", `{"event":"partial","call":"k","done":true,"duration":null,"callerNumber":"","startDateTime":"0001-01-01T00:00:00Z"}`,
			call.Event{Kind: call.LastPartEvent, Call: "k"},
			nil,
		},
		{
			"an id", `{"event":"partial","call":"k","id":"00000001-0000-4000-8000-000000000001"}`,
			call.Event{Kind: call.PartEvent, Call: "k", Row: call.Row{ID: call.GUID{3: 1, 6: 0x40, 8: 0x80, 15: 1}}},
			[]call.Field{call.FieldID},
		},
		{"an id that is no GUID", `{"event":"partial","call":"k","id":"4711"}`, call.Event{Kind: call.PartEvent, Call: "k"}, nil},
		{"a byte order mark", "\ufeff" + `{"event":"partial","call":"k"}`, call.Event{Kind: call.PartEvent, Call: "k"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodeEvent([]byte(c.line), graphjson.Decode, w)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			want.Row.Seen = call.CDR.Set()
			for _, f := range c.settled {
				want.Row.By[f] = w
			}
			if got.Call != want.Call || got.Kind != want.Kind || !got.Row.Equal(&want.Row) || got.Signal != nil || got.Mark != "" {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestEventsFold: the events of a call make the same row in any order.
func TestEventsFold(t *testing.T) {
	lines := []string{
		`{"event":"partial","call":"k","inviteDateTime":"2026-10-01T00:00:01Z","callerNumber":"+49301","callType":"ByotIn"}`,
		`{"event":"partial","call":"k","startDateTime":"2026-10-01T00:00:02Z","successfulCall":true}`,
		`{"event":"partial","call":"k","endDateTime":"2026-10-01T00:01:00Z","duration":58,"done":true}`,
	}
	var first call.Row
	for i, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1, 1, 0}} {
		row := call.Row{ID: call.NameGUID("k"), Start: time.Unix(0, 0)}
		for _, n := range order {
			e, err := decodeEvent([]byte(lines[n]), graphjson.Decode, call.CDR.Witness())
			if err != nil {
				t.Fatal(err)
			}
			row.Fold(&e.Row)
		}
		if i == 0 {
			first = row
		}
		if !row.Equal(&first) || row.Duration != 58 || row.Caller != "+49301" || row.Start.Second() != 2 {
			t.Errorf("order %v: %+v\nis not %+v", order, row, first)
		}
	}
}

func TestRestartEvent(t *testing.T) {
	e, err := decodeEvent([]byte(`{"event":"restart","trunkFullyQualifiedDomainName":"sbc1.contoso.com"}`), graphjson.Decode, call.CDR.Witness())
	if err != nil || e.Kind != call.RestartEvent || e.Row.Trunk != "sbc1.contoso.com" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestBadEvent(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{"event":"partial"}`, "call is not"},
		{`{"event":"partial","call":""}`, "call is not"},
		{`{"event":"partial","call":7}`, "call is not"},
		{`{"event":"partial","call":null}`, "call is not"},
		{`{"event":"partial","call":"a\u0000"}`, "call is not"},
		{`{"event":"partial","call":"` + strings.Repeat("x", 256) + `"}`, "call is not"},
		{"{\"event\":\"partial\",\"call\":\"\xff\"}", "call is not"},
		{`{"event":"partial","call":"k","done":1}`, "done is neither"},
		{`{"event":"partial","call":"k","done":"true"}`, "done is neither"},
		{`{"event":"Partial","call":"k"}`, "the events that are known"},
		{`{"event":null,"call":"k"}`, "the events that are known"},
		{`{"event":["partial"],"call":"k"}`, "the events that are known"},
		{`{"event":"restart"}`, "name the SBC"},
		{`{"event":"restart","trunkFullyQualifiedDomainName":7}`, "name the SBC"},
		{`{"event":"restart","trunkFullyQualifiedDomainName":"` + strings.Repeat("x", 1025) + `"}`, "name the SBC"},
		{`{"event":"partial","call":"k"} {}`, "one JSON object"},
		{`{"event":"partial","call":"k"`, "one JSON object"},
		{`[{"event":"partial","call":"k"}]`, "one JSON object"},
		{`{"value":[{"event":"partial","call":"k"}]}`, "one JSON object"},
		{`"event":"partial",`, "one JSON object"},
		{`{"event":"partial","call":"k","duration":"x"}`, "duration"},
		{`{"event":"partial","call":"k","endDateTime":"soon"}`, "endDateTime"},
		{`{"event":"partial","call":"k","callerNumber":1}`, "callerNumber"},
		{`{"event":"partial","call":"k","error":{"code":"x"}}`, "error that Graph answered"},
		{`{"event":"partial","call":"k","value":[{"startDateTime":"2026-10-01"}]}`, ""},
	} {
		e, err := decodeEvent([]byte(c.line), graphjson.Decode, call.CDR.Witness())
		switch {
		case err == nil && c.want != "":
			t.Errorf("%s: is %+v", c.line, e)
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v", c.line, err)
		}
	}
}

// TestEventIsNoRow: wherever in JSON an event stands, the handler makes no whole call of it.
func TestEventIsNoRow(t *testing.T) {
	const fields = `"call":"k","id":"00000001-0000-4000-8000-000000000001","startDateTime":"2026-10-01T00:00:00Z"`
	for _, body := range []string{
		`{"event":"partial",` + fields + `}`,
		`{` + fields + `,"event" : "partial"}`,
		`[{"event":"partial",` + fields + `}]`,
		"[\n" + `{"event":"partial",` + fields + "}\n]",
		`{"value":[{"event":"partial",` + fields + `}]}`,
		"{\n\"event\":\n\"partial\",\n" + fields + "\n}",
		"{\n" + fields + ",\n\"event\":\"partial\"\n}",
		`[{"event":"partial",` + fields + `,"x":"` + strings.Repeat("x", maxLine) + `"}]`,
		`["` + strings.Repeat("x", maxLine) + `",{"event":"partial",` + fields + `}]`,
		`{"event":"partial",` + fields + `} {` + fields + `}`,
	} {
		for _, typ := range []string{"application/json", "application/x-ndjson"} {
			b := newBench(t, nil)
			if o := b.post(t, body, "Content-Type", typ); b.mem.len() != 0 || o.Open != o.Accepted {
				t.Errorf("%s: %.80s: status %d, %d rows: %.200s", typ, body, o.status, b.mem.len(), o.text)
			}
		}
	}
}
