package e2e

import (
	"bufio"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// TestTail: calls are printed as they happen, a second after they have ended at
// the latest, and those that are imported meanwhile too.
func TestTail(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	address := kit.FreeAddress(t)
	if _, errs, code := command(t, "", "calls", "tail", "--data", data); code != 1 || !strings.Contains(errs, "no server runs") {
		t.Errorf("without a server: %d, %s", code, errs)
	}
	start(t, data, "--source", "lab=hep+tcp://"+address+"?tenant=contoso")
	cmd := kit.Command(t.Context(), "trunklog", "calls", "tail", "--open", "--data", data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	expect := func(want ...string) {
		t.Helper()
		for timeout := time.After(patience); ; {
			select {
			case line, ok := <-lines:
				if !ok {
					t.Fatal("tail has ended")
				}
				missing := false
				for _, w := range want {
					missing = missing || !strings.Contains(line, w)
				}
				if !missing {
					return
				}
				t.Logf("waiting for %q: %s", want, line)
			case <-timeout:
				t.Fatalf("%q is not printed", want)
			}
		}
	}
	// Until tail listens, what happens is nobody's news.
	imported, enough := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(imported)
		for range 50 {
			rows := must(t, "", "gen", "--rows", "1", "--from", "2026-11-01", "--to", "2026-11-02", "--seed", strconv.FormatInt(time.Now().UnixNano(), 10))
			must(t, rows, "import", "graph", "--tenant", "contoso", "--data", data, "-")
			select {
			case <-enough:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	expect("2026-11-01")
	close(enough)
	<-imported

	var row call.Row
	now := time.Now().UTC()
	for r := range gen.Rows(gen.Config{Rows: 200, Seed: 1, From: now.Add(-time.Hour), To: now}) {
		if r.Successful && !r.End.IsZero() {
			row = r.Clone()
		}
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(until time.Time) {
		for _, m := range gen.SIP(&row) {
			if p := (hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: 6, Payload: m.Raw}); !m.At.After(until) {
				if _, err := conn.Write(p.Append(nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	send(row.Invite.Add(5 * time.Millisecond))
	expect(row.Caller, row.Callee, "ringing")
	send(row.Start.Add(5 * time.Millisecond))
	expect(row.Caller, row.Callee, "answered")
	send(row.End.Add(time.Minute))
	hungUp := time.Now()
	expect(row.Caller, row.Callee, row.Trunk, strconv.Itoa(int(row.Duration))+" s")
	t.Logf("printed %v after the BYE", time.Since(hungUp).Round(time.Millisecond))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}
