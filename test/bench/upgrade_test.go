package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// What cannot be built is left out of the page with the reason, and is no failure.
func TestBuildCommit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	fails := func(want string) {
		t.Helper()
		if err := buildCommit(t.Context(), dir, firstRelease, filepath.Join(t.TempDir(), "trunklog")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	fails("not under version control")
	if _, err := kit.Output(kit.Command(t.Context(), "git", "init", dir)); err != nil {
		kit.Missing(t, "%v", err)
	}
	fails("run 'git fetch --unshallow'")
	t.Setenv("PATH", t.TempDir())
	fails("executable file not found")

	b := &bench{report: &report{}, config: config{upgradeRows: 5000}, dir: t.TempDir()}
	if err := b.measureUpgrade(t.Context()); err != nil || len(b.report.results) > 0 || len(b.report.notes) != 1 {
		t.Errorf("without git: %v, %v, %v", err, b.report.results, b.report.notes)
	}
}
