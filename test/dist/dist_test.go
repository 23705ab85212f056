// Package dist tries what 'make dist' makes, as those who install it do: programs and packages.
package dist

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

const repository = "../.."

// version is that of the top entry of the changelog.
func version(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(repository + "/CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(regexp.MustCompile(`(?m)^## (\S+)`).FindSubmatch(text)[1])
}

// build makes a release of the tree in dir, with more in its environment, and returns where.
func build(t *testing.T, dir string, env ...string) string {
	t.Helper()
	kit.Long(t)
	kit.Need(t, "bash", "git", "sha256sum")
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "packaging/dist")
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "DIST="+out), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/dist: %v\n%s", err, said)
	}
	return out
}

// files returns the names of the files in a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestDist builds a release twice, the second time from a copy of the tree that git does not know,
// at another place and under another umask, and looks at what the first has brought.
//
// Both use the build cache, so that the second compiles only what depends on its place. With a
// TRUNKLOG_SCALE above 1 it has a cache of its own, and compiles all.
func TestDist(t *testing.T) {
	first := build(t, repository)
	t.Run("files", func(t *testing.T) { checkFiles(t, first) })
	t.Run("programs", func(t *testing.T) { checkPrograms(t, first) })
	t.Run("deb", func(t *testing.T) { checkDeb(t, first) })
	t.Run("rpm", func(t *testing.T) { checkRPM(t, first) })
	t.Run("again", func(t *testing.T) { checkAgain(t, first) })
}

func checkAgain(t *testing.T, first string) {
	tree := t.TempDir()
	kit.Need(t, "tar")
	copied := exec.CommandContext(t.Context(), "bash", "-c", `umask 077; git ls-files -zco --exclude-standard | tar -c --null --files-from=- --ignore-failed-read | tar -x --no-same-permissions -C "$1"`, "-", tree)
	copied.Dir = repository
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("copy the tree: %v\n%s", err, out)
	}
	env := []string{"COMMIT=" + asked(t, ".ci/commit"), "SOURCE_DATE_EPOCH=" + asked(t, "git", "log", "-1", "--format=%ct"), "TZ=Asia/Kathmandu"}
	if kit.Scale(t, 1) > 1 {
		env = append(env, "GOCACHE="+t.TempDir())
	}
	second := build(t, tree, env...)
	if one, two := files(t, first), files(t, second); !slices.Equal(one, two) {
		t.Errorf("the second build has %q, and the first %q", two, one)
	}
	for _, name := range files(t, first) {
		if one, two := sum(t, first, name), sum(t, second, name); one != two {
			t.Errorf("%s: %s in the first build, %s in the second", name, one, two)
		}
	}
}

// asked returns what a command at the root of the repository prints.
func asked(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...) //nolint:gosec // it stands in this file
	cmd.Dir = repository
	out, err := kit.Output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func sum(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// checkFiles looks at the names and the checksums.
func checkFiles(t *testing.T, dir string) {
	all := files(t, dir)
	v := version(t)
	kit.Golden(t, "testdata/files", []byte(strings.ReplaceAll(strings.Join(all, "\n"), v, "VERSION")+"\n"))
	b, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, name := range all {
		if name != "SHA256SUMS" {
			fmt.Fprintf(&want, "%s  %s\n", sum(t, dir, name), name)
		}
	}
	if string(b) != want.String() {
		t.Errorf("SHA256SUMS has\n%s\nwant\n%s", b, &want)
	}
}

// checkPrograms looks at the programs: each is static, of its system, has its modules in the SBOM
// and their licenses in itself; that of this system is run.
func checkPrograms(t *testing.T, dir string) {
	v := version(t)
	name := func(system string) string { return filepath.Join(dir, "trunklog_"+v+"_"+system) }
	checkELF(t, name("linux_amd64"), elf.EM_X86_64)
	checkELF(t, name("linux_arm64"), elf.EM_AARCH64)
	if f, err := macho.Open(name("darwin_arm64")); err != nil || f.Cpu != macho.CpuArm64 {
		t.Errorf("darwin: %v, %v", f, err)
	}
	if f, err := pe.Open(name("windows_amd64.exe")); err != nil || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		t.Errorf("windows: %v", err)
	}
	own := name(runtime.GOOS + "_" + runtime.GOARCH)
	out, err := kit.Output(kit.Command(t.Context(), own, "version"))
	commit := asked(t, ".ci/commit")
	if !strings.HasPrefix(string(out), "trunklog "+v+"+"+commit+" go") || strings.Contains(string(out), "dev") || err != nil {
		t.Errorf("version prints %q, %v; want %s and %s in it, and no dev", out, err, v, commit)
	}
	notices, err := kit.Output(kit.Command(t.Context(), own, "version", "--licenses"))
	if err != nil {
		t.Fatal(err)
	}
	for _, system := range []string{"linux_amd64", "linux_arm64", "darwin_arm64", "windows_amd64.exe"} {
		checkModules(t, name(system), string(notices))
	}
}

func checkELF(t *testing.T, file string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine {
		t.Errorf("%s is for %v", file, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is not static: it has a %v", file, p.Type)
		}
	}
}

// checkModules compares the modules that are linked into a program with its SBOM and the notices.
func checkModules(t *testing.T, program, notices string) {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(program + ".cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Metadata   struct{ Component struct{ Version string } }
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(b, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.Metadata.Component.Version != "v"+version(t) {
		t.Errorf("the SBOM of %s is of version %s", program, bom.Metadata.Component.Version)
	}
	if len(info.Deps) < 20 {
		t.Errorf("%s has only %d modules", program, len(info.Deps))
	}
	for _, m := range info.Deps {
		if !slices.Contains(bom.Components, struct{ Name, Version string }{m.Path, m.Version}) {
			t.Errorf("the SBOM of %s does not name %s %s", program, m.Path, m.Version)
		}
		if !strings.Contains(notices, "\n"+m.Path+" "+m.Version+"\n") {
			t.Errorf("version --licenses does not name %s %s, which is in %s", m.Path, m.Version, program)
		}
	}
}

// checkDeb looks into the Debian package, as dpkg does.
func checkDeb(t *testing.T, dir string) {
	kit.Need(t, "dpkg-deb")
	v := version(t)
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(dir, "trunklog_"+v+"_"+arch+".deb")
		var b bytes.Buffer
		for _, command := range [][]string{{"dpkg-deb", "--field", file}, {"dpkg-deb", "--contents", file}} {
			out, err := kit.Output(exec.CommandContext(t.Context(), command[0], command[1:]...)) //nolint:gosec // it stands above
			if err != nil {
				t.Fatal(err)
			}
			b.Write(out)
		}
		kit.Golden(t, "testdata/deb", regular(b.Bytes(), v, arch))
	}
}

// checkRPM looks into the package for Red Hat, as rpm does.
func checkRPM(t *testing.T, dir string) {
	kit.Need(t, "rpm")
	v := version(t)
	for _, arch := range []string{"x86_64", "aarch64"} {
		file := filepath.Join(dir, "trunklog-"+v+"-1."+arch+".rpm")
		out, err := kit.Output(exec.CommandContext(t.Context(), "rpm", "-qp", "--nosignature", "--queryformat",
			`%{NAME} %{VERSION}-%{RELEASE} %{ARCH} %{LICENSE}\n[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES} %{FILEFLAGS:fflags}\n][%{REQUIRENAME}\n]%{PREIN}\n%{POSTIN}\n%{PREUN}\n%{POSTUN}\n`, file)) //nolint:gosec // made above
		if err != nil {
			t.Fatal(err)
		}
		kit.Golden(t, "testdata/rpm", regular(out, v, arch))
	}
}

// changing are dates and sizes, which are other ones each time.
var changing = regexp.MustCompile(`(?m) +\d+ \d{4}-\d\d-\d\d \d\d:\d\d|^Installed-Size: \d+`)

// regular returns a list without what is another each time, or for each architecture.
func regular(b []byte, version, arch string) []byte {
	text := changing.ReplaceAllStringFunc(string(b), func(s string) string {
		if strings.HasPrefix(s, "Installed") {
			return "Installed-Size: SIZE"
		}
		return " SIZE DATE"
	})
	return []byte(strings.NewReplacer(version, "VERSION", arch, "ARCH").Replace(text))
}
