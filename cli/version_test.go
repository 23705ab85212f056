package cli

import (
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

// What is built on the way to a release names that of the top entry of the changelog, from
// which 'make dist' takes the version.
func TestNext(t *testing.T) {
	text, err := os.ReadFile("../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	top := regexp.MustCompile(`(?m)^## (.*)$`).FindSubmatch(text)
	form := regexp.MustCompile(`^(\d+\.\d+\.\d+) – (unreleased|\d{4}-\d\d-\d\d)$`)
	if top == nil || !form.Match(top[1]) {
		t.Fatalf("the top entry of CHANGELOG.md is %q: '## 1.2.3 – unreleased', or a day, is needed", top)
	}
	if v := string(form.FindSubmatch(top[1])[1]); v != next {
		t.Errorf("the top entry of CHANGELOG.md is %s, and next in cli/version.go %s", v, next)
	}
}

func TestVersion(t *testing.T) {
	noted := func(revision, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.time", Value: "2026-12-01T04:00:00Z"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
	}
	const revision = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		b             Build
		noted         []debug.BuildSetting
		version, line string
	}{
		{Build{}, nil, next + "-dev", "trunklog " + next + "-dev go"},
		{Build{}, noted(revision, "false"), next + "-dev+0123456789ab", "64 2026-12-01"},
		{Build{}, noted(revision, "true"), next + "-dev+0123456789ab.dirty", ".dirty go"},
		{Build{Commit: "fedcba987654"}, noted(revision, "true"), next + "-dev+fedcba987654", "+fedcba987654 go"},
		{Build{Release: "1.2.3", Commit: "fedcba987654", Date: "2026-12-24"}, nil, "1.2.3+fedcba987654", "trunklog 1.2.3+fedcba987654 go"},
	} {
		if c.b.fill(c.noted); c.b.version() != c.version || !strings.Contains(c.b.line(), c.line) {
			t.Errorf("%+v: %s, %s; want %s, …%s…", c.b, c.b.version(), c.b.line(), c.version, c.line)
		}
	}
}

// The notices name every module that is linked into the program on any system of a release, in
// the version that go.mod settles, and are small.
func TestNotices(t *testing.T) {
	for _, system := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(system, "/")
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "..")
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		modules := strings.Fields(strings.ReplaceAll(string(out), " ", "@"))
		if len(modules) < 20 {
			t.Errorf("only %d packages of modules are linked on %s: is the question wrong?", len(modules), system)
		}
		for _, m := range modules {
			if !strings.Contains(notices, "\n"+strings.Replace(m, "@", " ", 1)+"\n") {
				t.Errorf("%s is linked on %s, and cli/notices.txt does not name it: run go generate ./cli", m, system)
			}
		}
	}
	if len(notices) > 1e6 {
		t.Errorf("the notices have %d bytes", len(notices))
	}
}
