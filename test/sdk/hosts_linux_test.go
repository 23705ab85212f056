package sdk

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/sys/unix"

	"github.com/trunklog/trunklog/test/kit"
)

// insideHosts is set in the process that runs where Microsoft's hosts are ours.
const insideHosts = "SDK_INSIDE_HOSTS"

// ownHost is a further name of the server that Microsoft does not know.
const ownHost = "calls.contoso.test"

// TestHosts runs programs that know login.microsoftonline.com and graph.microsoft.com
// alone, as ../../docs/hosts.md says: on a machine whose /etc/hosts leads there to
// trunklog, on port 443, and with nothing but the certificate authority told to them.
// The machine is this one, seen from a network and a file tree of its own, in which
// nothing else can be reached.
func TestHosts(t *testing.T) {
	if os.Getenv(insideHosts) == "" {
		t.Parallel() // it waits for another process
		otherHosts(t, "^TestHosts$")
		return
	}
	if err := takeHosts(); err != nil {
		kit.Missing(t, "no /etc/hosts and network of its own: %v", err)
	}
	rows := generate(t, 2*pageSize+500, 5)
	h := newHouse(t, rows)
	s := h.serveOn(t, ":443", append(pageFlags(t), "--tls-host", ownHost)...)
	env := s.clientEnv()
	t.Setenv("SSL_CERT_FILE", s.CA()) // for this process, before it has read any

	t.Run("azidentity and msgraph-sdk-go", func(t *testing.T) {
		readOnce(t, unchangedGo(t, h.reader), rows)
	})
	for _, name := range jsClients {
		t.Run(name, func(t *testing.T) {
			needJS(t)
			readOnce(t, strings.Fields(runClient(t, env, "", "node", "clients.mjs", name)), rows)
		})
	}
	t.Run("msal for Python", func(t *testing.T) {
		readOnce(t, strings.Fields(runClient(t, env, "", python(t), "clients.py")), rows)
	})
	t.Run("instance discovery", func(t *testing.T) { signInAt(t, h.reader, "https://"+ownHost) })
	t.Run("m365", func(t *testing.T) { m365(t, h.reader, env, rows) })
	if log := s.log.String(); strings.Contains(log, "lead to another host") {
		t.Errorf("links lead elsewhere:\n%s", log)
	}
}

// pageFlags are those of serve in the page, behind --listen.
func pageFlags(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/hosts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, flags, found := strings.Cut(string(page), "\ntrunklog serve --listen :443 ")
	if !found {
		t.Fatal("../../docs/hosts.md does not tell how to serve")
	}
	flags, _, _ = strings.Cut(flags, "\n")
	return strings.Fields(flags)
}

// unchangedGo reads all rows as a program does that was written for Microsoft.
func unchangedGo(t *testing.T, c client) []string {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	err = newMicrosoftSDK(t, cred).walk(t, nil, func(r sdkRow) bool {
		ids = append(ids, *r.GetId())
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// signInAt gets a token of an authority that azidentity has to be told of, and has
// login.microsoftonline.com asked whether it is one.
func signInAt(t *testing.T, c client, authority string) {
	t.Helper()
	options := azidentity.ClientSecretCredentialOptions{
		ClientOptions: azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: authority}},
	}
	cred, err := azidentity.NewClientSecretCredential(c.TenantID, c.ClientID, c.ClientSecret, &options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: scopes}); err != nil {
		t.Error(err)
	}
}

// m365 signs in with the CLI for Microsoft 365 and reads its report of direct routing
// calls, and a page by its own means.
func m365(t *testing.T, c client, env []string, rows []row) {
	kit.Need(t, "node")
	const program = "m365/node_modules/.bin/m365"
	if _, err := os.Stat(program); err != nil {
		kit.Missing(t, "%s is not there: run npm ci in test/sdk/m365", program)
	}
	home := t.TempDir() // it keeps settings and tokens there
	env = append(env, "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, ".config"))
	run := func(args ...string) string { return runClient(t, env, "", append([]string{program}, args...)...) }
	run("cli", "config", "set", "--key", "disableTelemetry", "--value", "true")
	run("login", "--authType", "secret", "--appId", c.ClientID, "--tenant", c.TenantID, "--secret", c.ClientSecret)
	status := decode[struct{ AppID, AppTenant, AuthType, CloudType string }](t, []byte(run("status", "--output", "json")))
	if status.AppID != c.ClientID || status.AppTenant != c.TenantID || status.AuthType != "secret" {
		t.Errorf("m365 status says %+v", status)
	}
	type named struct{ ID string }
	report := decode[[]named](t, []byte(run("teams", "report", "directroutingcalls", "--fromDateTime", fromDate, "--toDateTime", toDate, "--output", "json")))
	page := decode[struct{ Value []named }](t, []byte(run("request", "--url", "https://graph.microsoft.com/v1.0/"+calls, "--output", "json"))).Value
	for _, x := range []struct {
		got  []named
		rows []row
	}{{report, rows}, {page, rows[:pageSize]}} {
		var ids []string
		for _, r := range x.got {
			ids = append(ids, r.ID)
		}
		readOnce(t, ids, x.rows)
	}
}

// otherHosts runs tests of this program once more, where Microsoft's hosts are this
// machine's. It needs root, or user namespaces.
func otherHosts(t *testing.T, tests string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out []byte
	var exit *exec.ExitError
	for _, user := range []bool{false, true} {
		cmd := exec.CommandContext(ctx, self, "-test.run", tests, "-test.v")
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
			name, _, _ := strings.Cut(v, "=")
			return strings.HasSuffix(strings.ToUpper(name), "_PROXY")
		}), insideHosts+"=1", kit.ProgramFor(t))
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
		if user {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		out, err = cmd.CombinedOutput()
		if err == nil || errors.As(err, &exit) {
			break
		}
	}
	switch {
	case exit != nil:
		t.Fatalf("with Microsoft's hosts here: %v\n%s", err, out)
	case err != nil:
		kit.Missing(t, "a network of its own needs root or user namespaces: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "--- ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if strings.Contains(string(out), "--- SKIP: "+t.Name()+" ") {
		kit.Missing(t, "%s", out)
	}
}

// takeHosts makes Microsoft's hosts this machine's for this process, which is in
// namespaces of its own, and all that it starts.
func takeHosts() error {
	// What is mounted here is not to be seen elsewhere.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	file, err := os.CreateTemp("", "hosts-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString("127.0.0.1 localhost\n127.0.0.1 graph.microsoft.com login.microsoftonline.com " + ownHost + "\n"); err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o644), file.Close(), unix.Mount(file.Name(), "/etc/hosts", "", unix.MS_BIND, "")); err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback)
}
