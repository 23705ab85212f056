package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trunklog/trunklog/sip/siptest"
	"github.com/trunklog/trunklog/source/hep"
	"github.com/trunklog/trunklog/test/kit"
)

// TestHearWild sends what SBCs, Microsoft and agents signal and report, as HEP over
// UDP and TCP and as a file, in order, reversed, mixed and twice: each call has the
// rows that are right, and no others. The calls are ingest/testdata/wild/*.sip.
func TestHearWild(t *testing.T) {
	kit.Long(t)
	t.Parallel()
	for _, way := range []string{"udp", "tcp", "import"} {
		for _, order := range []string{"seen", "reversed", "mixed"} {
			t.Run(way+", "+order, func(t *testing.T) {
				t.Parallel()
				w := newWild(t)
				packets := w.packets(t, order)
				if way == "import" {
					w.importAll(t, packets)
					w.await(t, time.Now())
					return
				}
				address := kit.FreeAddress(t)
				s := start(t, w.data, "--source", "lab=hep+"+way+"://"+address+"?tenant=contoso")
				sendAll(t, way, address, packets)
				w.await(t, time.Now().Add(patience))
				if err := s.stop(t); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A wild is a data folder that the calls of the scripts go to.
type wild struct {
	data    string
	began   time.Time
	scripts map[string]siptest.Script
}

func newWild(t *testing.T) *wild {
	w := &wild{data: filepath.Join(t.TempDir(), "data"), began: time.Now().Add(-3 * time.Hour).Truncate(time.Second).UTC(), scripts: map[string]siptest.Script{}}
	newTenant(t, w.data, "contoso", contosoID)
	files, err := filepath.Glob(repository + "/ingest/testdata/wild/*.sip")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.scripts[file] = siptest.ReadScript(t, string(b))
	}
	return w
}

// packets returns what all scripts tell, in an order.
func (w *wild) packets(t *testing.T, order string) (all [][]byte) {
	t.Helper()
	for _, file := range slices.Sorted(maps.Keys(w.scripts)) { // so that a seed tells the order
		for _, p := range w.scripts[file].Packets {
			h := hep.Packet{At: w.began.Add(p.At), Src: p.Src, Dst: p.Dst, Protocol: 6, Payload: p.Message}
			all = append(all, h.Append(nil))
		}
	}
	switch order {
	case "reversed":
		slices.Reverse(all)
	case "mixed":
		seed := uint64(time.Now().UnixNano())
		t.Log("seed", seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		all = append(all, all...)
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return all
}

func sendAll(t *testing.T, way, address string, packets [][]byte) {
	t.Helper()
	conn, err := net.Dial(way, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i, p := range packets {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
		if way == "udp" && i%32 == 0 {
			time.Sleep(time.Millisecond) // what nobody has read yet is lost
		}
	}
}

func (w *wild) importAll(t *testing.T, packets [][]byte) {
	t.Helper()
	half := len(packets) / 2
	var files []string
	for i, part := range [][][]byte{packets[:half], packets[half:]} {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i, ".hep"))
		if err := os.WriteFile(file, bytes.Join(part, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	must(t, "", append([]string{"import", "hep", "--data", w.data, "--tenant", "contoso"}, files...)...)
}

// await waits until there are the rows that are right, and fails if there are
// others by then.
func (w *wild) await(t *testing.T, deadline time.Time) {
	t.Helper()
	for {
		wrong := w.wrong(t)
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		time.Sleep(250 * time.Millisecond) // between two looks
	}
}

// wrong returns what is not right about the rows that there are.
func (w *wild) wrong(t *testing.T) (wrong []string) {
	t.Helper()
	var rows []map[string]any
	out := must(t, "", "calls", "list", "--data", w.data, "--tenant", "contoso", "--from", "2020-01-01", "-o", "json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	byID := make(map[any]map[string]any)
	for _, r := range rows {
		if byID[r["id"]] != nil {
			wrong = append(wrong, fmt.Sprint("twice: ", r["id"]))
		}
		byID[r["id"]] = r
	}
	n := 0
	for file, s := range w.scripts {
		for _, want := range s.Rows {
			n++
			if byID[want["id"]] == nil {
				wrong = append(wrong, file+": no row")
				continue
			}
			for _, x := range siptest.WrongIn(byID[want["id"]], want, w.began) {
				wrong = append(wrong, file+": "+x)
			}
		}
	}
	if len(rows) > n {
		wrong = append(wrong, fmt.Sprintf("%d rows, want %d", len(rows), n))
	}
	return wrong
}
