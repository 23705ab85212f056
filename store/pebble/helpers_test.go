package pebble

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// tableless returns options for a store on disk that finds no room for a new
// table where full says so, but for its log.
func tableless(t *testing.T, disk vfs.FS, full func(path string) bool) Options {
	o := testOptions(t, errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") && full(op.Path) {
			return syscall.ENOSPC
		}
		return nil
	})))
	o.Log = nil // there is no end of it
	return o
}

// dump returns all rows of the tenants of storetest.
func dump(t *testing.T, s call.Reader) (rows []call.Row, err error) {
	for _, tenant := range storetest.Tenants() {
		for r, err := range s.Rows(t.Context(), call.Query{Tenant: tenant}) {
			if err != nil {
				return nil, err
			}
			rows = append(rows, r.Clone())
		}
	}
	return rows, nil
}

// copyFS returns a copy of a whole file system in memory.
func copyFS(t *testing.T, from vfs.FS, dir string) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	if ok, err := vfs.Clone(from, to, dir, dir); err != nil || !ok {
		t.Fatalf("copy: %v, %v", ok, err)
	}
	return to
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }

// A syncWriter may be written from several goroutines.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *syncWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}
