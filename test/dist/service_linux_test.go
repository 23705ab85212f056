package dist

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestService boots a Debian whose PID 1 is systemd, and looks at the service there: it is enabled
// by the operator alone, is ready when it says so, reloads, is restarted by an upgrade and not after
// a setting that is wrong, listens at port 443 as docs/operating.md says, and ends with its package.
// What testdata/service.sh finds is compared with testdata/service.
func TestService(t *testing.T) {
	c := newChroot(t)
	kit.Need(t, "systemd-nspawn")
	dir := build(t, repository, "SYSTEMS=linux/"+runtime.GOARCH)
	c.outside("cp", dir+"/trunklog_"+version(t)+"_"+runtime.GOARCH+".deb", c.path("/root/trunklog.deb"))
	c.outside("cp", "testdata/service.sh", c.path("/root/service.sh"))
	for file, text := range map[string]string{
		"/etc/systemd/system/try.service": "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nExecStart=/bin/bash /root/service.sh\n",
		"/root/443.conf":                  dropIn(t),
	} {
		if err := os.WriteFile(c.path(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../try.service", c.path("/etc/systemd/system/multi-user.target.wants/try.service")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	boot := kit.Command(ctx, "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--hostname=debian", "--boot", "--directory", c.dir)
	said, err := boot.CombinedOutput()
	found, missing := os.ReadFile(c.path("/root/found"))
	if errors.Is(missing, os.ErrNotExist) {
		kit.Missing(t, "systemd does not boot in a container here: that the service runs under it was not tried: %v\n%s", err, said)
	}
	kit.Golden(t, "testdata/service", found)
	if t.Failed() {
		t.Logf("%v\n%s\n%s", err, c.read("/root/log"), said)
	}
}

// dropIn returns the lines with which docs/operating.md lets the service listen at port 443.
func dropIn(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(repository + "/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```ini\n")
	lines, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/operating.md has no drop-in")
	}
	return lines
}
