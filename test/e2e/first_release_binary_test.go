package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// firstRelease is the commit of the first release.
const firstRelease = "4ff96b0"

// TestFirstReleaseRefuses has the program of the first release open a store that was
// upgraded: it says in words that it cannot, and changes nothing. A backup of a store
// of that release, made as it is, is one that it opens, and that today's restores.
func TestFirstReleaseRefuses(t *testing.T) {
	kit.Long(t)
	old := buildFirstRelease(t)
	data := filepath.Join(t.TempDir(), "data")
	copyPrivate(t, filepath.Join("testdata", "first-release", "closed"), data)
	backup := filepath.Join(t.TempDir(), "backup")
	must(t, "", "db", "backup", backup, "--data", data)
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), old, args...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("db", "check", "--data", data); err != nil {
		t.Errorf("after a backup the first release does not open its store any more: %v, %s", err, out)
	}
	if out, err := run("db", "check", "--data", backup); err != nil {
		t.Errorf("the first release does not open the backup: %v, %s", err, out)
	}

	must(t, "", "db", "upgrade", "--data", data)
	must(t, "", "db", "upgrade", "--data", data) // twice is once
	rows := must(t, "", "calls", "count", "--data", data, "--tenant", "contoso")
	for _, args := range [][]string{{"db", "check"}, {"calls", "list", "--tenant", "contoso"}, {"serve", "--listen", "127.0.0.1:0"}} {
		out, err := run(append(args, "--data", data)...)
		if err == nil || !strings.Contains(out, "format 2") || strings.Contains(out, "goroutine") {
			t.Errorf("the first release answers %v with %v, %s", args, err, out)
		}
	}
	must(t, "", "db", "check", "--data", data)
	if now := must(t, "", "calls", "count", "--data", data, "--tenant", "contoso"); now != rows {
		t.Errorf("%s rows, were %s", now, rows)
	}

	restored := filepath.Join(t.TempDir(), "restored")
	must(t, "", "db", "restore", backup, "--data", restored)
	if now := must(t, "", "calls", "count", "--data", restored, "--tenant", "contoso"); now != rows {
		t.Errorf("%s rows are restored, were %s", now, rows)
	}
}

// buildFirstRelease builds the program of the first release from the history of the
// repository.
func buildFirstRelease(t *testing.T) string {
	t.Helper()
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := git("rev-parse", "--verify", "--quiet", firstRelease+"^{commit}"); err != nil {
		text := "the first release cannot be built: its commit, " + firstRelease + ", is not here: " + out + "; if this is a shallow clone, run 'git fetch --unshallow'"
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	tree := filepath.Join(t.TempDir(), "tree")
	if out, err := git("worktree", "add", "--detach", tree, firstRelease); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "git", "worktree", "remove", "--force", tree).CombinedOutput(); err != nil {
			t.Errorf("%v, %s", err, out)
		}
	})
	program := filepath.Join(t.TempDir(), "trunklog")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, ".") // so that Go keeps what it has compiled
	build.Dir = tree
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	return program
}
