package sip

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/sip/siptest"
)

var update = flag.Bool("update", false, "write what comes out to the golden files")

// scanned returns the result of Scan for a message.
func scanned(msg []byte) string {
	var s call.Signal
	unread, fault := scan(bytes.Clone(msg), &s)
	if fault != 0 {
		return "error: " + fault.String() + "\n"
	}
	if unread != 0 {
		return siptest.Dump(&s) + "unread: " + unread.String() + "\n"
	}
	return siptest.Dump(&s)
}

// TestScan compares Scan's result for each message with the file.
func TestScan(t *testing.T) {
	for _, file := range siptest.Files {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) {
			a := siptest.Archive(t, file)
			want := map[string]string{}
			out := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
					want[name] = string(f.Data)
					continue
				}
				got := scanned(siptest.Wire(t, string(f.Data)))
				out.Files = append(out.Files, f, txtar.File{Name: f.Name + ".want", Data: []byte(got)})
			}
			for i := 1; i < len(out.Files) && !*update; i += 2 {
				name, got := out.Files[i-1].Name, string(out.Files[i].Data)
				if got != want[name] {
					t.Errorf("%s:\n%swant:\n%s", name, got, want[name])
				}
			}
			if *update {
				if err := os.WriteFile(filepath.Join("siptest", file), txtar.Format(out), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestFaults checks that every fault has a name of its own and says what it is.
func TestFaults(t *testing.T) {
	names := map[string]bool{}
	for f := Fault(1); f < numFaults; f++ {
		name, known := strings.CutPrefix(f.String(), "sip-")
		if !known || strings.HasPrefix(name, "fault-") || names[name] || f.Error() == "" {
			t.Errorf("fault %d is called %q: %v", int(f), f.String(), f)
		}
		names[name] = true
	}
	for _, f := range []Fault{0, numFaults, 255} {
		if got, want := f.Error(), fmt.Sprintf("sip-fault-%d", int(f)); got != want {
			t.Errorf("fault %d is %q, want %q", int(f), got, want)
		}
	}
}
