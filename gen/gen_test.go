package gen_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
)

var update = flag.Bool("update", false, "write the golden files")

// add adds all of a row to a hash.
func add(h hash.Hash, r *call.Row) {
	var b []byte
	b = append(b, r.Tenant[:]...)
	b = binary.BigEndian.AppendUint64(b, call.Ticks(r.Start))
	b = append(b, r.ID[:]...)
	h.Write(r.AppendBody(b))
}

func line(r *call.Row) string {
	var b strings.Builder
	for f := range call.NumFields {
		if !r.Known(f) {
			continue
		}
		var v any
		switch f.Type() {
		case call.ID:
			v = r.GUID(f)
		case call.Text:
			v = r.Text(f)
		case call.Time:
			v = r.Time(f).Format(time.RFC3339Nano)
		case call.Number:
			v = r.Number(f)
		case call.Bool:
			v = r.Bool(f)
		case call.List:
			v = r.AdministrativeUnits
		}
		fmt.Fprintf(&b, "%s: %v\n", f, v)
	}
	return b.String()
}

// The same Config gives the same rows on every machine and with every version of Go. A change of a
// seed's rows belongs into CHANGELOG.md.
func TestGolden(t *testing.T) {
	var got bytes.Buffer
	for r := range gen.Rows(gen.Config{Rows: 40}) {
		fmt.Fprintln(&got, line(r))
	}
	tenant := call.GUID{1, 2, 3}
	month := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for i, c := range []gen.Config{
		{Rows: 20_000},
		{Rows: 20_000, Seed: 1},
		{Rows: 20_000, Tenant: tenant, Users: 20_000, Trunks: []string{"a.example.org"}, Late: 0.3},
		{Rows: 20_000, From: month, To: month.Add(time.Hour), Late: -1},
		{Rows: 500, From: month.Add(123456), To: month.Add(654321)},
	} {
		h := sha256.New()
		for r := range gen.Rows(c) {
			add(h, r)
		}
		fmt.Fprintf(&got, "sha256 %d: %x\n", i, h.Sum(nil))
	}
	file := filepath.Join("testdata", "rows.golden")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("rows are not those of %s; the first difference is at byte %d", file, firstDifference(got.Bytes(), want))
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Any Config gives the right number of rows, each within its time and fit for a store, no id twice,
// and the same ones a second time.
func TestAnyConfig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "from")))
		for range 8 {
			from = from.Add(time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "later")))
		}
		span := rapid.OneOf(rapid.Int64Range(101, 1e6), rapid.Int64Range(101, 1e12), rapid.Int64Range(101, 1e17)).Draw(t, "span")
		c := gen.Config{
			Rows:  rapid.IntRange(0, 300).Draw(t, "rows"),
			Seed:  rapid.Uint64().Draw(t, "seed"),
			From:  from,
			To:    from.Add(time.Duration(span)),
			Users: rapid.IntRange(1, 100).Draw(t, "users"),
			Late:  rapid.Float64Range(-1, 1).Draw(t, "late"),
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "trunks") {
			c.Trunks = append(c.Trunks, fmt.Sprintf("sbc%d.example.com", i))
		}
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		ids := map[call.GUID]bool{}
		sum := sha256.New()
		for r := range gen.Rows(c) {
			if r.Start.Before(c.From) || !r.Start.Before(c.To) {
				t.Fatalf("start %v is not from %v to %v", r.Start, c.From, c.To)
			}
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			if ids[r.ID] {
				t.Fatalf("id %v comes twice", r.ID)
			}
			ids[r.ID] = true
			add(sum, r)
		}
		if len(ids) != c.Rows {
			t.Fatalf("%d rows, want %d", len(ids), c.Rows)
		}
		again := sha256.New()
		for r := range gen.Rows(c) {
			add(again, r)
		}
		if !bytes.Equal(sum.Sum(nil), again.Sum(nil)) {
			t.Fatal("the second time the rows are others")
		}
	})
}

func TestCheck(t *testing.T) {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for want, c := range map[string]gen.Config{
		"-1 rows":                      {Rows: -1},
		"users":                        {Rows: 1, Users: -1},
		"there is no time for a call":  {Rows: 1, From: day, To: day},
		"there is no time for a call ": {Rows: 1, From: day.Add(1), To: day.Add(99)},
		"more than 100 years":          {Rows: 1, From: day, To: day.AddDate(101, 0, 0)},
		"within the years":             {Rows: 1, To: day.AddDate(9000, 0, 0)},
		"late rows":                    {Rows: 1, Late: 1.5},
		"host name":                    {Rows: 1, Trunks: []string{""}},
	} {
		err := c.Check()
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
		for range gen.Rows(c) {
			t.Fatalf("%+v gives rows", c)
		}
	}
	if err := (gen.Config{}).Check(); err != nil {
		t.Error(err)
	}
}

// Microsoft's rules on times, codes and users hold for every row.
func TestRowLaws(t *testing.T) {
	c := gen.Config{Rows: 50_000, Seed: 3}
	for r := range gen.Rows(c) {
		var faults []string
		law := func(holds bool, text string) {
			if !holds {
				faults = append(faults, text)
			}
		}
		failed := r.FinalSIPCode != 0
		law(r.Successful == !failed, "a call is successful if its SIP code is 0")
		law(r.Failure.IsZero() == !failed, "only a failed call has a failureDateTime")
		law(r.End.IsZero() == failed, "only an established call has an endDateTime")
		law(!r.Invite.IsZero() && !r.Invite.After(r.Start), "the INVITE comes first")
		if failed {
			law(r.Duration == 0, "a failed call has no duration")
			law(r.Start.Equal(r.Invite) || r.Start.Equal(r.Failure), "a failed call starts at its INVITE or failure")
			law(!r.Failure.Before(r.Invite), "the failure comes after the INVITE")
		} else {
			law(!r.End.Before(r.Start), "the end comes after the start")
			law(r.Duration == int32(r.End.Sub(r.Start)/time.Second), "duration is end - start")
			law(r.FinalSIPPhrase == "BYE", "a call ends with BYE")
			law(r.End.Sub(r.Start) < 13*time.Hour, "no call lasts for ever")
		}
		switch r.CallEndSubReason / 1000 {
		case 540:
			law(r.Inbound(), "540 is inbound")
		case 560:
			law(!r.Inbound(), "560 is outbound")
		}
		if s := r.CallEndSubReason; s/1000 == 540 || s/1000 == 560 {
			law(s%1000 == r.FinalSIPCode, "540 and 560 are followed by the SIP code")
		}
		proxy := r.Start.Sub(r.Invite)
		law(failed || !r.Inbound() || proxy < time.Second, "an inbound call starts when it is passed on")
		law(failed || r.Inbound() || proxy > time.Second, "an outbound call starts when it is answered")
		bot := strings.HasSuffix(r.CallType, "Ucap")
		law(!bot || r.UserID.IsZero() && r.UserPrincipalName == "" && r.UserDisplayName == "", "a bot is no user")
		law(r.UserID.IsZero() == (r.UserPrincipalName == ""), "a user has an id and an address")
		law(!r.MediaBypass || r.MediaLocation == "", "media that bypass Microsoft have no place there")
		law(r.MediaBypass || r.MediaLocation != "", "media that do not bypass Microsoft have a place")
		law(len(r.MediaLocation) <= 8 && len(r.SignalLocation) <= 8 && r.SignalLocation != "", "a location has 8 letters")
		law(r.ID[6]>>4 == 5 && r.CorrelationID[6]>>4 == 4, "ids are of version 5 and 4")
		law(r.Caller != "" && len(r.Caller) <= 32 && r.Callee != "" && len(r.Callee) <= 32, "numbers have up to 32 letters")
		law(r.Seen == call.Graph.Set() && r.By[call.FieldFailure] == call.Graph.Witness(), "Graph is the witness")
		for _, s := range []string{r.UserPrincipalName, r.Trunk} {
			law(strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII || unicode.IsUpper(r) }) < 0, "an address is lower case ASCII")
		}
		if faults != nil {
			t.Fatalf("%s\n%s", line(r), strings.Join(faults, "\n"))
		}
	}
}

// Ten million rows must not need the memory of ten million rows.
func TestMemory(t *testing.T) {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	const rows = 600_000
	// All in one minute, so that all are under way at once.
	c := gen.Config{Rows: rows, Seed: 5, From: day, To: day.Add(time.Minute)}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for range gen.Rows(c) {
		if n++; n%50_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 9<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

func TestNoAllocationPerRow(t *testing.T) {
	allocs := func(rows int) float64 {
		return testing.AllocsPerRun(3, func() {
			for range gen.Rows(gen.Config{Rows: rows}) {
				continue
			}
		})
	}
	if few, many := allocs(1000), allocs(21_000); many-few > 100 {
		t.Errorf("20,000 rows more make %v allocations more", many-few)
	}
}
