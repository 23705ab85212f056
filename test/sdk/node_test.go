package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// A job is what client.mjs is asked to do.
type job struct {
	URL         string   `json:"url"`
	Tenant      string   `json:"tenant"`
	Client      string   `json:"client"`
	Secret      string   `json:"secret,omitempty"`
	Certificate string   `json:"certificate,omitempty"` // file with key and certificate
	Token       string   `json:"token,omitempty"`       // instead of signing in
	Version     string   `json:"version"`
	Path        string   `json:"path"`
	Batch       []string `json:"batch,omitempty"` // paths to read instead, all at once
	PageSize    int      `json:"pageSize"`        // that the server will use
	Retry       bool     `json:"retry"`           // as the client does by default
}

// job returns one that reads the whole range.
func (s *server) job(c client) job {
	return job{
		URL: s.url, Tenant: c.TenantID, Client: c.ClientID, Secret: c.ClientSecret, Version: "v1.0",
		Path:     "/communications/callRecords/getDirectRoutingCalls(fromDateTime=" + fromDate + ",toDateTime=" + toDate + ")",
		PageSize: pageSize,
	}
}

// A jsAnswer is a line of client.mjs.
type jsAnswer struct {
	Page  []json.RawMessage
	Done  bool
	Error *jsError
	Wire  []jsExchange
}

// A jsError is what a JavaScript program sees of an error.
type jsError struct {
	Graph      bool // it is a GraphError
	Name       string
	Status     int
	Code       string
	Message    *string
	RequestID  string
	RetryAfter string
}

type jsExchange struct {
	URL        string
	At         int64 // ms
	Attempt    string
	Status     int
	Encoding   string
	RetryAfter string
}

// A jsWalk is what a job came to.
type jsWalk struct {
	pages int
	err   *jsError
	wire  []jsExchange
}

// runJS runs a job. After each page but the last, see is called before the
// client fetches the next.
func (s *server) runJS(t *testing.T, j job, see func(page int, rows []json.RawMessage)) jsWalk {
	t.Helper()
	needJS(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "client.mjs")
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.CA())
	var diag kit.Log
	cmd.Stderr = &diag
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w, talkErr := talk(in, out, j, see)
	_ = in.Close()
	if err := errors.Join(talkErr, cmd.Wait(), ctx.Err()); err != nil {
		t.Fatalf("client.mjs: %v\n%s", err, &diag)
	}
	return w
}

func talk(in io.Writer, out io.Reader, j job, see func(int, []json.RawMessage)) (jsWalk, error) {
	var w jsWalk
	say, hear := json.NewEncoder(in), json.NewDecoder(out)
	err := say.Encode(j)
	for err == nil {
		var a jsAnswer
		if err = hear.Decode(&a); err != nil {
			break
		}
		w.wire = append(w.wire, a.Wire...)
		if a.Error != nil {
			w.err = a.Error
			break
		}
		w.pages++
		if see != nil {
			see(w.pages, a.Page)
		}
		if a.Done {
			break
		}
		err = say.Encode("go on")
	}
	return w, err
}

// needJS skips or fails the test if there is no node or no library for it.
func needJS(t *testing.T) {
	t.Helper()
	kit.Need(t, "node")
	for _, library := range []string{"@microsoft/microsoft-graph-client", "@azure/identity", "@azure/msal-node", "@pnp/nodejs", "openid-client"} {
		if _, err := os.Stat("node_modules/" + library); err != nil {
			kit.Missing(t, "%s is not installed: run npm ci in test/sdk", library)
		}
	}
}
