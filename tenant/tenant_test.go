package tenant_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/tenant"
)

var (
	contoso  = call.GUID{1}
	fabrikam = call.GUID{2}
)

// A clock is the directory's source of time.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func open(t *testing.T, store call.Store) (*tenant.Directory, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	d, err := tenant.Open(t.Context(), store, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return d, c
}

func add(t *testing.T, d *tenant.Directory, id call.GUID, name string, trunks ...string) {
	t.Helper()
	if err := d.Add(t.Context(), tenant.Tenant{ID: id, Name: name, Trunks: trunks}); err != nil {
		t.Fatal(err)
	}
}

func TestByTrunk(t *testing.T) {
	d, _ := open(t, storetest.NewModel())
	add(t, d, contoso, "contoso", "sbc1.contoso.com", "*.customers.carrier.com")
	add(t, d, fabrikam, "fabrikam", "*.fabrikam.customers.carrier.com", "SBC2.contoso.com.")
	for host, want := range map[string]call.GUID{
		"sbc1.contoso.com":                 contoso,
		"SBC1.Contoso.COM.":                contoso,
		"sbc2.contoso.com":                 fabrikam,
		"a.customers.carrier.com":          contoso,
		"a.b.customers.carrier.com":        contoso,
		"x.fabrikam.customers.carrier.com": fabrikam,
		"fabrikam.customers.carrier.com":   contoso,
		"customers.carrier.com":            {},
		"evilcustomers.carrier.com":        {},
		"contoso.com":                      {},
		"":                                 {},
	} {
		got, ok := d.ByTrunk(t.Context(), host)
		if got != want || ok != !want.IsZero() {
			t.Errorf("ByTrunk(%q) = %v, %v; want %v", host, got, ok, want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	d, _ := open(t, storetest.NewModel())
	add(t, d, contoso, "contoso", "sbc1.contoso.com", "*.carrier.com")
	for _, c := range []struct {
		t    tenant.Tenant
		says string
	}{
		{tenant.Tenant{ID: fabrikam, Name: "Contoso"}, "there is a tenant contoso already"},
		{tenant.Tenant{ID: contoso, Name: "other"}, "belongs to tenant contoso already"},
		{tenant.Tenant{Name: "other"}, "has no id"},
		{tenant.Tenant{ID: fabrikam, Name: "a/b"}, "are possible"},
		{tenant.Tenant{ID: fabrikam, Name: "v1.0"}, "reserved"},
		{tenant.Tenant{ID: fabrikam, Name: "other", Trunks: []string{"sbc1.contoso.com"}}, "trunk sbc1.contoso.com belongs to tenant contoso"},
		{tenant.Tenant{ID: fabrikam, Name: "other", Trunks: []string{"*.carrier.com"}}, "trunk *.carrier.com belongs to tenant contoso"},
		{tenant.Tenant{ID: fabrikam, Name: "other", Trunks: []string{"https://sbc"}}, "a host name such as"},
		{tenant.Tenant{ID: fabrikam, Name: "other", Trunks: []string{"a.*.com"}}, "a host name such as"},
	} {
		err := d.Add(t.Context(), c.t)
		if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Add(%+v) = %v; want an error that says %q", c.t, err, c.says)
		}
	}
}

// The directory finds a tenant that another process has added, without a call of Changed, within a
// second, and its trunk within a tenth of one.
func TestFresh(t *testing.T) {
	store := storetest.NewModel()
	d, clock := open(t, store)
	if _, err := d.Find(t.Context(), "contoso"); !errors.Is(err, call.ErrNotFound) || !strings.Contains(err.Error(), "trunklog tenant add") {
		t.Fatalf("Find in an empty directory: %v; want ErrNotFound and advice", err)
	}
	other, _ := open(t, store)
	add(t, other, contoso, "contoso", "sbc1.contoso.com")
	clock.t = clock.t.Add(100 * time.Millisecond)
	if id, ok := d.ByTrunk(t.Context(), "sbc1.contoso.com"); !ok || id != contoso {
		t.Errorf("ByTrunk: %v, %v", id, ok)
	}
	add(t, other, fabrikam, "fabrikam")
	clock.t = clock.t.Add(time.Second)
	if got, err := d.Find(t.Context(), "fabrikam"); err != nil || got.ID != fabrikam {
		t.Errorf("Find: %v, %v", got, err)
	}
	for _, name := range []string{"contoso", "CONTOSO", contoso.String(), strings.ToUpper(contoso.String())} {
		if got, err := d.Find(t.Context(), name); err != nil || got.ID != contoso {
			t.Errorf("Find(%q) = %v, %v", name, got, err)
		}
	}
}

// TestChanged: after a call of Changed, the directory sees another process's change at once.
func TestChanged(t *testing.T) {
	store := storetest.NewModel()
	d, _ := open(t, store)
	add(t, d, contoso, "contoso", "sbc1.contoso.com")
	if _, err := d.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, _ := open(t, store)
	add(t, other, fabrikam, "fabrikam")
	d.Changed("auth/keys")
	if all, err := d.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("it looks again without a reason: %v, %v", all, err)
	}
	d.Changed("tenant/" + fabrikam.String())
	if all, err := d.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestKeepSurvives(t *testing.T) {
	store := storetest.NewModel()
	d, _ := open(t, store)
	keep, err := tenant.ParsePeriod("2y")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Add(t.Context(), tenant.Tenant{ID: contoso, Name: "contoso", Keep: keep}); err != nil {
		t.Fatal(err)
	}
	again, _ := open(t, store)
	if got, err := again.Find(t.Context(), "contoso"); err != nil || got.Keep != keep {
		t.Errorf("Keep = %v, %v; want %v", got.Keep, err, keep)
	}
}

func TestPeriod(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"1d": "2024-02-28T12:00:00Z", "8w": "2024-01-04T12:00:00Z", "2m": "2023-12-29T12:00:00Z", "2mo": "2023-12-29T12:00:00Z", "1y": "2023-03-01T12:00:00Z",
		"forever": "0001-01-01T00:00:00Z", "": "0001-01-01T00:00:00Z",
	} {
		p, err := tenant.ParsePeriod(s)
		if got := p.Before(now).Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%q before %v is %s, %v; want %s", s, now, got, err, want)
		}
		if back, err := tenant.ParsePeriod(p.String()); s != "" && (err != nil || back != p) {
			t.Errorf("%q is printed as %q", s, p)
		}
	}
	for _, s := range []string{"0d", "-1d", "y", "10", "1.5y", "10 y", "9999999d", "1h", "ü", "5min", "mo", "1.5mo", "2mom"} {
		if p, err := tenant.ParsePeriod(s); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("ParsePeriod(%q) = %v, %v; want ErrInvalid", s, p, err)
		}
	}
}

// TestMonths: months are "mo" to people, and "m" in stores and in JSON, as they always were.
func TestMonths(t *testing.T) {
	old, err := tenant.ParsePeriod("6m")
	if err != nil {
		t.Fatal(err)
	}
	p, err := tenant.ParsePeriod("6mo")
	if b, _ := p.MarshalText(); err != nil || p != old || p.String() != "6mo" || string(b) != "6m" {
		t.Errorf("6mo is %v, %s, %v", p, b, err)
	}
}

func TestNumber(t *testing.T) {
	d, _ := open(t, storetest.NewModel())
	german, _ := tenant.ParsePlan("+49/0/00")
	american, _ := tenant.ParsePlan("+1/1/011")
	err := d.Add(t.Context(), tenant.Tenant{
		ID: contoso, Name: "contoso", Trunks: []string{"sbc1.contoso.com", "*.us.contoso.com", "SBC2.contoso.com"},
		Plans: map[string]tenant.Plan{"": german, "*.us.contoso.com": american},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ trunk, number, want string }{
		{"SBC1.contoso.com", "030123456", "+4930123456"},
		{"sbc2.contoso.com", "030123456", "+4930123456"},
		{"a.us.contoso.com", "14255550100", "+14255550100"},
		{"elsewhere.com", "030123456", "030123456"},
		{"", "030123456", "030123456"},
	} {
		if got := d.Number(t.Context(), c.trunk, c.number); got != c.want {
			t.Errorf("%s on %s is %s, want %s", c.number, c.trunk, got, c.want)
		}
	}
	err = d.Add(t.Context(), tenant.Tenant{ID: fabrikam, Name: "fabrikam", Plans: map[string]tenant.Plan{"other.com": german}})
	if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), "none of the tenant's trunks") {
		t.Errorf("a plan for another's trunk: %v", err)
	}
}

// A gate is a store whose state is read only while it is open.
type gate struct {
	call.Store
	reads atomic.Int64
	shut  atomic.Pointer[chan struct{}]
}

func (g *gate) State(ctx context.Context, prefix string) iter.Seq2[call.Named, error] {
	g.reads.Add(1)
	if c := g.shut.Load(); c != nil {
		<-*c
	}
	return g.Store.State(ctx, prefix)
}

// Look-ups of unknown names are as cheap as others: the directory reads the store at most once a
// second, or every tenth of one for trunks, and answers other callers from memory meanwhile.
func TestUnknownIsCheap(t *testing.T) {
	store := &gate{Store: storetest.NewModel()}
	d, clock := open(t, store)
	add(t, d, contoso, "contoso", "sbc1.contoso.com")
	ask := func(n int) {
		t.Helper()
		for range n {
			if _, err := d.Find(t.Context(), "nobody"); !errors.Is(err, call.ErrNotFound) {
				t.Fatal(err)
			}
			if _, ok := d.ByTrunk(t.Context(), "sbc.nobody.com"); ok {
				t.Fatal("an unknown trunk is known")
			}
			if _, err := d.Find(t.Context(), "contoso"); err != nil {
				t.Fatal(err)
			}
			if id, ok := d.ByTrunk(t.Context(), "sbc1.contoso.com"); !ok || id != contoso {
				t.Fatal(id, ok)
			}
		}
	}
	ask(1)
	before := store.reads.Load()
	for range 10 {
		clock.t = clock.t.Add(freshTrunk)
		ask(1000)
	}
	if n := store.reads.Load() - before; n > 10 {
		t.Errorf("the store was read %d times in a second, want 10", n)
	}

	open := make(chan struct{})
	store.shut.Store(&open)
	clock.t = clock.t.Add(time.Hour)
	before = store.reads.Load()
	first := make(chan error, 1)
	go func() { _, err := d.Find(t.Context(), "nobody"); first <- err }()
	for store.reads.Load() == before {
		runtime.Gosched()
	}
	ask(1000) // hangs if a caller waits
	close(open)
	if err := <-first; !errors.Is(err, call.ErrNotFound) {
		t.Error(err)
	}
}

const freshTrunk = 100 * time.Millisecond

// TestStuckStore: while the store hangs in a read for one caller, or in a change that
// another makes, a caller that has to see a change that was told waits no longer than
// its own context, and many changes at once all come to be.
func TestStuckStore(t *testing.T) {
	store := &gate{Store: storetest.NewModel()}
	d, _ := open(t, store)
	add(t, d, contoso, "contoso", "sbc1.contoso.com")
	if _, err := d.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	shut := make(chan struct{})
	store.shut.Store(&shut)
	before := store.reads.Load()
	var changes errgroup.Group
	for i := range 20 {
		changes.Go(func() error {
			return d.Add(t.Context(), tenant.Tenant{ID: call.NameGUID(strconv.Itoa(i)), Name: "t" + strconv.Itoa(i)})
		})
	}
	for store.reads.Load() == before {
		runtime.Gosched()
	}
	d.Changed("tenant/" + fabrikam.String())
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := d.List(ctx); first <- err }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("it has waited: %v", err)
	}
	if id, ok := d.ByTrunk(ctx, "sbc1.contoso.com"); !ok || id != contoso {
		t.Errorf("what is known is not known any more: %v, %v", id, ok)
	}
	store.shut.Store(nil)
	close(shut)
	if err := changes.Wait(); err != nil {
		t.Error(err)
	}
	if all, err := d.List(t.Context()); err != nil || len(all) != 21 {
		t.Errorf("%d tenants, %v", len(all), err)
	}
}
