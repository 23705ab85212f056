package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// command runs the program as a process of its own and returns what it printed
// and its exit code.
func command(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := kit.Command(t.Context(), "trunklog", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed and returns its standard output.
func must(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, errs, code := command(t, stdin, args...)
	if code != 0 {
		t.Fatalf("trunklog %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// programVersion is what the program says of itself, and what the admin socket asks for.
func programVersion(t testing.TB) string {
	t.Helper()
	return strings.Fields(must(t, "", "version"))[1]
}

// A server is a running 'trunklog serve'.
type server struct {
	*kit.Server
	data, addr string
	version    string // of the program
	http       *http.Client
}

// start starts a server on the data folder and waits until it is ready.
func start(t testing.TB, data string, args ...string) *server {
	t.Helper()
	s, err := tryStart(t, data, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Log)
	}
	transport, err := s.Transport()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	s.http = &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// tryStart is start for a server that may have reason not to.
func tryStart(t testing.TB, data string, args ...string) (*server, error) {
	t.Helper()
	house := kit.House{Program: "trunklog", Data: data}
	running, err := house.Serve(t.Context(), "", args...)
	if running == nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Kill)
	return &server{Server: running, data: data, addr: running.Address, version: programVersion(t)}, err
}

// stop asks the server to end and returns how it did.
func (s *server) stop(t testing.TB) error {
	t.Helper()
	err := s.Stop()
	if err != nil && strings.Contains(err.Error(), "did not end when") {
		t.Fatalf("%v\n%s", err, s.Log)
	}
	return err
}

// failed waits until the server has ended by itself because its store has failed.
func (s *server) failed(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var exit *exec.ExitError
	if err := s.Wait(ctx); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(s.Log.String(), "the store has failed") {
		t.Errorf("the server ended with %v:\n%s", err, s.Log)
	}
}

// do sends a request with a token and returns the answer and its body.
func (s *server) do(t testing.TB, method, path, token string, header ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The path as it is, so that nothing is made better on the way.
	req.URL.Opaque = path
	if strings.HasPrefix(path, "https://") {
		req.URL.Opaque = strings.TrimPrefix(path, "https:")
	} else {
		req.URL.Opaque = "//" + s.addr + path
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.http.Do(req)
	if err != nil {
		t.Fatalf("%s %.200s: %v\n%s", method, path, err, s.Log)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %.200s: %v", method, path, err)
	}
	return res, string(body)
}

// A credential is what client create prints.
type credential struct{ TenantID, ClientID, ClientSecret string }

const (
	contosoID  = "1a2b3c4d-0000-4000-8000-00000000c0de"
	fabrikamID = "5e6f7a8b-0000-4000-8000-00000000fab0"
)

// newTenant adds a tenant with a client and returns the client's credential
// and a token.
func newTenant(t testing.TB, data, name, id string) (credential, string) {
	t.Helper()
	must(t, "", "tenant", "add", name, "--data", data, "--id", id, "--trunk", "sbc1."+name+".test")
	var c credential
	if err := json.Unmarshal([]byte(must(t, "", "client", "create", "reporter", "--data", data, "--tenant", name, "-o", "json")), &c); err != nil {
		t.Fatal(err)
	}
	token := must(t, "", "token", "--data", data, "--tenant", name, "--client", c.ClientID, "--secret", c.ClientSecret)
	return c, strings.TrimSpace(token)
}

// TestAnyPort: a server whose port the system chooses says where it is, and its
// tokens and links are good there. The demo's tenant is there for its sources.
func TestAnyPort(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data, "--demo", "--listen", "127.0.0.1:0", "--source", "lab=hep+udp://127.0.0.1:0?tenant=contoso")
	var root string
	for line := range strings.Lines(s.Log.String()) {
		var said struct{ Msg, URL, Listen string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "ready" {
			root = said.URL
			if root != strings.Replace(said.Listen, "127.0.0.1", "https://localhost", 1) {
				t.Errorf("the server says that it is %s and listens at %s", root, said.Listen)
			}
		}
	}
	client, err := os.ReadFile(filepath.Join(data, "demo-client"))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(must(t, "", "token", "--data", data, "--tenant", "contoso", "--client", string(client), "--secret-file", filepath.Join(data, "demo-secret")))
	s.addr = strings.TrimPrefix(root, "https://")
	res, body := s.do(t, http.MethodGet, "/v1.0/communications/callRecords/getDirectRoutingCalls(fromDateTime=2026-01-01,toDateTime=2026-01-02)", token)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `"@odata.context":"`+root+"/v1.0/") {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
}
