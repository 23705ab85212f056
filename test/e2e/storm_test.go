package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// TestStorms: with thousands of calls open, a few kilobytes of another tenant's that
// tell of restarts, and bodies full of rows that share a correlation id or of calls
// that never end, are taken; and a call that ends meanwhile is a row in seconds.
func TestStorms(t *testing.T) {
	kit.Long(t)
	t.Parallel() // the limits are far from what is measured
	data := filepath.Join(t.TempDir(), "data")
	newTenant(t, data, "contoso", contosoID)
	stormy := newCollector(t, data, "fabrikam", fabrikamID)
	address := kit.FreeAddress(t)
	s := start(t, data, "--source", "lab=hep+tcp://"+address+"?tenant=contoso")
	heard, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	st, err := admin.Dial(t.Context(), datadir.Socket(data), programVersion(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tenant, err := call.ParseGUID(contosoID)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	var open []call.Row
	for r := range gen.Rows(gen.Config{Rows: 1_200, Seed: 1, From: from, To: from.AddDate(0, 0, 1)}) {
		if r.Successful && !r.End.IsZero() {
			open = append(open, r.Clone())
		}
	}
	const probes = 8
	for i := range open[probes:] {
		r := &open[probes+i]
		tellSIP(t, heard, r, func(m call.Message) bool { return m.At.Before(r.End.Add(-time.Second)) })
	}

	storms := []struct{ name, body string }{
		{"restarts of trunks that nobody has", lines(60_000, func(i int) string {
			return fmt.Sprintf(`{"event":"restart","trunkFullyQualifiedDomainName":"sbc%d.nobody.test"}`, i%2_000)
		})},
		{"restarts of the other's trunk", lines(10_000, func(int) string {
			return `{"event":"restart","trunkFullyQualifiedDomainName":"sbc1.contoso.test"}`
		})},
		{"rows that share a correlation id", lines(5_000, func(i int) string {
			return fmt.Sprintf(`{"id":"%08x-0000-4000-8000-00000000abcd","correlationId":"00000000-0000-4000-8000-00000000c0ff","callType":"ByotIn","startDateTime":"2026-11-01T08:00:00Z","endDateTime":"2026-11-01T08:00:01Z","duration":1,"successfulCall":true}`, i)
		})},
		{"calls that never end", lines(5_000, func(i int) string {
			return fmt.Sprintf(`{"event":"partial","call":"open-%d","startDateTime":"2026-11-01T08:00:00Z","trunkFullyQualifiedDomainName":"sbc1.fabrikam.test"}`, i)
		})},
	}
	for n, storm := range storms {
		t.Run(storm.name, func(t *testing.T) {
			done := make(chan string, 1)
			go func() {
				status, answer, _, err := s.deliver(t.Context(), stormy, storm.body, "Content-Encoding", "gzip")
				if status != http.StatusOK || err != nil {
					done <- fmt.Sprintf("%d %v %.300s", status, err, answer)
				}
				close(done)
			}()
			for i := range 2 {
				r := &open[2*n+i]
				began := time.Now()
				tellSIP(t, heard, r, func(call.Message) bool { return true })
				for !hasCall(t, st, tenant, r) {
					if time.Since(began) > patience/2 {
						t.Fatalf("call %d is no row after %v", i, time.Since(began))
					}
					time.Sleep(5 * time.Millisecond) // between two looks
				}
				t.Log("a row after", time.Since(began).Round(time.Millisecond))
			}
			if wrong := <-done; wrong != "" {
				t.Error(wrong)
			}
		})
	}
	if n, err := st.Count(t.Context(), call.Query{Tenant: tenant}); n != probes || err != nil {
		t.Errorf("%d calls have ended, %v; want %d", n, err, probes)
	}
}

// lines returns lines, packed.
func lines(n int, line func(i int) string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for i := range n {
		_, _ = fmt.Fprintln(z, line(i))
	}
	_ = z.Close()
	return b.String()
}

// tellSIP sends the wanted messages of a call as HEP.
func tellSIP(t *testing.T, conn net.Conn, r *call.Row, wanted func(call.Message) bool) {
	t.Helper()
	var b strings.Builder
	for _, m := range gen.SIP(r) {
		if wanted(m) {
			p := hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: 6, Payload: m.Raw}
			b.Write(p.Append(nil))
		}
	}
	if _, err := conn.Write([]byte(b.String())); err != nil {
		t.Fatal(err)
	}
}

func hasCall(t *testing.T, st call.RowReader, tenant call.GUID, r *call.Row) bool {
	t.Helper()
	n, err := st.Count(t.Context(), call.Query{Tenant: tenant, Where: call.Compare{Field: call.FieldCorrelationID, Value: r.CorrelationID}})
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}
