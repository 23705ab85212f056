package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestKeepSIPSetting: one setting holds for the server and for imports of every
// format.
func TestKeepSIPSetting(t *testing.T) {
	data := t.TempDir()
	newTenant(t, data, "contoso", contosoID)
	row := must(t, "", "gen", "--rows", "1")
	for _, c := range []struct{ format, in, period, says string }{
		{"graph", row, "30d", "1 new"},
		{"hep", must(t, "", "gen", "--rows", "1", "--from", "2026-11-01", "--to", "2026-11-02", "--as", "hep"), "30d", "1 call"},
		{"hep", "", "30", "--keep-sip: "},
	} {
		cmd := kit.Command(t.Context(), "trunklog", "import", c.format, "--tenant", "contoso", "--data", data, "-")
		cmd.Env = append(cmd.Env, "TRUNKLOG_KEEP_SIP="+c.period)
		cmd.Stdin = strings.NewReader(c.in)
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), c.says) {
			t.Errorf("import %s with %s: %s; want %q", c.format, c.period, out, c.says)
		}
	}
}

// TestKeepForever: a tenant whose rows are kept for ever keeps them, whatever
// the server was told for those of others.
func TestKeepForever(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	old := `{"id":"00000001-0000-4000-8000-000000000001","startDateTime":"2001-10-01T00:00:00Z"}`
	for name, add := range map[string][]string{
		"contoso":  {"--id", contosoID, "--keep", "forever"},
		"fabrikam": {"--id", fabrikamID},
	} {
		must(t, "", append([]string{"tenant", "add", name, "--data", data}, add...)...)
		must(t, old, "import", "graph", "--data", data, "--tenant", name, "-")
	}
	if list := must(t, "", "tenant", "list", "--data", data); !regexp.MustCompile(`(?m)^contoso .* forever `).MatchString(list) || !regexp.MustCompile(`(?m)^fabrikam .* server's `).MatchString(list) {
		t.Errorf("tenant list says\n%s", list)
	}
	start(t, data, "--keep", "1y")
	count := func(name string) string {
		return strings.TrimSpace(must(t, "", "calls", "count", "--data", data, "--tenant", name))
	}
	for deadline := time.Now().Add(patience); count("fabrikam") != "0"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the row of the other tenant is still there")
		}
	}
	if n := count("contoso"); n != "1" {
		t.Errorf("%s rows of the tenant that keeps them for ever; want 1", n)
	}
}
