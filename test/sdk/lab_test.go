package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/communications"

	"github.com/trunklog/trunklog/test/kit"
)

// TestLab makes the calls of test/lab, through Kamailio, and reads their rows with
// msgraph-sdk-go: what an SBC has signalled is what the official client shows,
// field by field. Each network that HEP can come over has calls of its own, and
// all of them are made at the same time.
func TestLab(t *testing.T) {
	kit.Need(t, "kamailio", "sipp")
	lab := filepath.Join(t.TempDir(), "lab")
	if err := kit.Build(t.Context(), "", "./test/lab", lab); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, nil)
	networks := []string{"udp", "tcp", "tls"}
	var flags, addresses []string
	for _, network := range networks {
		address := kit.FreeAddress(t)
		addresses = append(addresses, network+":"+address)
		flags = append(flags, "--source", fmt.Sprintf("%s=hep+%s://%s?tenant=contoso", network, network, address))
	}
	s := h.serve(t, flags...)
	began := time.Now()

	made := make([][]byte, len(networks))
	errs := make([]error, len(networks))
	for i := range networks { // one after the other: all programs at once keep each other waiting
		sip := "tcp" // as with Teams, but for TLS
		if networks[i] == "udp" {
			sip = "udp"
		}
		cmd := exec.CommandContext(t.Context(), lab, "run", "--hep", addresses[i], "--sip", sip, "--run", fmt.Sprint(1+i), "--ca", h.CA())
		var diag bytes.Buffer
		cmd.Stderr = &diag
		if made[i], errs[i] = cmd.Output(); errs[i] != nil {
			errs[i] = fmt.Errorf("over %s: %w\n%s", networks[i], errs[i], diag.Bytes())
		}
	}
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	facts := bytes.Join(made, nil)
	file := filepath.Join(t.TempDir(), "facts.jsonl")
	if err := os.WriteFile(file, facts, 0o600); err != nil {
		t.Fatal(err)
	}

	// Two calls of each network are not over and have no row.
	want := bytes.Count(facts, []byte("\n")) - 2*len(networks)
	rows := s.await(t, want, began.Add(-time.Hour), began.Add(time.Hour))
	check := exec.CommandContext(t.Context(), lab, "check", "--slack", "2s", file)
	check.Stdin = bytes.NewReader(rows)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// await reads the rows of a range with the SDK until there are n of them, or
// for half a minute. They are returned as JSON lines, by Graph's names.
func (s *server) await(t *testing.T, n int, from, to time.Time) []byte {
	t.Helper()
	sdk := newGoSDK(t, s, s.bySecret(t, s.reader), "v1.0")
	deadline := time.After(30 * time.Second)
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		var lines bytes.Buffer
		count := 0
		for _, r := range sdk.between(t, from, to) {
			count++
			b, err := json.Marshal(byGraphsNames(readBySDK(r)))
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(b, '\n'))
		}
		if count >= n {
			return lines.Bytes()
		}
		select {
		case <-look.C:
		case <-deadline:
			return lines.Bytes() // the check tells which are missing
		}
	}
}

// between reads all rows of a range.
func (g *goSDK) between(t *testing.T, from, to time.Time) (rows []sdkRow) {
	t.Helper()
	page, err := communications.NewCommunicationsRequestBuilderInternal(map[string]string{}, g.adapter).
		CallRecords().MicrosoftGraphCallRecordsGetDirectRoutingCallsWithFromDateTimeWithToDateTime(&from, &to).
		GetAsGetDirectRoutingCallsWithFromDateTimeWithToDateTimeGetResponse(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := graphcore.NewPageIterator[sdkRow](page, g.adapter, newSDKPage)
	if err != nil {
		t.Fatal(err)
	}
	err = pages.Iterate(t.Context(), func(r sdkRow) bool {
		rows = append(rows, r)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// byGraphsNames returns the properties of a row by the names that they have in
// Graph's JSON.
func byGraphsNames(r graphRow) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(r)
	for f := range v.Type().Fields() {
		name := strings.ReplaceAll(f.Name, "ID", "Id")
		out[strings.ToLower(name[:1])+name[1:]] = v.FieldByIndex(f.Index).Interface()
	}
	return out
}
