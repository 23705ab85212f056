package leg

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip"
	"github.com/trunklog/trunklog/sip/siptest"
)

// began is when the calls of wild begin.
var began = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

// wild returns the messages of ingest's testdata/wild/*.sip, leg by leg: calls as SBCs, Microsoft
// and capture agents send and report them.
func wild(t testing.TB) map[string][]call.Signal {
	t.Helper()
	files, err := filepath.Glob("../testdata/wild/*.sip")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	all := make(map[string][]call.Signal)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range siptest.ReadScript(t, string(b)).Packets {
			m := call.Signal{At: began.Add(p.At), Src: p.Src, Dst: p.Dst, Transport: p.Transport}
			if _, err := sip.Scan(p.Message, &m); err != nil {
				t.Fatalf("%s: %v: %s", file, err, p.Message)
			}
			name := strings.TrimSuffix(filepath.Base(file), ".sip") + " " + m.CallID
			all[name] = append(all[name], m)
		}
	}
	return all
}

// TestAnyOrder: the row of a leg depends neither on the order of its messages, nor on repeats, nor
// on when the leg was written and read again in between.
func TestAnyOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any will do
	rnd := rand.New(rand.NewPCG(seed, 29))
	for name, one := range wild(t) {
		want := rowOfLeg(heardIn(one))
		for range 50 {
			order := append(slices.Clone(one), one[:rnd.IntN(len(one)+1)]...)
			rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			l := heardIn(order[:1+rnd.IntN(len(order))])
			again, err := Decode(l.Encode(nil))
			if err != nil {
				t.Fatal(err)
			}
			for i := range order {
				again.Add(&order[i])
			}
			if got := rowOfLeg(again); !got.Equal(&want) {
				t.Fatalf("seed %d: %s:\n got %+v\nwant %+v", seed, name, got, want)
			}
		}
	}
}

// TestTrunkOf: a leg's trunk has the first name that a tenant owns, and the leg of a source that is
// bound to a tenant is always that tenant's.
func TestTrunkOf(t *testing.T) {
	contoso, fabrikam := call.NameGUID("contoso"), call.NameGUID("fabrikam")
	owner := func(host string) (call.GUID, bool) {
		of := map[string]call.GUID{"sbc1.contoso.com": contoso, "sbc.fabrikam.com": fabrikam}[host]
		return of, !of.IsZero()
	}
	for _, c := range []struct {
		tenant call.GUID
		trunk  string
		hosts  []string
		want   string
		owner  call.GUID
	}{
		{call.GUID{}, "", []string{"nobody.net", "sbc.fabrikam.com", "sbc1.contoso.com"}, "sbc.fabrikam.com", fabrikam},
		{contoso, "", []string{"nobody.net", "sbc.fabrikam.com", "sbc1.contoso.com"}, "sbc1.contoso.com", contoso},
		{contoso, "", []string{"nobody.net", "sbc.fabrikam.com"}, "nobody.net", contoso},
		{contoso, "sbc9.contoso.com", []string{"nobody.net"}, "sbc9.contoso.com", contoso},
		{call.GUID{}, "sbc1.contoso.com", []string{"nobody.net"}, "sbc1.contoso.com", contoso},
		{call.GUID{}, "", []string{"nobody.net"}, "nobody.net", call.Unassigned},
		{call.GUID{}, "", nil, "", call.Unassigned},
	} {
		l := Leg{Tenant: c.tenant, Trunk: c.trunk}
		if trunk, tenant := l.TrunkOf(&View{Trunks: c.hosts}, owner); trunk != c.want || tenant != c.owner {
			t.Errorf("%+v: %q of %v", c, trunk, tenant)
		}
	}
}
