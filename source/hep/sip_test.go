package hep

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/trunklog/trunklog/call"
)

// messages returns the messages of a file in testdata/sip.
func messages(t testing.TB, file string) (names []string, msgs map[string][]byte) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "sip", file))
	if err != nil {
		t.Fatal(err)
	}
	msgs = map[string][]byte{}
	for _, f := range a.Files {
		if !strings.HasSuffix(f.Name, ".want") {
			names = append(names, f.Name)
			msgs[f.Name] = wire(t, string(f.Data))
		}
	}
	return names, msgs
}

var sipFiles = []string{"torture.txtar", "teams.txtar", "odd.txtar"}

func allMessages(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, file := range sipFiles {
		names, msgs := messages(t, file)
		for _, name := range names {
			all = append(all, msgs[name])
		}
	}
	return all
}

// scanned says what Scan makes of a message.
func scanned(msg []byte) string {
	var s call.Signal
	if err := Scan(bytes.Clone(msg), &s); err != nil {
		return "error: " + err.(Cause).String() + "\n" //nolint:errorlint // Scan returns a bare Cause
	}
	return dump(&s)
}

// TestScan compares what comes of each message with what the file says.
func TestScan(t *testing.T) {
	for _, file := range sipFiles {
		t.Run(strings.TrimSuffix(file, ".txtar"), func(t *testing.T) {
			path := filepath.Join("testdata", "sip", file)
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			out := &txtar.Archive{Comment: a.Comment}
			for _, f := range a.Files {
				if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
					want[name] = string(f.Data)
					continue
				}
				got := scanned(wire(t, string(f.Data)))
				out.Files = append(out.Files, f, txtar.File{Name: f.Name + ".want", Data: []byte(got)})
			}
			for i := 1; i < len(out.Files) && !*update; i += 2 {
				name, got := out.Files[i-1].Name, string(out.Files[i].Data)
				if got != want[name] {
					t.Errorf("%s:\n%swant:\n%s", name, got, want[name])
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(out), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
