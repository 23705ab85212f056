package kit

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Update is the flag -update of tests: what they expect is written anew.
var Update = flag.Bool("update", false, "write what comes out to testdata")

// built is where Program builds trunklog, and what came of it.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// programVariable names a trunklog that is tested instead of building one: that of
// a test which runs its own program once more.
const programVariable = "KIT_TRUNKLOG"

// Program returns the path of the trunklog under test, which is built when it is
// first asked for. TestMain of the package is to call Main.
func Program(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv(programVariable); built.path != "" {
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "trunklog-test-"); built.err == nil {
			built.path = filepath.Join(built.dir, "trunklog")
			built.err = Build(context.Background(), "", ".", built.path)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// ProgramFor is what to put into the environment of a process that runs the same
// tests, so that it does not build trunklog again.
func ProgramFor(t testing.TB) string { return programVariable + "=" + Program(t) }

// Main is what TestMain is made of: it runs the tests, and if they pass what is to
// hold after them, puts away what Program has built, and ends the process.
func Main(m *testing.M, after ...func() error) {
	code := m.Run()
	for _, f := range append(after, func() error { return os.RemoveAll(built.dir) }) {
		if err := f(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Installed returns the path of a program, which Debian may keep where only root
// looks.
func Installed(program string) (string, error) {
	for _, dir := range []string{"", "/usr/sbin/", "/usr/local/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", program)
}

// Need skips the test if a program is not installed, and fails it in CI.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := Installed(program); err != nil {
			Missing(t, "%v", err)
		}
	}
}

// Missing skips the test for want of what it says, and fails it in CI (CI=true),
// where nothing may be missing.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Race reports whether the race detector looks on.
func Race() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Long skips a test that needs the processor for seconds where -short asks for little. With
// the race detector it runs: there -short stands for fewer rounds.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() && !Race() {
		t.Skip("short: it needs the processor for seconds")
	}
}

// FreePort returns a port on loopback that is the test's until its end.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// FreeAddress is FreePort as HOST:PORT.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return "127.0.0.1:" + strconv.Itoa(FreePort(t))
}

// Golden compares what came out with the file that says what must, or writes it
// there if -update is given.
func Golden(t testing.TB, file string, got []byte) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(file, got, 0o644); err != nil { //nolint:gosec // it is part of the source
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got\n%s\nwant, as %s says,\n%s", got, file, want)
	}
}

// Scale returns n times TRUNKLOG_SCALE, at least 1: how often a test does what is
// done often, here more and there less.
func Scale(t testing.TB, n int) int {
	t.Helper()
	text := os.Getenv("TRUNKLOG_SCALE")
	if text == "" {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f <= 0 {
		t.Fatalf("TRUNKLOG_SCALE=%s: a number above 0 is needed", text)
	}
	return max(1, int(f*float64(n)))
}
