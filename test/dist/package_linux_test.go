package dist

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// earlier is the version that is installed first: there is none below the first release but this
// tree, named so.
const earlier = "0.0.1"

// TestPackage is the life of the Debian package where systemd does not run: it is installed,
// its ExecStart run by its user, written to and read; upgraded while the server runs; removed, put
// back, purged. Nothing is left of it but the data, and without data nothing at all.
func TestPackage(t *testing.T) {
	c := newChroot(t)
	only := "SYSTEMS=linux/" + runtime.GOARCH
	deb := func(dir, version string) string {
		return filepath.Join(dir, "trunklog_"+version+"_"+runtime.GOARCH+".deb")
	}
	first := deb(build(t, repository, only, "VERSION="+earlier), earlier)
	second := deb(build(t, repository, only), version(t))
	before := c.files()

	if said := c.install(first); !strings.Contains(said, "systemctl enable --now trunklog") {
		t.Errorf("the first installation says\n%s", said)
	}
	checkInstalled(t, c)
	enable(t, c)

	s := newService(t, c)
	s.start()
	c.must(c.asUser("trunklog", "trunklog", "tenant", "add", "contoso", "--id", "1a2b3c4d-0000-4000-8000-00000000c0de", "--trunk", "sbc1.contoso.com"))
	said := c.must(c.asUser("trunklog", "trunklog", "client", "create", "reporter", "--tenant", "contoso", "--secret-out", "/var/lib/trunklog/secret", "-o", "json"))
	client := regexp.MustCompile(`"clientId": *"([^"]+)"`).FindStringSubmatch(said)[1]
	c.must(c.asUser("trunklog", "sh", "-c", "trunklog gen --rows 1 --trunk sbc1.contoso.com | trunklog import graph --tenant contoso -"))
	s.wantRow(client)

	c.install(second)
	if out := c.must(c.command("trunklog", "version")); !strings.HasPrefix(out, "trunklog "+version(t)+"+") {
		t.Errorf("after the upgrade, version prints %q", out)
	}
	s.wantRow(client) // of the server of before, which runs on
	if out, err := c.run(c.asUser("trunklog", "trunklog", "calls", "count"), nil); err == nil || !strings.Contains(out, earlier) || !strings.Contains(out, "restart the server") {
		t.Errorf("the new program beside the server of before: %v, %s", err, out)
	}
	s.stop()
	s.start()
	s.wantRow(client)
	s.stop()

	c.must(c.command("dpkg", "--remove", "trunklog"))
	if c.has("/usr/bin/trunklog") || c.has("/usr/lib/systemd/system/trunklog.service") || !c.has("/etc/trunklog/trunklog.yaml") || !c.has("/var/lib/trunklog/store") {
		t.Error("after remove there is to be no program and no unit, but settings and data")
	}
	c.install(second)
	s.start()
	s.wantRow(client)
	s.stop()

	c.must(c.command("dpkg", "--purge", "trunklog"))
	left := strings.Join(c.since(before), "\n") + "\n"
	left = regexp.MustCompile(`(?m)^\+ /var/lib/trunklog/.*\n`).ReplaceAllString(left, "")
	kit.Golden(t, "testdata/left", []byte(left))
	if out, err := c.run(c.command("dpkg", "--status", "trunklog"), nil); err == nil {
		t.Errorf("dpkg still knows the package:\n%s", out)
	}

	if err := os.RemoveAll(c.path("/var/lib/trunklog")); err != nil {
		t.Fatal(err)
	}
	c.install(second)
	c.must(c.command("dpkg", "--purge", "trunklog"))
	if left := c.since(before); len(left) > 0 {
		t.Errorf("without data, the package leaves\n%s", strings.Join(left, "\n"))
	}
}

// checkInstalled looks at what an installation has made: a user without a shell, a folder of his
// own, and a service that is not enabled.
func checkInstalled(t *testing.T, c *chroot) {
	t.Helper()
	user := strings.Split(strings.TrimSpace(c.must(c.command("getent", "passwd", "trunklog"))), ":")
	if id, err := strconv.Atoi(user[2]); err != nil || id < 100 || id > 999 || user[5] != "/var/lib/trunklog" || user[6] != "/usr/sbin/nologin" {
		t.Errorf("the user is %q", user)
	}
	if out := c.must(c.command("stat", "-c", "%U:%G %a", "/var/lib/trunklog", "/etc/trunklog/trunklog.yaml")); out != "trunklog:trunklog 700\nroot:root 644\n" {
		t.Errorf("the folder of the data and the settings are of\n%s", out)
	}
	if c.has("/etc/systemd/system/multi-user.target.wants/trunklog.service") {
		t.Error("the service is enabled, and its certificate would be made before its names are set")
	}
	if out := c.must(c.command("trunklog", "version")); !strings.HasPrefix(out, "trunklog "+earlier+"+") {
		t.Errorf("version prints %q", out)
	}
}

// enable does what 'systemctl enable' does.
func enable(t *testing.T, c *chroot) {
	t.Helper()
	link := c.path("/etc/systemd/system/multi-user.target.wants/trunklog.service")
	if err := os.Symlink("/usr/lib/systemd/system/trunklog.service", link); err != nil {
		t.Fatal(err)
	}
}

// A service is the server as its unit starts it.
type service struct {
	t       *testing.T
	c       *chroot
	port    int
	told    *net.UnixConn
	process *kit.Process
}

// newService sets the address in the settings file, as an operator would, and prepares to be told
// how the server is.
func newService(t *testing.T, c *chroot) *service {
	t.Helper()
	s := &service{t: t, c: c, port: kit.FreePort(t)}
	text := c.read("/etc/trunklog/trunklog.yaml")
	changed := strings.Replace(text, `#listen: ":8443"`, fmt.Sprintf(`listen: "127.0.0.1:%d"`, s.port), 1)
	if changed == text {
		t.Fatal("the settings file does not have listen")
	}
	if err := os.WriteFile(c.path("/etc/trunklog/trunklog.yaml"), []byte(changed), 0o644); err != nil { //nolint:gosec // as the package brings it
		t.Fatal(err)
	}
	var err error
	if s.told, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: c.path("/run/n"), Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.told.Close() })
	if err := os.Chmod(c.path("/run/n"), 0o666); err != nil { //nolint:gosec // the service writes to it
		t.Fatal(err)
	}
	return s
}

// start runs the ExecStart of the unit as its user, and waits until the server says that it is ready.
func (s *service) start() {
	s.t.Helper()
	unit := s.c.read("/usr/lib/systemd/system/trunklog.service")
	setting := func(name string) string {
		return regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)[1]
	}
	cmd := s.c.asUser(setting("User"), strings.Fields(setting("ExecStart"))...)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET=/run/n")
	var err error
	if s.process, err = kit.Start(cmd); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.process.Kill)
	for buf := make([]byte, 4096); ; {
		_ = s.told.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := s.told.Read(buf)
		if err != nil {
			s.t.Fatalf("the server is not ready: %v\n%s", err, s.process.Log)
		}
		if strings.HasPrefix(string(buf[:n]), "READY=1\n") {
			return
		}
	}
}

func (s *service) stop() {
	s.t.Helper()
	if err := s.process.Stop(); err != nil {
		s.t.Errorf("stop: %v\n%s", err, s.process.Log)
	}
}

// wantRow asks the server for its calls with a token of the client's, and wants the one.
func (s *service) wantRow(client string) {
	s.t.Helper()
	secret := strings.TrimSpace(s.c.read("/var/lib/trunklog/secret"))
	tr, err := kit.House{Data: s.c.path("/var/lib/trunklog")}.Transport()
	if err != nil {
		s.t.Fatal(err)
	}
	defer tr.CloseIdleConnections()
	h := &http.Client{Transport: tr, Timeout: time.Minute}
	root := fmt.Sprintf("https://localhost:%d", s.port)
	token := s.body(h.PostForm(root+"/contoso/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {"api://trunklog/.default"},
	}))
	bearer := regexp.MustCompile(`"access_token":"([^"]+)"`).FindStringSubmatch(token)
	if bearer == nil {
		s.t.Fatalf("no token: %s", token)
	}
	from, to := time.Now().AddDate(0, 0, -60).Format(time.DateOnly), time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, fmt.Sprintf("%s/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=%s,toDateTime=%s)", root, from, to), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer[1])
	if page := s.body(h.Do(req)); strings.Count(page, `"callEndSubReason"`) != 1 {
		s.t.Errorf("one row is wanted: %s", page)
	}
}

// body returns the body of an answer.
func (s *service) body(res *http.Response, err error) string {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}
