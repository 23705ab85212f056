package dist

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// suite is the Debian that is installed on.
const suite = "bookworm"

// A chroot is a small Debian in a folder.
type chroot struct {
	t   *testing.T
	dir string
}

// newChroot returns a fresh Debian. It is made by debootstrap once on this machine, and kept packed
// in the user's cache.
func newChroot(t *testing.T) *chroot {
	t.Helper()
	kit.Long(t)
	if os.Getuid() != 0 {
		kit.Missing(t, "a chroot needs root: that the package can be installed, upgraded and removed was not tried")
	}
	kit.Need(t, "debootstrap", "tar", "dpkg-deb", "chroot")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(cache, "trunklog", "debian-"+suite+"-systemd.tar")
	if _, err := os.Stat(packed); err != nil {
		bootstrap(t, packed)
	}
	c := &chroot{t, t.TempDir()}
	c.outside("tar", "-xpf", packed, "-C", c.dir)
	return c
}

// bootstrap makes a Debian and packs it.
func bootstrap(t *testing.T, packed string) {
	t.Helper()
	c := &chroot{t, t.TempDir()}
	if err := os.MkdirAll(filepath.Dir(packed), 0o700); err != nil {
		t.Fatal(err)
	}
	c.outside("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv", suite, c.dir)
	tmp := fmt.Sprintf("%s.%d", packed, os.Getpid())
	c.outside("tar", "-cf", tmp, "-C", c.dir, "--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", ".")
	if err := os.Rename(tmp, packed); err != nil {
		t.Fatal(err)
	}
}

// outside runs a command of this machine's.
func (c *chroot) outside(command ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), command[0], command[1:]...) //nolint:gosec // it stands in this file
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// path is that of a file of the chroot, seen from outside.
func (c *chroot) path(name string) string { return filepath.Join(c.dir, name) }

// has reports whether there is something at a path, without following a link.
func (c *chroot) has(name string) bool {
	_, err := os.Lstat(c.path(name))
	return err == nil
}

func (c *chroot) read(name string) string {
	c.t.Helper()
	b, err := os.ReadFile(c.path(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// command is one that is run in the chroot by root.
func (c *chroot) command(args ...string) *exec.Cmd {
	cmd := kit.Command(context.WithoutCancel(c.t.Context()), "chroot", append([]string{c.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	return cmd
}

// asUser is a command of the user's, with no more privilege than the unit gives it.
func (c *chroot) asUser(user string, args ...string) *exec.Cmd {
	return c.command(append([]string{"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"}, args...)...)
}

// run runs a command and returns what it prints, errors included.
func (c *chroot) run(cmd *exec.Cmd, stdin io.Reader) (string, error) {
	var b bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &b, &b
	err := cmd.Run()
	return b.String(), err
}

// must is run for what has to succeed.
func (c *chroot) must(cmd *exec.Cmd) string {
	c.t.Helper()
	out, err := c.run(cmd, nil)
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return out
}

// install installs a package, as apt does it.
func (c *chroot) install(deb string) string {
	c.t.Helper()
	c.outside("cp", deb, c.path("/tmp/trunklog.deb"))
	defer os.Remove(c.path("/tmp/trunklog.deb"))
	return c.must(c.command("dpkg", "--install", "/tmp/trunklog.deb"))
}

// passing is what every installation leaves, whatever is installed: what dpkg and others note.
var passing = regexp.MustCompile(`^/(dev|proc|run|tmp|var/(cache|log|lib/dpkg))/|^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^/etc/\.pwd\.lock$`)

// files returns all that is in the chroot: path → mode, owner and content.
func (c *chroot) files() map[string]string {
	c.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, c.dir)
		if err != nil || name == "" || passing.MatchString(name+"/") || passing.MatchString(name) {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		all[name] = fmt.Sprint(info.Mode(), " ", st.Uid, ":", st.Gid)
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			all[name] += fmt.Sprintf(" %x", sha256.Sum256(b))
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			all[name] += " " + to
			return err
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// since returns what differs from what was before: "+ path", "- path", "~ path".
func (c *chroot) since(before map[string]string) (differs []string) {
	c.t.Helper()
	now := c.files()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch was, ok := before[name]; {
		case !ok:
			differs = append(differs, "+ "+name)
		case was != now[name]:
			differs = append(differs, "~ "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := now[name]; !ok {
			differs = append(differs, "- "+name)
		}
	}
	return differs
}
