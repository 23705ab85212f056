package ingest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestGenerated: generated rows that are turned into SIP messages, sent as packets in any order and
// folded, are the same rows again.
func TestGenerated(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 5))
	want := map[call.GUID]call.Row{}
	var packets [][]byte
	from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for r := range gen.Rows(gen.Config{Rows: scale(500), Seed: seed, From: from, To: from.AddDate(0, 0, 1), Trunks: []string{"sbc1.contoso.com"}}) {
		row := r.Clone()
		want[row.ID] = row
		for _, m := range gen.SIP(&row) {
			p := hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: 6, Payload: m.Raw}
			packets = append(packets, p.Append(nil))
		}
	}
	rnd.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	s := newStage(t, storetest.NewModel())
	sink := s.in.SinkOf(Input{Source: "hep", Recorded: true})
	for e, err := range hep.Decoder(nil)(bytes.NewReader(bytes.Join(packets, nil))) {
		if err != nil {
			t.Fatal(err)
		}
		if err := tryPut(t.Context(), sink, e); err != nil {
			t.Fatal(err)
		}
	}
	s.clock = from.AddDate(0, 0, 2)
	if err := sink.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := s.rows()
	if len(rows) != len(want) {
		t.Errorf("%d rows of %d calls: %+v", len(rows), len(want), s.in.HearStats())
	}
	for i := range rows {
		asHeard(t, &rows[i], want[rows[i].ID])
	}
}

// asHeard compares a row with the generated one, in the fields that SIP tells.
func asHeard(t *testing.T, got *call.Row, want call.Row) {
	t.Helper()
	type told struct {
		correlation                        call.GUID
		start, invite, end, failure        time.Time
		inbound, successful                bool
		caller, callee, phrase, trunk, loc string
		code                               int32
	}
	of := func(r *call.Row) told {
		micro := func(t time.Time) time.Time { return t.Truncate(time.Microsecond) } // as HEP tells
		return told{
			r.CorrelationID, micro(r.Start), micro(r.Invite), micro(r.End), micro(r.Failure), r.Inbound(), r.Successful,
			r.Caller, r.Callee, strings.TrimSpace(r.FinalSIPPhrase), r.Trunk, r.SignalLocation, r.FinalSIPCode,
		}
	}
	w := of(&want)
	if !want.Successful {
		w.start = w.invite
	}
	if g := of(got); g != w {
		t.Errorf("row %v:\n got %+v\nwant %+v", got.ID, g, w)
	}
}
