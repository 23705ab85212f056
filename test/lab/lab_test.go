package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m, func() error { return goleak.Find() }) }

// needPrograms skips a test of real calls, which take their time, if there is none,
// or if the lab's programs are missing where they may be.
func needPrograms(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("short: real calls take ten seconds of a processor and more; what was recorded of them is read")
	}
	kit.Need(t, "kamailio", "sipp", "baresip")
}

// slack is how far the clocks of Kamailio and of SIPp may be apart on a machine
// that does other things as well. Recordings are exact.
const slack = time.Second

// newTestTrunklog returns a fresh trunklog, which is stopped when the test ends.
func newTestTrunklog(t *testing.T) *trunklog {
	t.Helper()
	tl, err := newTrunklog(t.Context(), kit.Program(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tl.stop)
	return tl
}

// ways are those in which calls are made: what HEP comes over, what SIP comes
// over, where the answers to Teams go, and what the SBC does with Call-ID and
// From.
var ways = []struct {
	name string
	config
}{
	{"udp", config{network: "udp", sip: "udp"}},
	{"tcp", config{network: "tcp", sip: "tcp"}},
	{"tls", config{network: "tls", sip: "tls"}},
	{"udp-rport", config{network: "tcp", sip: "udp", rport: true}},
	{"tcp-rport", config{network: "udp", sip: "tcp", rport: true}},
	{"tls-rport", config{network: "tcp", sip: "tls", rport: true}},
	{"b2bua", config{network: "tcp", sip: "tcp", b2bua: true}},
	{"b2bua-udp", config{network: "tcp", sip: "udp", b2bua: true, from: true}},
	{"b2bua-tls", config{network: "tcp", sip: "tls", b2bua: true}},
	{"b2bua-tls-rport", config{network: "tcp", sip: "tls", b2bua: true, from: true, rport: true}},
	{"sipp-udp", config{network: "tcp", sip: "udp", through: "sipp"}},
	{"sipp-tcp", config{network: "tcp", sip: "tcp", through: "sipp", rport: true}},
	{"sipp-tls", config{network: "tls", sip: "tls", through: "sipp"}},
	{"sipp-tls-rport", config{network: "tcp", sip: "tls", through: "sipp", rport: true}},
	{"baresip-udp", config{network: "udp", sip: "udp", through: "baresip"}},
	{"baresip-tls", config{network: "tcp", sip: "tls", through: "baresip"}},
}

// TestCalls makes all calls through Kamailio, in each of the ways, and compares
// every field of every row.
func TestCalls(t *testing.T) {
	needPrograms(t)
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			tl := newTestTrunklog(t)
			if i%2 == 0 { // otherwise it is to find out by itself who Microsoft is
				tl.more = "&microsoft=" + teamsAddress + "," + otherTeams
			}
			if err := tl.serve(t.Context(), w.network); err != nil {
				t.Fatal(err)
			}
			w.run, w.seed = 1+i, t.TempDir()
			all, err := makeCalls(t.Context(), tl.config(w.config, w.network))
			if err != nil {
				t.Fatal(err)
			}
			checkCalls(t, tl, all, slack)
		})
	}
}

// checkCalls compares the rows with what they must be.
func checkCalls(t *testing.T, tl *trunklog, all []facts, slack time.Duration) {
	t.Helper()
	n, err := expected(all)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := tl.await(t.Context(), n, patience)
	if err != nil {
		t.Fatal(err)
	}
	results, err := compare(all, rows, slack)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		for _, w := range r.wrong {
			t.Errorf("%s: %s", r.scenario.name, w)
		}
	}
	if len(results) != len(all) {
		t.Errorf("%d results for %d calls", len(results), len(all))
	}
}

// TestLoad makes 60 calls a second for a while: each has its row.
func TestLoad(t *testing.T) {
	needPrograms(t)
	const rate, calls = 60, 180
	for _, network := range []string{"udp", "tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			tl := newTestTrunklog(t)
			if err := tl.serve(t.Context(), network); err != nil {
				t.Fatal(err)
			}
			if err := makeLoad(t.Context(), tl.config(config{sip: network, run: 1, seed: t.TempDir()}, network), rate, calls); err != nil {
				t.Fatal(err)
			}
			rows, err := tl.await(t.Context(), calls, patience)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkLoad(rows, calls); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCommands runs the commands as a user does, with a trunklog that runs
// already.
func TestCommands(t *testing.T) {
	needPrograms(t)
	tl := newTestTrunklog(t)
	if err := tl.serve(t.Context(), "tcp"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "facts.jsonl")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	hep := fmt.Sprintf("tcp:127.0.0.1:%d", tl.hep["tcp"])
	if err := command(t.Context(), []string{"run", "--hep", hep, "--only", "404"}, nil, out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tl.await(t.Context(), 2, patience); err != nil {
		t.Fatal(err)
	}
	rows, err := tl.Do(t.Context(), "calls", "list", "--tenant", "contoso", "-o", "jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := command(t.Context(), []string{"check", "--slack", slack.String(), file}, bytes.NewReader(rows), t.Output()); err != nil {
		t.Error(err)
	}
}
