package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/source"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// patience is how long the test waits for what it has started.
const patience = time.Minute

// A toy is a source of a kind that no other package knows. It tells one call in two parts, and
// counts its marbles.
type toy struct {
	now  func() time.Time
	open atomic.Bool
	last atomic.Pointer[time.Time]
}

// toyKind returns its line for the table of sources.
func toyKind() source.Kind {
	return source.Kind{Schemes: []string{"toy"}, Open: func(_ *url.URL, o source.Options) (source.Source, error) { return &toy{now: o.Now}, nil }}
}

func (s *toy) About() call.About {
	a := call.About{Kind: "toy", Tenant: "contoso", Trunk: "sbc7.contoso.com", Authenticated: true}
	if s.open.Load() {
		a.Address = "the desk"
	}
	if at := s.last.Load(); at != nil {
		a.Seen = *at
	}
	return a
}

func (s *toy) Measures() []call.Measure {
	return []call.Measure{{Name: "trunklog_toy_marbles_total", Help: "Marbles that were counted.", By: "colour"}}
}

func (s *toy) Counts(yield func(name, cause string, n uint64)) {
	yield("trunklog_toy_marbles_total", "blue", 7)
}

func (s *toy) Listen(context.Context) error { s.open.Store(true); return nil }
func (s *toy) Close() error                 { return nil }

func (s *toy) Run(ctx context.Context, _ string, sink call.Sink) error {
	start := call.Event{Kind: call.PartEvent, Call: "marble-1", Row: call.Row{Start: s.now().Add(-time.Minute), Trunk: "sbc7.contoso.com", CallType: "dr_in"}}
	start.Row.Settle(call.CDR.Witness(), false)
	stop := call.Event{Kind: call.LastPartEvent, Call: "marble-1", Row: call.Row{End: s.now(), FinalSIPCode: 200}}
	stop.Row.Settle(call.CDR.Witness(), false)
	for _, e := range []call.Event{start, stop} {
		out, err := sink.Put(ctx, e)
		if err != nil || out.Err() != nil {
			return err
		}
	}
	at := s.now()
	s.last.Store(&at)
	<-ctx.Done()
	return nil
}

// toyProgram returns a program whose table of sources has the toy.
func toyProgram(out io.Writer) (*program, *kit.Log) {
	log := new(kit.Log)
	return &program{stdin: strings.NewReader(""), stdout: out, stderr: log, now: time.Now, sources: append(source.Kinds(), toyKind())}, log
}

// TestSourcesArePlugIns: the server runs a source that is a line in the table and nothing else. The
// metrics, 'source list' and the page of health show it, and its parts of calls become rows as
// those of any other source do.
func TestSourcesArePlugIns(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		p, errs := toyProgram(&out)
		if code := p.run(t.Context(), append(args, "--data", data)); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		return out.String()
	}
	run("tenant", "add", "contoso", "--id", "6f1c0e4e-3a52-4d0e-8a3b-0f0000000001", "--trunk", "*.contoso.com")
	ctx, stop := context.WithCancel(t.Context())
	server, log := toyProgram(io.Discard)
	done := make(chan int, 1)
	go func() {
		done <- server.run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--source", "desk=toy:"})
	}()
	defer func() {
		stop()
		<-done
	}()
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), `"msg":"ready"`); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server is not ready:\n%s", log)
		}
	}
	var all []admin.SourceStatus
	for deadline := time.Now().Add(patience); len(all) == 0 || all[len(all)-1].Seen == nil; time.Sleep(5 * time.Millisecond) {
		var out bytes.Buffer
		p, errs := toyProgram(&out)
		if code := p.run(ctx, []string{"source", "list", "--data", data, "-o", "json"}); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		if err := json.Unmarshal(out.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the toy is not seen: %s\n%s", &out, log)
		}
	}
	if len(all) != 2 || all[0].Name != "http" || all[0].Kind != "push" || all[0].Address != "/ingest/v1/calls" || len(all[0].Counts) < 20 {
		t.Errorf("%+v", all)
	}
	if s := all[len(all)-1]; s.Name != "desk" || s.Kind != "toy" || s.Address != "the desk" || s.Tenant != "contoso" || s.Trunk != "sbc7.contoso.com" ||
		!s.Authenticated || s.Calls != (admin.SourceCalls{New: 1}) || len(s.Counts) != 1 || s.Counts[0] != (admin.SourceCount{Name: "trunklog_toy_marbles_total", Cause: "blue", N: 7}) {
		t.Errorf("%+v", s)
	}
	page := func(path string) string {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		var d net.Dialer
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", datadir.Socket(data))
		}}}
		defer client.CloseIdleConnections()
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		return string(b)
	}
	text := page("/metrics")
	for _, want := range []string{
		"# HELP trunklog_toy_marbles_total Marbles that were counted.", `trunklog_toy_marbles_total{colour="blue",source="desk"} 7`,
		`trunklog_rows_total{outcome="new",source="desk"} 1`, `trunklog_rows_total{outcome="new",source="http"} 0`,
		`trunklog_push_requests_total{outcome="accepted"} 0`, `trunklog_limited_total{limit="batches"} 0`, `trunklog_limited_total{limit="scans"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if got := page("/healthz"); got != "ok\n" {
		t.Errorf("healthz: %q", got)
	}
	if got := page("/healthz?verbose"); !strings.HasPrefix(got, "ok\nsource http: push at /ingest/v1/calls, last seen never\nsource desk: toy at the desk, last seen 2") {
		t.Errorf("healthz?verbose: %q", got)
	}
	if n := strings.TrimSpace(run("calls", "count")); n != "1" {
		t.Errorf("there are %s rows", n)
	}
}

// TestSourceTest: source test counts what a source receives, by kind and by cause, and keeps
// nothing. It fails if nothing was understood.
func TestSourceTest(t *testing.T) {
	listening := regexp.MustCompile(`listening: hep\+tcp at (127\.0\.0\.1:\d+), for 2s`)
	message := []byte("OPTIONS sip:sbc1.contoso.com SIP/2.0\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nFrom: <sip:sip.pstnhub.microsoft.com>;tag=1\r\nTo: <sip:sbc1.contoso.com>\r\n\r\n")
	good := hep.Packet{At: time.Now(), Src: netip.MustParseAddrPort("10.0.0.1:5060"), Dst: netip.MustParseAddrPort("10.0.0.2:5060"), Protocol: 6, Payload: message}
	for _, c := range []struct {
		name string
		sent []byte
		code int
		says string
	}{
		{"a message", good.Append(nil), 0, `(?s)^WHAT +CAUSE +COUNT\nUnderstood: events of the kind message +- +1\n.*SIP messages taken out of HEP packets and accepted +- +1\n`},
		{"another protocol", []byte("GET / HTTP/1.0\r\n\r\n"), 1, `HEP packets of which nothing came, by cause +magic +1\n`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			p, errs := toyProgram(&out)
			done := make(chan int, 1)
			go func() {
				done <- p.run(t.Context(), []string{"source", "test", "sbc1=hep+tcp://127.0.0.1:0", "--for", "2s"})
			}()
			var address []string
			for deadline := time.Now().Add(patience); address == nil; time.Sleep(5 * time.Millisecond) {
				address = listening.FindStringSubmatch(errs.String())
				if time.Now().After(deadline) {
					t.Fatal("it does not listen")
				}
			}
			conn, err := net.Dial("tcp", address[1])
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.Write(c.sent)
			if err = errors.Join(err, conn.Close()); err != nil {
				t.Fatal(err)
			}
			if code := <-done; code != c.code || !regexp.MustCompile(c.says).MatchString(out.String()) {
				t.Errorf("exit code %d: %s\n%s", code, &out, errs)
			}
			if failed := strings.Contains(errs.String(), "nothing has come that could be understood"); failed != (c.code != 0) {
				t.Errorf("it says %s", errs)
			}
		})
	}
}
