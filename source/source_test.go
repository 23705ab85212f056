package source

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/source/push"
)

func noOptions(string) Options { return Options{} }

func TestOpen(t *testing.T) {
	name, s, err := Kinds().Open("sbc1=hep+tcp://127.0.0.1:0?tenant=contoso&trunk=sbc1.contoso.com&microsoft=10.0.0.1", noOptions)
	if err != nil {
		t.Fatal(err)
	}
	a := s.About()
	if name != "sbc1" || a.Kind != "hep+tcp" || a.Tenant != "contoso" || a.Trunk != "sbc1.contoso.com" || len(a.Microsoft) != 1 || a.Authenticated {
		t.Errorf("%s, %+v", name, a)
	}
	for _, c := range []struct{ spec, says string }{
		{"hep+tcp://:9060", "NAME=URL is needed"},
		{"=hep+tcp://:9060", "NAME=URL is needed"},
		{"SBC 1=hep+tcp://:9060", "NAME=URL is needed"},
		{"sbc1=%zz://", "no URL"},
		{"sbc1=syslog://:514", `unknown kind "syslog": hep+udp, hep+tcp and hep+tls are possible`},
		{"sbc1=hep+tcp://:9060?tennant=x", "unknown parameter"},
		{"hep+tcp://:9060?auth=secret", "NAME=URL is needed"},
		{"http=hep+tcp://:9060?auth=secret", "that is the name of the source of the kind push, which is always there: choose another"},
		{"http=push:", "choose another"},
		{"calls=push:", "a source of the kind push is always there, by the name of http: leave this one out"},
	} {
		_, _, err := Kinds().Open(c.spec, noOptions)
		if !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want an error that says %q", c.spec, err, c.says)
		}
	}
}

// opened returns one source of each scheme in the table, and its name.
func opened(t *testing.T) map[string]Source {
	t.Helper()
	options := func(string) Options {
		return Options{
			TLS: func(string, string) (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS13}, nil },
			Of:  func(string, call.GUID) call.Sink { return nowhere{} },
			Requests: Requests{
				Authorize: func(*http.Request, call.Kind) (push.Admission, error) { return push.Admission{}, errors.New("nobody") },
				Fail:      func(http.ResponseWriter, *http.Request, push.Caller, error) {},
				Decode:    func(io.Reader) iter.Seq2[call.Event, error] { return func(func(call.Event, error) bool) {} },
				State:     nothing{},
			},
		}
	}
	all := map[string]Source{}
	for _, k := range Kinds() {
		for _, scheme := range k.Schemes {
			if k.Standing != "" {
				continue
			}
			_, s, err := Kinds().Open("x="+scheme+"://127.0.0.1:0?tenant=contoso&trunk=sbc1.contoso.com", options)
			if err != nil {
				t.Fatalf("%s: %v: a URL of the kind names a host, a tenant and a trunk", scheme, err)
			}
			all[scheme] = s
		}
	}
	err := Kinds().Standing(options, func(_ string, s Source) error {
		all[s.About().Kind] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type nowhere struct{}

func (nowhere) Put(context.Context, ...call.Event) (call.Outcome, error) { return call.Outcome{}, nil }

// nothing is a state without values.
type nothing struct{}

func (nothing) State(context.Context, string) iter.Seq2[call.Named, error] {
	return func(func(call.Named, error) bool) {}
}

func (nothing) Write(context.Context, call.Batch) (call.Result, error) { return call.Result{}, nil }

// TestContract: what every source of the table must do, whatever its input.
func TestContract(t *testing.T) {
	for scheme, s := range opened(t) {
		t.Run(scheme, func(t *testing.T) {
			if a := s.About(); a.Kind != scheme || !a.Seen.IsZero() {
				t.Errorf("before anything came: %+v", a)
			}
			if err := s.Listen(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Listen(t.Context()); err != nil {
				t.Errorf("a second Listen: %v", err)
			}
			if served, ok := s.(Served); ok && !strings.HasPrefix(served.Path(), "/ingest/") {
				t.Errorf("served at %s: a path below /ingest/ is needed", served.Path())
			}
			if a := s.About(); a.Address == "" || strings.Contains(a.Address, ":0") {
				t.Errorf("it listens at %q", a.Address)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx, "", nowhere{}) }()
			s.Counts(func(string, string, uint64) {}) // while it runs
			_ = s.About()
			stop()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run, when it is over: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("Run does not end")
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close behind Run: %v", err)
			}
		})
	}
	for scheme, s := range opened(t) {
		if err := errors.Join(s.Listen(t.Context()), s.Close()); err != nil {
			t.Errorf("%s: Close without Run: %v", scheme, err)
		}
	}
}

// TestCounts: a source counts only by its measures, which do not change, each count once; and all
// of them stand in docs/metrics.md, where operators look.
func TestCounts(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^trunklog_[a-z0-9_]+$`)
	for scheme, s := range opened(t) {
		measures, seen := map[string]call.Measure{}, map[string]bool{}
		for _, m := range s.Measures() {
			if _, twice := measures[m.Name]; twice || !form.MatchString(m.Name) || strings.HasSuffix(m.Name, "_total") == m.Gauge || !strings.HasSuffix(m.Help, ".") {
				t.Errorf("%s: a bad measure: %+v", scheme, m)
			}
			if m.By == "source" {
				t.Errorf("%s: %s: the label source is the name of the source", scheme, m.Name)
			}
			if !bytes.Contains(doc, []byte("`"+m.Name)) {
				t.Errorf("%s: docs/metrics.md does not tell of %s", scheme, m.Name)
			}
			measures[m.Name] = m
		}
		told := map[string]bool{}
		s.Counts(func(name, cause string, n uint64) {
			m, ok := measures[name]
			if !ok || (cause != "") != (m.By != "") || n != 0 || seen[name+" "+cause] {
				t.Errorf("%s: a bad count: %s of %q: %d", scheme, name, cause, n)
			}
			seen[name+" "+cause], told[name] = true, true
		})
		if len(told) != len(measures) || len(told) == 0 {
			t.Errorf("%s: %d measures, counts of %d: one that is not there cannot be seen to rise", scheme, len(measures), len(told))
		}
	}
}

// Each kind of recording that is listed can be read, and no other.
func TestRecording(t *testing.T) {
	for _, kind := range Recordings() {
		d, ok := Recording(kind, time.Now, nil)
		if !ok {
			t.Fatalf("%s is listed and cannot be read", kind)
		}
		for range d(strings.NewReader("")) {
			t.Errorf("%s: an empty recording has events", kind)
		}
	}
	if _, ok := Recording("graph", time.Now, nil); ok {
		t.Error("what is no recording can be read as one")
	}
}

// LooksRecorded knows a recording by its first bytes: HEP, both byte orders of pcap in each form,
// pcapng, and foreign captures whose refusal names a converter.
func TestLooksRecorded(t *testing.T) {
	for head, want := range map[string]string{
		"HEP3\x00\x20":             "hep",
		"\xa1\xb2\xc3\xd4\x00\x02": "pcap", "\xd4\xc3\xb2\xa1\x02\x00": "pcap",
		"\xa1\xb2\x3c\x4d": "pcap", "\x4d\x3c\xb2\xa1": "pcap", "\xa1\xb2\xcd\x34": "pcap", "\x34\xcd\xb2\xa1": "pcap",
		"\x0a\x0d\x0d\x0a\x1c\x00": "pcap", "snoop\x00": "pcap", "RTSS": "pcap",
		"": "", "HEP": "", "HEP2": "", "\xa1\xb2\xc3": "", "\xa1\xb2\xc3\xd5": "", "{\"value\":[]}": "", "\r\n\r\n": "", "\x16\x03\x01": "",
	} {
		kind, ok := LooksRecorded([]byte(head))
		if kind != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", head, kind, ok)
		}
	}
}
