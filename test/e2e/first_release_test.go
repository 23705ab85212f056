package e2e

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// TestFirstReleaseFolder: the data folder of the first release, closed in order
// or killed, is read as that release answered: rows of Graph and of Teams'
// export, calls that were heard, with their messages, and records of an SBC that
// say more of them. What was begun goes on: a call that is open, and one of which
// a part is known.
func TestFirstReleaseFolder(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			told := func(name string) string { return read(t, filepath.Join("testdata", "first-release", end, name)) }
			rows := gunzip(t, told("rows.json.gz"))
			data := filepath.Join(t.TempDir(), "data")
			copyPrivate(t, filepath.Join("testdata", "first-release", end), data)
			list := func() string {
				return must(t, "", "calls", "list", "--data", data, "--tenant", "contoso", "--from", "2026-09-01", "--to", "2026-11-01", "--limit", "0", "-o", "json")
			}
			must(t, "", "db", "check", "--data", data)
			upgraded := list()
			sameButMoved(t, decodeRows(t, rows), decodeRows(t, upgraded))
			got := must(t, "", "calls", "ladder", strings.TrimSpace(told("ladder.id")), "--data", data, "--tenant", "contoso", "--json")
			if got != told("ladder.json") {
				t.Errorf("the messages are not those that the first release told:\n%.1000s", got)
			}

			address := kit.FreeAddress(t)
			s := start(t, data, "--new-ca", "--keep", "forever", "--keep-sip", "forever", "--source", "lab=hep+tcp://"+address+"?tenant=contoso")
			goOn(t, s, address, told("rest.hep"), told("client.json"))
			var now string
			for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
				now = list()
				heard, half := strings.Contains(now, `"2026-10-05T`), strings.Contains(now, `"2026-10-06T08:00:00Z"`)
				if heard && half {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the open call has become a row: %v; the call in parts: %v", heard, half)
				}
			}
			if was, is := decodeRows(t, upgraded), decodeRows(t, now); len(is) != len(was)+2 {
				t.Errorf("there are %d rows, of %d", len(is), len(was))
			} else {
				for id, row := range was {
					if is[id] != row {
						t.Errorf("a row of the first release has changed: %s", row)
					}
				}
			}
		})
	}
}

// TestFirstReleaseExportAgain: the record of Teams' export that the first release has
// read is the same one when it comes again, as it came and as a spreadsheet resaved it.
func TestFirstReleaseExportAgain(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	copyPrivate(t, filepath.Join("testdata", "first-release", "closed"), data)
	list := func() string {
		return must(t, "", "calls", "list", "--data", data, "--tenant", "contoso", "--from", "2019-10-01", "--to", "2019-12-01", "-o", "json")
	}
	export := read(t, filepath.Join(repository, "format", "teams", "testdata", "bom.in"))
	resaved := strings.NewReplacer(",", ";", ".9490000Z", "", ".1050000Z", "", "T00:", " 00:", "+01234567***", "01234567***").Replace(export)
	want := list()
	if len(decodeRows(t, want)) != 1 {
		t.Fatal(want)
	}
	for _, text := range []string{export, resaved, export} {
		must(t, text, "import", "teams", "--data", data, "--tenant", "contoso", "-")
		if got := list(); got != want {
			t.Errorf("%.600s\ngives %s\nwant %s", text, got, want)
		}
	}
}

// sameButMoved checks that rows are as they were, but for three whose start Graph told
// better than the source that was first: the first release kept them where they were,
// and they have moved there now.
func sameButMoved(t *testing.T, was, is map[string]string) {
	t.Helper()
	moved := 0
	for id, row := range was {
		if is[id] == row {
			continue
		}
		moved++
		var before, after map[string]any
		if err := errors.Join(json.Unmarshal([]byte(row), &before), json.Unmarshal([]byte(is[id]), &after)); err != nil {
			t.Fatal(err)
		}
		started := strings.TrimSuffix(before["startDateTime"].(string), "Z")
		if !strings.HasPrefix(after["startDateTime"].(string), started) {
			t.Errorf("a row that started at %s starts at %s", started, after["startDateTime"])
		}
		after["startDateTime"] = before["startDateTime"]
		if !maps.EqualFunc(before, after, func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
			t.Errorf("a row of the first release has changed: %s", is[id])
		}
	}
	if len(was) != len(is) || moved != 3 {
		t.Errorf("%d rows of %d, and %d have moved", len(is), len(was), moved)
	}
}

// goOn says the rest of what had begun when the first release stopped.
func goOn(t *testing.T, s *server, address, rest, client string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, rest); err != nil {
		t.Fatal(err)
	}
	var made struct{ ClientID, ClientSecret string }
	if err := json.Unmarshal([]byte(client), &made); err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(must(t, "", "token", "--data", s.data, "--tenant", "contoso", "--client", made.ClientID, "--secret", made.ClientSecret))
	end := `{"event":"partial","call":"half-1","endDateTime":"2026-10-06T08:01:00Z","done":true}` + "\n"
	if status, answer, _, err := s.deliver(t.Context(), token, end); err != nil || status != http.StatusOK || !strings.Contains(answer, `"new":1`) {
		t.Fatalf("%d %s, %v", status, answer, err)
	}
}

// decodeRows returns the rows of a list by their ids, as they are printed.
func decodeRows(t *testing.T, list string) map[string]string {
	t.Helper()
	var rows []json.RawMessage
	if err := json.Unmarshal([]byte(list), &rows); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string, len(rows))
	for _, r := range rows {
		var named struct{ ID string }
		if err := json.Unmarshal(r, &named); err != nil {
			t.Fatal(err)
		}
		all[named.ID] = string(r)
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func gunzip(t *testing.T, packed string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// copyPrivate copies a folder, for its user alone: git does not keep that.
func copyPrivate(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Mkdir(filepath.Join(to, name), 0o700)
		}
		return os.WriteFile(filepath.Join(to, name), []byte(read(t, path)), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
