package tenant_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/tenant"
)

// TestAuthority asks for whose calls a sender speaks, by the names in its certificate.
func TestAuthority(t *testing.T) {
	d, _ := open(t, storetest.NewModel())
	add(t, d, contoso, "contoso", "sbc1.contoso.com", "sbc2.contoso.com", "*.contoso.carrier.com")
	add(t, d, fabrikam, "fabrikam", "sbc.fabrikam.com", "own.contoso.carrier.com")
	set := func(id call.GUID, change func(*tenant.Tenant)) error {
		_, err := d.Set(t.Context(), id, false, func(x *tenant.Tenant) error {
			change(x)
			return nil
		})
		return err
	}
	speaks := func(id call.GUID, name string, trunks ...string) {
		t.Helper()
		if err := set(id, func(x *tenant.Tenant) { x.AddSender(name, trunks...) }); err != nil {
			t.Fatal(err)
		}
	}
	speaks(contoso, "Agent.Carrier.com.", "SBC1.contoso.com", "*.contoso.carrier.com")
	speaks(fabrikam, "agent.carrier.com", "sbc.fabrikam.com")
	speaks(contoso, "*.sip.contoso.com", "sbc2.contoso.com")
	for _, c := range []struct {
		names  []string
		trunks []string // for whose calls it speaks
		of     []call.GUID
	}{
		{nil, nil, nil},
		{[]string{"sbc1.contoso.com"}, []string{"sbc1.contoso.com"}, []call.GUID{contoso}},
		{[]string{"SBC1.Contoso.com."}, []string{"sbc1.contoso.com"}, []call.GUID{contoso}},
		{[]string{"sbc1.contoso.com", "sbc.fabrikam.com"}, []string{"sbc1.contoso.com", "sbc.fabrikam.com"}, []call.GUID{contoso, fabrikam}},
		{[]string{"a.contoso.carrier.com"}, []string{"a.contoso.carrier.com"}, []call.GUID{contoso}},
		{[]string{"*.contoso.com"}, nil, nil},         // a wildcard that nobody has named
		{[]string{"*.contoso.carrier.com"}, nil, nil}, // not even where a trunk is called so
		{[]string{"*.sip.contoso.com"}, []string{"sbc2.contoso.com"}, []call.GUID{contoso}},
		{[]string{"x.sip.contoso.com"}, nil, nil}, // the wildcard is a name, and no pattern
		{[]string{"agent.carrier.com"}, []string{"sbc1.contoso.com", "a.contoso.carrier.com", "sbc.fabrikam.com"}, []call.GUID{contoso, fabrikam}},
		{[]string{"contoso.com", "com", "", "*", "."}, nil, nil},
		{[]string{"nobody.example"}, nil, nil},
	} {
		a := d.Authority(t.Context(), c.names)
		if !a.Shared() {
			t.Fatal("there are two tenants")
		}
		for _, trunk := range []string{"sbc1.contoso.com", "sbc2.contoso.com", "a.contoso.carrier.com", "own.contoso.carrier.com", "sbc.fabrikam.com", "nobody.example", ""} {
			if got, want := a.Trunk(trunk), slices.Contains(c.trunks, trunk); got != want {
				t.Errorf("%q for %s: %v", c.names, trunk, got)
			}
		}
		for _, id := range []call.GUID{contoso, fabrikam, call.Unassigned} {
			if got, want := a.Tenant(id), slices.Contains(c.of, id); got != want {
				t.Errorf("%q for tenant %v: %v", c.names, id, got)
			}
		}
	}

	// What is taken back holds at once: a name, a trunk, the tenant. Who adds the tenant
	// again, or gives the trunk to another one, begins anew.
	agent := func(trunk string, want bool) {
		t.Helper()
		if d.Authority(t.Context(), []string{"agent.carrier.com"}).Trunk(trunk) != want {
			t.Errorf("the agent for %s: %v", trunk, !want)
		}
	}
	if err := set(contoso, func(x *tenant.Tenant) { x.RemoveTrunk("sbc1.contoso.com") }); err != nil {
		t.Fatal(err)
	}
	agent("sbc1.contoso.com", false)
	agent("a.contoso.carrier.com", true)
	if err := set(fabrikam, func(x *tenant.Tenant) { x.AddTrunk("sbc1.contoso.com"); x.Rename("other") }); err != nil {
		t.Fatal(err)
	}
	agent("sbc1.contoso.com", false)
	agent("sbc.fabrikam.com", true)
	if err := set(contoso, func(x *tenant.Tenant) { x.RemoveTrunk("*.contoso.carrier.com") }); err != nil {
		t.Fatal(err)
	}
	agent("a.contoso.carrier.com", false)
	if err := d.Remove(t.Context(), fabrikam); err != nil {
		t.Fatal(err)
	}
	if d.Authority(t.Context(), nil).Shared() {
		t.Error("there is one tenant")
	}
	add(t, d, fabrikam, "fabrikam", "sbc.fabrikam.com")
	agent("sbc.fabrikam.com", false)
}

func TestBadSenders(t *testing.T) {
	d, _ := open(t, storetest.NewModel())
	add(t, d, contoso, "contoso", "sbc1.contoso.com")
	add(t, d, fabrikam, "fabrikam", "sbc.fabrikam.com")
	for name, trunk := range map[string]string{
		"agent.carrier.com":  "sbc.fabrikam.com",
		"agent.carrier.net":  "",
		"*.*.carrier.com":    "sbc1.contoso.com",
		"ag*nt.carrier.com":  "sbc1.contoso.com",
		"süd.carrier.com":    "sbc1.contoso.com",
		"":                   "sbc1.contoso.com",
		"agent.carrier.com/": "sbc1.contoso.com",
		"agent.wild.com":     "*.contoso.com",
	} {
		_, err := d.Set(t.Context(), contoso, false, func(x *tenant.Tenant) error {
			x.AddSender(name, trunk)
			return nil
		})
		if !errors.Is(err, call.ErrInvalid) {
			t.Errorf("%s=%s: %v", name, trunk, err)
		}
	}
	if x, err := d.Find(t.Context(), "contoso"); err != nil || len(x.Senders) != 0 {
		t.Errorf("%+v, %v", x, err)
	}
}
