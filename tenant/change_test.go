package tenant_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/tenant"
)

// TestSetRace: two processes cannot give the same name or trunk to two tenants at once.
func TestSetRace(t *testing.T) {
	store := storetest.NewModel()
	a, _ := open(t, store)
	add(t, a, contoso, "contoso")
	add(t, a, fabrikam, "fabrikam")
	b, _ := open(t, store)
	give := func(x *tenant.Tenant) error {
		x.AddTrunk("SBC.example.com.")
		return nil
	}
	_, err := b.Set(t.Context(), fabrikam, false, func(x *tenant.Tenant) error {
		if _, err := a.Set(t.Context(), contoso, false, give); err != nil {
			t.Fatal(err)
		}
		return give(x)
	})
	if !errors.Is(err, call.ErrInvalid) {
		t.Errorf("the trunk of another tenant: %v", err)
	}
	if owner, _ := b.ByTrunk(t.Context(), "sbc.example.com"); owner != contoso {
		t.Errorf("the trunk is %v's", owner)
	}
}

func TestSetNames(t *testing.T) {
	d, _ := open(t, storetest.NewModel())
	add(t, d, contoso, "contoso", "sbc1.contoso.com")
	add(t, d, fabrikam, "fabrikam")
	set := func(id call.GUID, change func(*tenant.Tenant)) (tenant.Tenant, error) {
		return d.Set(t.Context(), id, false, func(x *tenant.Tenant) error {
			change(x)
			return nil
		})
	}
	if x, err := set(contoso, func(x *tenant.Tenant) { x.Rename("Contoso-AG"); x.AddName("co"); x.AddName("CO") }); err != nil || x.Name != "contoso-ag" || !slices.Equal(x.Names, []string{"contoso", "co"}) {
		t.Errorf("%+v, %v", x, err)
	}
	for _, name := range []string{"contoso", "co", contoso.String(), "unassigned", "with space"} {
		if _, err := set(fabrikam, func(x *tenant.Tenant) { x.AddName(name) }); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("another tenant is called %q, too: %v", name, err)
		}
	}
	if x, err := set(contoso, func(x *tenant.Tenant) { x.Rename("contoso") }); err != nil || x.Name != "contoso" || !slices.Equal(x.Names, []string{"co", "contoso-ag"}) {
		t.Errorf("back to the name that it had: %+v, %v", x, err)
	}
	plan, _ := tenant.ParsePlan("+49/0/00")
	x, err := set(contoso, func(x *tenant.Tenant) {
		x.Plans = map[string]tenant.Plan{"sbc1.contoso.com": plan}
		x.AddTrunk("SBC1.contoso.com")
	})
	if err != nil || len(x.Trunks) != 1 || len(x.Plans) != 1 {
		t.Errorf("a trunk that it has already: %+v, %v", x, err)
	}
	if err := d.Remove(t.Context(), contoso); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), contoso); !errors.Is(err, call.ErrNotFound) {
		t.Error(err)
	}
	if _, err := set(contoso, func(*tenant.Tenant) {}); !errors.Is(err, call.ErrNotFound) {
		t.Error(err)
	}
}
