package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/test/kit"

	"github.com/trunklog/trunklog/datadir"
)

// TestDataFolderDamage harms what is beside the store in a data folder, after
// the server was killed and after an orderly stop: it serves all rows, or says
// which file is damaged. The files of the store have a sweep of their own in
// store/pebble.
func TestDataFolderDamage(t *testing.T) {
	kit.Long(t)
	t.Parallel() // it mostly waits for processes
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	other := filepath.Join(t.TempDir(), "other") // has what once might have been here
	newTenant(t, other, "contoso", contosoID)
	if err := start(t, other).stop(t); err != nil {
		t.Error(err)
	}
	for _, end := range []string{"killed", "stopped"} {
		t.Run(end, func(t *testing.T) {
			whole := filepath.Join(t.TempDir(), "data")
			newTenant(t, whole, "contoso", contosoID)
			s := start(t, whole)
			rows := must(t, "", "gen", "--rows", "100", "--from", "2026-10-01", "--to", "2026-10-02")
			must(t, rows, "import", "graph", "--data", whole, "--tenant", "contoso", "-")
			if end == "killed" {
				s.Kill()
			} else if err := s.stop(t); err != nil {
				t.Error(err)
			}
			if err := os.RemoveAll(datadir.Socket(whole)); err != nil { // it cannot be copied
				t.Fatal(err)
			}
			told := 0
			for _, name := range besideStore(t, whole) {
				for what, bad := range harmsOf(t, whole, other, name, random) {
					if testing.Short() && random.IntN(3) > 0 {
						continue // each takes a server
					}
					if servesOrTells(t, whole, name, what, bad) {
						told++
					}
				}
			}
			t.Logf("%d harms were told of", told)
			if told < 10 && !testing.Short() || told == 0 {
				t.Error("harms were not noticed")
			}
		})
	}
}

// besideStore returns the files of a data folder that are not of the store.
func besideStore(t *testing.T, data string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(data, path)
		if d.IsDir() && name == "store" {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil || len(names) < 4 {
		t.Fatalf("%v, %v", names, err)
	}
	return names
}

// harmsOf returns what may become of a file; nil is that it is gone.
func harmsOf(t *testing.T, data, other, name string, random *rand.Rand) map[string][]byte {
	t.Helper()
	was, err := os.ReadFile(filepath.Join(data, name))
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(other, name))
	if err != nil {
		t.Fatal(err)
	}
	harms := map[string][]byte{"removed": nil, "an older one": old, "zeros": make([]byte, len(was)), "cut to nothing": {}}
	for i, place := range []string{"first", "middle", "last"} {
		third := len(was) / 3
		at := i*third + random.IntN(third)
		flipped := bytes.Clone(was)
		flipped[at] ^= 1 << random.IntN(8)
		harms["a bit flipped in the "+place+" third"] = flipped
		harms["cut in the "+place+" third"] = was[:at]
	}
	return harms
}

// servesOrTells reports whether the server said that the file is damaged.
func servesOrTells(t *testing.T, whole, name, what string, bad []byte) (told bool) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(data, name)
	err := os.Remove(path)
	if bad != nil {
		err = os.WriteFile(path, bad, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := tryStart(t, data)
	defer s.Kill()
	if err != nil {
		if text := s.Log.String(); !strings.Contains(text, path) {
			t.Errorf("%s, %s: the server ends and does not name it:\n%s", name, what, text)
		}
		return true
	}
	count := must(t, "", "calls", "count", "--data", data, "--tenant", "contoso", "--from", "2026-10-01", "--to", "2026-10-02")
	if strings.TrimSpace(count) != fmt.Sprint(100) {
		t.Errorf("%s, %s: %s of 100 rows", name, what, count)
	}
	return false
}
