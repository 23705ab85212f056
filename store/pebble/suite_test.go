package pebble

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Pebble leaves this one behind when it fails to open.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

// testOptions are those of a store in memory that is small enough for many to
// be open at once.
func testOptions(t testing.TB, fs vfs.FS) Options {
	return Options{
		FS: fs, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), CacheBytes: 4 << 20, Reserve: -1, memTable: 1 << 20,
		Fatal: func(err error) { t.Errorf("the store has failed: %v", err) },
	}
}

// checked is a store that is checked before it is closed.
type checked struct {
	*Store
	t *testing.T
}

func (c checked) Close() error {
	if err := c.Check(c.t.Context(), func(problem string) { c.t.Errorf("check: %s", problem) }); err != nil && c.t.Context().Err() == nil {
		c.t.Logf("check: %v", err) // closed already
	}
	return c.Store.Close()
}

func TestStore(t *testing.T) {
	t.Run("InMemory", func(t *testing.T) {
		disks := map[string]vfs.FS{}
		storetest.Run(t, func(t *testing.T, dir string) call.Store {
			if disks[dir] == nil {
				disks[dir] = vfs.NewMem()
			}
			return open1(t, "store", testOptions(t, disks[dir]))
		})
	})
	t.Run("OnDisk", func(t *testing.T) {
		if testing.Short() {
			t.Skip("it is the same as in memory, on files")
		}
		storetest.Run(t, func(t *testing.T, dir string) call.Store {
			return open1(t, dir, testOptions(t, nil))
		})
	})
}

func open1(t *testing.T, dir string, o Options) call.Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return checked{s, t}
}
