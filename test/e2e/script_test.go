package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trunklog/trunklog/cli"
	"github.com/trunklog/trunklog/test/kit"
)

// repository is the root of what is tested.
const repository = "../.."

// TestMain lets the scripts run this very program as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trunklog": func() { os.Exit(cli.Main(cli.Build{})) }})
}

// TestScripts runs testdata/*.txtar: sessions of a user at a shell. Beside the
// commands of testscript there are
//
//	setjson FILE VAR KEY …   sets $VAR to the value of KEY in the JSON in FILE
//	setfile VAR FILE         sets $VAR to the text of FILE
//	listens                  waits until the server at $ADDR answers
//	fetch [STATUS] PATH      gets PATH from it, with $TOKEN, into the file "body";
//	                         the headers go to the file "head"
//	next                     fetches the nextLink in "body"
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() && !kit.Race() {
		files = []string{"testdata/first.txtar", "testdata/usage.txtar", "testdata/serve.txtar", "testdata/look.txtar"}
	}
	testscript.Run(t, testscript.Params{
		Files:         files,
		UpdateScripts: *kit.Update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("ADDR", "127.0.0.1:"+strconv.Itoa(kit.FreePort(t)))
			e.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"setjson": setJSON,
			"setfile": setFile,
			"ids":     setIDs,
			"fetch":   fetch,
			"next":    next,
			"listens": listens,
		},
	})
}

// setJSON: setjson FILE VAR KEY … sets variables to the values of string
// properties of the JSON object in FILE.
func setJSON(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for i := 1; i+1 < len(args); i += 2 {
		_, rest, found := strings.Cut(text, `"`+args[i+1]+`"`)
		if !found {
			ts.Fatalf("%s has no %s", args[0], args[i+1])
		}
		_, rest, _ = strings.Cut(rest, `"`)
		value, _, _ := strings.Cut(rest, `"`)
		ts.Setenv(args[i], value)
	}
}

// setIDs: ids FILE VAR … sets variables to the ids of the JSON objects in the array
// in FILE.
func setIDs(ts *testscript.TestScript, _ bool, args []string) {
	var all []struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &all))
	if len(all) != len(args)-1 {
		ts.Fatalf("%d objects, want %d", len(all), len(args)-1)
	}
	for i, name := range args[1:] {
		ts.Setenv(name, all[i].ID)
	}
}

// setFile: setfile VAR FILE sets a variable to the text of a file.
func setFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

func fetch(ts *testscript.TestScript, _ bool, args []string) {
	want := http.StatusOK
	if len(args) == 2 {
		n, err := strconv.Atoi(args[0])
		ts.Check(err)
		want, args = n, args[1:]
	}
	get(ts, want, "https://"+ts.Getenv("ADDR")+args[0])
}

func next(ts *testscript.TestScript, _ bool, _ []string) {
	_, rest, found := strings.Cut(ts.ReadFile("body"), `"@odata.nextLink":"`)
	if !found {
		ts.Fatalf("body has no nextLink")
	}
	link, _, _ := strings.Cut(rest, `"`)
	get(ts, http.StatusOK, link)
}

// listens waits until the server answers.
func listens(ts *testscript.TestScript, _ bool, _ []string) {
	get(ts, http.StatusOK, "https://"+ts.Getenv("ADDR")+"/v1.0/$metadata")
}

// patience is how long a process may take to do what it was started for.
const patience = time.Minute

func get(ts *testscript.TestScript, want int, url string) {
	res, body, err := tryGet(ts, url)
	for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond) // between two tries; the deadline decides
		res, body, err = tryGet(ts, url)
	}
	// A refusal may take a moment: another process's change is seen within seconds.
	for deadline := time.Now().Add(patience); err == nil && res.StatusCode != want && want >= 400 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
		res, body, err = tryGet(ts, url)
	}
	ts.Check(err)
	var head strings.Builder
	fmt.Fprintf(&head, "%s %d\n", res.Proto, res.StatusCode)
	ts.Check(res.Header.Write(&head))
	ts.Check(os.WriteFile(ts.MkAbs("head"), []byte(head.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("body"), body, 0o600))
	if res.StatusCode != want {
		ts.Fatalf("GET %s: status %d, want %d:\n%.500s", url, res.StatusCode, want, body)
	}
}

func tryGet(ts *testscript.TestScript, url string) (*http.Response, []byte, error) {
	pem, err := os.ReadFile(ts.MkAbs("data/tls/ca.pem"))
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	if token := ts.Getenv("TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}
