package ingest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// A pair is what an SBC and Microsoft tell of one call.
type pair struct {
	kind     string
	sbc, own call.Row
	// apart: no rule can tell that the two are one call, or one of them is missing.
	apart bool
	// alike: another call has the same numbers and times. If the records come one after the other,
	// the first of each side are linked, since the others are not known yet.
	alike bool
}

// A world makes pairs that are hard to tell apart. Numbers, times and trunks are invented.
type world struct {
	*rand.Rand
	at    time.Time
	pairs []pair
	mixed bool // the records of both sides alternate
}

// A story is a call as both sides tell it when all is well.
type story struct {
	caller, callee     string // E.164
	trunk              string
	inbound            bool
	invite             time.Time
	ring, talk         time.Duration
	code               int32
	skew               time.Duration // error of the SBC's clock
	sbcCaller, sbcCall string        // how the SBC writes the numbers
}

func (w *world) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + w.IntN(10))
	}
	if n > 0 && b[0] == '0' {
		b[0] = '7'
	}
	return string(b)
}

func masked(number string) string { return number[:len(number)-3] + "***" }

// call returns a call that begins some time after the last one.
func (w *world) call() story {
	w.at = w.at.Add(time.Duration(500+w.IntN(4_000)) * time.Millisecond)
	t := story{
		caller: "+4930" + w.digits(8), callee: "+4989550" + w.digits(3), trunk: "sbc1.example.com", inbound: true, invite: w.at,
		ring: time.Duration(1_000+w.IntN(20_000)) * time.Millisecond, talk: time.Duration(2_000+w.IntN(600_000)) * time.Millisecond,
		skew: time.Duration(w.IntN(4_000)-2_000) * time.Millisecond,
	}
	if w.IntN(2) == 0 {
		t.inbound, t.caller, t.callee = false, t.callee, t.caller
	}
	return t.spelled(t.caller, t.callee)
}

func (t story) spelled(caller, callee string) story {
	t.sbcCaller, t.sbcCall = caller, callee
	return t
}

// pair returns what both sides tell: Microsoft masks the outside number, and the SBC cuts its times
// to seconds.
func (t story) pair(w *world, kind string) pair {
	p := pair{kind: kind}
	n := len(w.pairs)
	own := call.Row{CorrelationID: call.NameGUID("corr", fmt.Sprint(n)), Trunk: t.trunk, Caller: t.caller, Callee: t.callee, Invite: t.invite, FinalSIPCode: t.code}
	own.ID = call.NameGUID("own", fmt.Sprint(n))
	sbc := call.Row{Trunk: t.trunk, Caller: t.sbcCaller, Callee: t.sbcCall, Invite: t.invite.Add(t.skew).Truncate(time.Second)}
	if t.inbound {
		own.CallType, sbc.CallType, own.Caller = "ByotIn", "ByotIn", masked(own.Caller)
	} else {
		own.CallType, sbc.CallType, own.Callee = "ByotOut", "ByotOut", masked(own.Callee)
	}
	over := t.invite.Add(t.ring)
	if t.code != 0 {
		own.Failure, sbc.Failure = over, over.Add(t.skew).Truncate(time.Second)
		own.Start = t.invite
	} else {
		own.Successful, sbc.Successful = true, true
		own.Start, own.End = over, over.Add(t.talk)
		sbc.Start, sbc.End = over.Add(t.skew).Truncate(time.Second), over.Add(t.talk+t.skew).Truncate(time.Second)
	}
	p.sbc, p.own = sbc, own
	return p
}

func (w *world) add(p pair) { w.pairs = append(w.pairs, p) }

// hardPairs are ways in which the two records of a call differ, or those of two calls are alike.
var hardPairs = []struct {
	name string
	make func(*world, string)
}{
	{"national number", func(w *world, k string) {
		t := w.call()
		w.add(t.spelled("0"+t.caller[3:], "0"+t.callee[3:]).pair(w, k))
	}},
	{"00 in front", func(w *world, k string) {
		t := w.call()
		w.add(t.spelled("00"+t.caller[1:], "00"+t.callee[1:]).pair(w, k))
	}},
	{"no plus", func(w *world, k string) {
		t := w.call()
		w.add(t.spelled(t.caller[1:], t.callee[1:]).pair(w, k))
	}},
	{"digit for a line", func(w *world, k string) {
		t := w.call()
		w.add(t.spelled(t.caller, "90"+t.callee[3:]).pair(w, k))
	}},
	{"a 0 for a line", func(w *world, k string) {
		t := w.call()
		w.add(t.spelled(t.caller, "00"+t.callee[3:]).pair(w, k))
	}},
	{"a short number outside, an extension inside", func(w *world, k string) {
		t := w.call()
		outside, inside := "+45"+w.digits(8), "+4989550"+w.digits(3)
		if t.inbound {
			t.caller, t.callee = outside, inside
			w.add(t.spelled(outside[3:], inside[len(inside)-3:]).pair(w, k))
			return
		}
		t.caller, t.callee = inside, outside
		w.add(t.spelled(inside[len(inside)-3:], "0"+outside[3:]).pair(w, k))
	}},
	{"extension inside", func(w *world, k string) {
		t := w.call()
		if t.inbound {
			w.add(t.spelled(t.caller, t.callee[len(t.callee)-4:]).pair(w, k))
			return
		}
		w.add(t.spelled(t.caller[len(t.caller)-3:], t.callee).pair(w, k))
	}},
	{"written for the eye", func(w *world, k string) {
		t := w.call()
		w.add(t.spelled("+49 (0)"+t.caller[3:5]+" "+t.caller[5:], "sip:"+t.callee+"@10.0.0.1;user=phone").pair(w, k))
	}},
	{"no trunk told", func(w *world, k string) {
		p := w.call().pair(w, k)
		p.sbc.Trunk = ""
		w.add(p)
	}},
	{"no direction told", func(w *world, k string) {
		p := w.call().pair(w, k)
		p.sbc.CallType = ""
		w.add(p)
	}},
	{"start is the INVITE", func(w *world, k string) {
		p := w.call().pair(w, k)
		p.sbc.Start, p.sbc.Invite = p.sbc.Invite, time.Time{}
		w.add(p)
	}},
	{"no INVITE told", func(w *world, k string) {
		p := w.call().pair(w, k)
		p.sbc.Invite = time.Time{}
		w.add(p)
	}},
	{"failed", func(w *world, k string) {
		t := w.call()
		t.code = 486
		w.add(t.pair(w, k))
	}},
	{"failed at once", func(w *world, k string) {
		t := w.call()
		t.code, t.ring = 503, time.Duration(w.IntN(400))*time.Millisecond
		p := t.pair(w, k)
		p.sbc.Failure = time.Time{}
		w.add(p)
	}},
	{"anonymous, talked", func(w *world, k string) {
		t := w.call()
		t.talk = time.Duration(30_000+w.IntN(900_000)) * time.Millisecond
		p := t.pair(w, k)
		if t.inbound {
			p.own.Caller, p.sbc.Caller = "", "anonymous"
		} else {
			p.own.Caller, p.sbc.Caller = "anonymous", ""
		}
		w.add(p)
	}},
	{"called again after a busy tone", func(w *world, k string) {
		t := w.call()
		t.skew, t.code, t.ring = 0, 486, 300*time.Millisecond
		w.add(t.pair(w, k))
		again := t
		again.invite, again.code, again.ring = t.invite.Add(10*time.Second), 0, 4*time.Second
		w.add(again.pair(w, k))
		w.at = again.invite
	}},
	{"tried on two trunks", func(w *world, k string) {
		t := w.call()
		t.inbound, t.caller, t.callee = false, "+4989550"+w.digits(3), "+4930"+w.digits(8)
		t = t.spelled(t.caller, t.callee)
		t.code, t.ring = 503, 200*time.Millisecond
		w.add(t.pair(w, k))
		t.trunk, t.code, t.ring, t.invite = "sbc2.example.com", 0, 5*time.Second, t.invite.Add(300*time.Millisecond)
		w.add(t.pair(w, k))
	}},
	{"forwarded outside", func(w *world, k string) {
		t := w.call()
		t.inbound, t.caller, t.callee = true, "+4930"+w.digits(8), "+4989550"+w.digits(3)
		in := t.spelled(t.caller, t.callee)
		w.add(in.pair(w, k))
		out := t
		out.inbound, out.callee, out.invite = false, "+43664"+w.digits(7), t.invite.Add(400*time.Millisecond)
		w.add(out.spelled(out.caller, out.callee).pair(w, k))
	}},
	{"one hotline, many callers", func(w *world, k string) {
		hotline := "+4989550000"
		for range 5 {
			t := w.call()
			t.inbound, t.caller, t.callee = true, "+4930"+w.digits(8), hotline
			t.ring, t.skew = time.Duration(w.IntN(3_000))*time.Millisecond, 0
			w.add(t.spelled("0"+t.caller[3:], t.callee).pair(w, k))
			w.at = t.invite.Add(-500 * time.Millisecond)
		}
		w.at = w.at.Add(time.Minute)
	}},
	{"two of one block, other lengths", func(w *world, k string) {
		t := w.call()
		t.inbound, t.caller, t.callee = true, "+4930"+w.digits(8), "+4989550000"
		w.add(t.spelled(t.caller, t.callee).pair(w, k))
		t.caller = t.caller[:len(t.caller)-3] + w.digits(3)
		t.invite, t.talk = t.invite.Add(time.Second), t.talk+20*time.Second
		w.add(t.spelled(t.caller, t.callee).pair(w, k))
	}},
	// No rule can tell these.
	{"twins", func(w *world, k string) {
		t := w.call()
		t.skew = 0
		for range 2 {
			p := t.pair(w, k)
			p.apart, p.alike = true, true
			w.add(p)
		}
	}},
	{"two of one block, alike", func(w *world, k string) {
		t := w.call()
		t.inbound, t.callee, t.skew = true, "+4989550000", 0
		block := "+493055500"
		for i := range 2 {
			t.caller = block + fmt.Sprint(101+i)
			p := t.spelled(t.caller, t.callee).pair(w, k)
			p.apart, p.alike = true, true
			w.add(p)
		}
	}},
	{"two anonymous callers who hang up", func(w *world, k string) {
		for range 2 {
			t := w.call()
			t.inbound, t.callee, t.code, t.skew = true, "+4989550000", 487, 0
			p := t.spelled("anonymous", t.callee).pair(w, k)
			p.own.Caller, p.apart = "", true
			w.add(p)
		}
	}},
	{"another area with the same number", func(w *world, k string) {
		t := w.call()
		p := t.pair(w, k)
		other := t
		other.caller, other.callee = swapArea(t.caller), swapArea(t.callee)
		q := other.spelled(other.caller, other.callee).pair(w, k)
		p.sbc, p.apart = q.sbc, true
		w.add(p)
	}},
	{"an hour off", func(w *world, k string) {
		p := w.call().pair(w, k)
		for _, f := range recordTimes {
			if t := p.sbc.Time(f); !t.IsZero() {
				p.sbc.SetTime(f, t.Add(time.Hour))
			}
		}
		p.apart = true
		w.add(p)
	}},
	{"without numbers", func(w *world, k string) {
		p := w.call().pair(w, k)
		p.sbc.Caller, p.sbc.Callee, p.apart = "", "", true
		w.add(p)
	}},
	{"one of them is missing", func(w *world, k string) {
		p := w.call().pair(w, k)
		q := p
		t := w.call()
		t.invite, t.caller, t.callee = p.own.Invite.Add(time.Second), "+4930"+w.digits(8), "+4989550"+w.digits(3)
		q.own = t.spelled(t.caller, t.callee).pair(w, k).own
		q.apart = true
		w.add(q)
	}},
}

func swapArea(number string) string { return number[:3] + "7" + number[4:] }

// TestHardPairs: of a corpus of hard pairs at least 98 % of those that a human reader could join
// are linked, in every order, and never two that are not of one call.
func TestHardPairs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(storetest.Seed(t), 0))
	w := &world{Rand: rnd, at: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)}
	for range storetest.Scale(20) {
		for _, i := range rnd.Perm(len(hardPairs)) {
			hardPairs[i].make(w, hardPairs[i].name)
		}
	}
	store := storetest.NewModel()
	truth := w.put(t, New(Config{Store: store, Tenant: func(string) (call.GUID, bool) { return tenant, true }}))
	joined := map[int]bool{}
	for r, err := range store.Rows(t.Context(), call.Query{Tenant: tenant}) {
		if err != nil {
			t.Fatal(err)
		}
		if !r.Seen.Has(call.CDR) || !r.Seen.Has(call.Graph) {
			continue
		}
		// A field without another use tells which SBC's record it was.
		n := int(r.CallEndSubReason)
		if w.pairs[n].alike && w.mixed {
			continue
		}
		if truth[r.CorrelationID] != n {
			t.Errorf("%s: record %d of the SBC became part of call %d", w.pairs[n].kind, n, truth[r.CorrelationID])
		}
		if w.pairs[n].apart {
			t.Errorf("%s: call %d was joined, and nobody can tell", w.pairs[n].kind, n)
		}
		joined[n] = true
	}
	w.report(t, joined)
}

// put puts all records in a random order, in batches, and returns the number of the call of each
// correlation id.
func (w *world) put(t *testing.T, in *Ingest) map[call.GUID]int {
	truth := map[call.GUID]int{}
	events := map[call.Kind][]call.Event{}
	for n, p := range w.pairs {
		truth[p.own.CorrelationID] = n
		p.sbc.CallEndSubReason = int32(n)
		p.sbc.Settle(call.CDR.Witness(), false)
		p.own.Settle(call.Graph.Witness(), false)
		events[call.CDR] = append(events[call.CDR], call.Event{Kind: call.RecordEvent, Call: fmt.Sprint("call ", n), Row: p.sbc})
		events[call.Graph] = append(events[call.Graph], call.Event{Kind: call.RecordEvent, Row: p.own})
	}
	sinks := map[call.Kind]*Sink{call.CDR: in.Sink("sbc", tenant), call.Graph: in.Sink("graph", tenant)}
	order := []call.Kind{call.CDR, call.Graph}
	w.Shuffle(2, func(i, j int) { order[i], order[j] = order[j], order[i] })
	w.mixed = w.IntN(2) == 0
	for _, kind := range order {
		if w.IntN(2) == 0 {
			w.Shuffle(len(events[kind]), func(i, j int) { events[kind][i], events[kind][j] = events[kind][j], events[kind][i] })
		}
	}
	for len(events[order[0]])+len(events[order[1]]) > 0 {
		kind := order[0]
		if len(events[kind]) == 0 || w.mixed && w.IntN(2) == 0 {
			kind = order[1]
		}
		n := min(len(events[kind]), cmp.Or(w.IntN(40), 1))
		if err := tryPut(t.Context(), sinks[kind], events[kind][:n]...); err != nil {
			t.Fatal(err)
		}
		events[kind] = events[kind][n:]
	}
	return truth
}

// report prints how many pairs of each kind were joined.
func (w *world) report(t *testing.T, joined map[int]bool) {
	type line struct{ all, joined int }
	lines, apart := map[string]*line{}, map[string]bool{}
	all := &line{}
	for n, p := range w.pairs {
		if lines[p.kind] == nil {
			lines[p.kind] = &line{}
		}
		apart[p.kind] = p.apart
		for _, l := range []*line{lines[p.kind], all} {
			if l != all || !p.apart {
				l.all++
				l.joined += btoi(joined[n])
			}
		}
	}
	for _, h := range hardPairs {
		note := ""
		if apart[h.name] {
			note = "  (nobody can tell)"
		}
		t.Logf("%-36s %4d of %4d%s", h.name, lines[h.name].joined, lines[h.name].all, note)
	}
	share := 100 * float64(all.joined) / float64(all.all)
	t.Logf("%-36s %4d of %4d: %.1f %%", "all that can be told", all.joined, all.all, share)
	if share < 98 {
		t.Error("less than 98 %")
	}
}

// TestThreeWitnesses: what the SBC, a RADIUS client and Microsoft tell of a call is one row, in
// every order, in one batch or in three.
func TestThreeWitnesses(t *testing.T) {
	w := &world{Rand: rand.New(rand.NewPCG(storetest.Seed(t), 0)), at: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for _, batch := range []int{1, 2, 3} {
			p := w.call().pair(w, "three")
			told := []call.Event{{Call: "cdr", Row: p.sbc}, {Call: "radius", Row: p.sbc}, {Row: p.own}}
			for i, kind := range []call.Kind{call.CDR, call.RADIUS, call.Graph} {
				told[i].Kind = call.RecordEvent
				told[i].Row.Settle(kind.Witness(), false)
			}
			var events []call.Event
			for _, i := range order {
				events = append(events, told[i])
			}
			store := storetest.NewModel()
			sink := New(Config{Store: store}).Sink("all", tenant)
			for some := range slices.Chunk(events, batch) {
				if err := tryPut(t.Context(), sink, some...); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := store.Count(t.Context(), call.Query{Tenant: tenant}); n != 1 || err != nil {
				t.Errorf("order %v, %d at once: %d rows, %v", order, batch, n, err)
			}
		}
	}
}

// TestSharedDigits: sharedDigits tells which numbers are one, and by how many digits.
func TestSharedDigits(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		n     int
		known bool
	}{
		{"+49301234567", "+49301234567", 11, true},
		{"0301234567", "+49301234567", 9, true},
		{"0049301234567", "+49301234567", 11, true},
		{"00301234567", "+49301234567", 9, true},
		{"000493012345", "+493012345", 9, true},
		{"90301234567", "+49301234567", 9, true},
		{"011493012345", "+493012345", 9, true},
		{"912125550100", "+12125550100", 11, true},
		{"2125550100", "+12125550100", 10, true},
		{"0301234567", "+49301234***", 6, true},
		{"0301234567", "+49302234***", 0, true},
		{"+49301234567890", "+49301234***", 8, true}, // a mask need not be as long as the digits that it hides
		{"+4930123", "+49301234567", 0, true},
		{"0123", "+49301234123", 0, true},     // behind a 0 only a country code may be missing, and more is
		{"02345678", "+49302345678", 0, true}, // likewise
		{"+301234567", "+49301234567", 0, true},
		{"123", "+49301234123", 3, true},
		{"0612345678", "+390612345678", 9, true},
		{"+41441234567", "+42441234567", 0, true},
		{"anonymous", "+49301234567", 0, false},
		{"", "", 0, false},
		{"0000", "+49301234567", 0, false},
		{"sip:+49301234567@sbc", "030 123-45 67", 9, true},
	} {
		for _, x := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if n, known := sharedDigits(x[0], x[1]); n != c.n || known != c.known {
				t.Errorf("%q and %q share %d digits, %v; want %d, %v", x[0], x[1], n, known, c.n, c.known)
			}
		}
	}
}

// TestNumberKeys: rows whose numbers agree share a key, so that two Puts do not look them up at the
// same time.
func TestNumberKeys(t *testing.T) {
	w := &world{Rand: rand.New(rand.NewPCG(storetest.Seed(t), 0)), at: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)}
	for range 50 {
		for _, h := range hardPairs {
			h.make(w, h.name)
		}
	}
	for _, p := range w.pairs {
		if p.apart {
			continue
		}
		a, b := slices.Collect(numberKeys(&p.sbc)), slices.Collect(numberKeys(&p.own))
		if !slices.ContainsFunc(a, func(k int) bool { return slices.Contains(b, k) }) {
			t.Errorf("%s: %q %q have keys %v, %q %q %v", p.kind, p.sbc.Caller, p.sbc.Callee, a, p.own.Caller, p.own.Callee, b)
		}
	}
}
