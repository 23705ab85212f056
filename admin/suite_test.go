package admin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/pebble"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/test/kit"
)

// behind is a store that is read and written through a socket; what no command asks
// for, it does itself. Closing it closes the client, the server and the store in the
// order in which a program does.
type behind struct {
	*Client
	inner
	server *server
	once   sync.Once
}

// An inner store stands deeper than the client, whose methods come first so.
type inner struct{ call.Store }

// NewEpoch implements [call.Keeper].
func (i inner) NewEpoch(ctx context.Context) error {
	k, ok := i.Store.(interface {
		NewEpoch(ctx context.Context) error
	})
	if !ok {
		return errors.ErrUnsupported
	}
	return k.NewEpoch(ctx)
}

func (b *behind) Close() error {
	err := b.Client.Close()
	b.once.Do(func() {
		b.server.kill()
		err = errors.Join(err, b.inner.Close())
	})
	return err
}

func putBehind(t *testing.T, st call.Store) call.Store {
	s := start(t, Handler(nodeOf(st)))
	c, err := Dial(t.Context(), s.path, testVersion)
	if err != nil {
		t.Fatal(err)
	}
	return &behind{Client: c, inner: inner{st}, server: s}
}

// What is true of a store is true of it when commands read and write it through a socket.
func TestStore(t *testing.T) {
	t.Run("Model", func(t *testing.T) {
		models := map[string]*storetest.Model{}
		storetest.Run(t, func(t *testing.T, dir string) call.Store {
			if m, ok := models[dir]; ok {
				models[dir] = m.Reopen()
			} else {
				models[dir] = storetest.NewModel()
			}
			return putBehind(t, models[dir])
		})
	})
	t.Run("Pebble", func(t *testing.T) {
		if testing.Short() && !kit.Race() {
			t.Skip("the suite through the socket is above, and that of Pebble in its folder")
		}
		storetest.Run(t, func(t *testing.T, dir string) call.Store {
			inner, err := pebble.Open(dir, pebble.Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), CacheBytes: 4 << 20, Reserve: -1})
			if err != nil {
				t.Fatal(err)
			}
			return putBehind(t, inner)
		})
	})
}
