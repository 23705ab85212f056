package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

const unitFile = repository + "/packaging/trunklog.service"

// TestUnit has systemd judge the unit: it is well formed, and its exposure, from 0 for none to 10,
// is no more than docs/operating.md states.
func TestUnit(t *testing.T) {
	kit.Need(t, "systemd-analyze")
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("true") // verify wants to see a program, and none is installed
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "trunklog.service")
	if err := os.WriteFile(unit, []byte(strings.Replace(string(text), "=/usr/bin/trunklog ", "="+program+" ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	analyze := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "systemd-analyze", args...)
		cmd.Env = append(os.Environ(), "SYSTEMD_PAGER=cat", "SYSTEMD_COLORS=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if said := analyze("verify", "--man=no", unit); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	exposure := func(before, text string) float64 {
		t.Helper()
		m := regexp.MustCompile(before + `(\d+\.\d)`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no number behind %q in\n%s", before, text)
		}
		f, _ := strconv.ParseFloat(m[1], 64) // it is digits
		return f
	}
	is := exposure("Overall exposure level for trunklog.service: ", analyze("security", "--offline=true", unit))
	page, err := os.ReadFile(repository + "/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	if stated := exposure("an exposure of ", strings.Join(strings.Fields(string(page)), " ")); is > stated {
		t.Errorf("the exposure of the unit is %.1f, and docs/operating.md states %.1f", is, stated)
	}
}
