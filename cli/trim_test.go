package cli

import (
	"bytes"
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/tenant"
)

// Messages go when the day on which they were seen has been over for as long
// as they are kept, and a failure is told and made up for.
func TestTrimMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewModel()
		leg := call.Leg{ID: call.GUID{1}, From: time.Now().AddDate(0, 0, -9), To: time.Now()}
		var b call.Batch
		for day := range 6 {
			b.Messages = append(b.Messages, call.Message{Leg: leg.ID, At: time.Now().AddDate(0, 0, -day), Raw: []byte("x")})
		}
		if _, err := m.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		keep, err := tenant.ParsePeriod("3d")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		done := make(chan error, 1)
		go func() { done <- trimMessages(ctx, m, keep, time.Now, slog.New(slog.NewTextHandler(&log, nil))) }()
		left := func(want int) {
			t.Helper()
			synctest.Wait()
			n := 0
			for _, err := range m.Messages(t.Context(), leg) {
				if n++; err != nil {
					t.Fatal(err)
				}
			}
			if n != want {
				t.Errorf("%d messages at %v, want %d", n, time.Now(), want)
			}
		}
		left(4) // of today, and of three whole days
		time.Sleep(24 * time.Hour)
		left(3)
		m.FailWrites(call.ErrFull)
		time.Sleep(24 * time.Hour)
		left(3)
		if !strings.Contains(log.String(), "no space left") {
			t.Errorf("the log says %q", &log)
		}
		m.FailWrites(nil)
		time.Sleep(time.Hour)
		left(2)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestKeepSIP(t *testing.T) {
	for value, want := range map[string]struct {
		keeps  bool
		period string
		says   string
	}{
		"":        {false, "forever", ""},
		"off":     {false, "forever", ""},
		"0":       {false, "forever", ""},
		"forever": {true, "forever", ""},
		"30d":     {true, "30d", ""},
		"30":      {true, "forever", "--keep-sip: "},
		"-1d":     {true, "forever", "or 'off'"},
	} {
		s := serving{keepSIP: value}
		p, err := s.sipPeriod()
		if s.keepsSIP() != want.keeps || p.String() != want.period || (err == nil) != (want.says == "") || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("--keep-sip %q: %v, %v, %v", value, s.keepsSIP(), p, err)
		}
	}
	if _, errs, code := command(t, "", "serve", "--keep-sip", "30", "--data", t.TempDir()); code != exitUsage || !strings.Contains(errs, "--keep-sip") {
		t.Errorf("exit code %d, %q", code, errs)
	}
}

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
		cmd := exec.CommandContext(t.Context(), "trunklog", "import", c.format, "--tenant", "contoso", "--data", data, "-")
		cmd.Env = append(cleanEnv(), envPrefix+"KEEP_SIP="+c.period)
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
