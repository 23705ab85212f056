package sdk

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// The ways of clients.mjs, by the library that they show.
var jsClients = []string{"@microsoft/microsoft-graph-client", "@azure/msal-node", "@pnp/graph", "openid-client"}

// calls is what clients.mjs and clients.py ask for, behind the version.
const calls = "communications/callRecords/getDirectRoutingCalls(fromDateTime=" + fromDate + ",toDateTime=" + toDate + ")"

// TestNodeClients: libraries that people use beside the Graph client read each row
// once.
func TestNodeClients(t *testing.T) {
	t.Parallel()
	needJS(t)
	rows := generate(t, rowCount, 1)
	h := newHouse(t, rows)
	s := h.serve(t)
	for _, name := range jsClients {
		t.Run(name, func(t *testing.T) {
			out := runClient(t, append(s.clientEnv(), "AUTHORITY="+s.url, "GRAPH="+s.url), "", "node", "clients.mjs", name)
			readOnce(t, strings.Fields(out), rows)
		})
	}
}

// clientEnv is the environment of a program that reads the whole range. The authority
// of the server's certificate is named to each platform in its own way.
func (s *server) clientEnv() []string {
	ca := s.CA()
	return append(os.Environ(),
		"AZURE_TENANT_ID="+s.reader.TenantID, "AZURE_CLIENT_ID="+s.reader.ClientID, "AZURE_CLIENT_SECRET="+s.reader.ClientSecret, "CALLS="+calls,
		"SSL_CERT_FILE="+ca, "NODE_EXTRA_CA_CERTS="+ca, "REQUESTS_CA_BUNDLE="+ca, "CURL_CA_BUNDLE="+ca)
}

// runClient runs a program with stdin to its end and returns what it printed.
func runClient(t *testing.T, env []string, stdin string, program ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
	var diag kit.Log
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(program[:min(len(program), 3)], " "), err, out[:min(len(out), 2000)], &diag)
	}
	return string(out)
}

// readOnce checks that the ids are those of all rows, each once and in the order of
// the log.
func readOnce(t *testing.T, ids []string, rows []row) {
	t.Helper()
	if len(ids) != len(rows) {
		t.Errorf("%d ids were read of %d rows", len(ids), len(rows))
	}
	for i := range min(len(ids), len(rows)) {
		if ids[i] != rows[i].id {
			t.Fatalf("row %d is %q, want %s", i, ids[i], rows[i].id)
		}
	}
}
