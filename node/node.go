// Package node is one running trunklog: it opens the store, then the parts that work on it, serves
// them, and closes them in the reverse order. A [Config] tells it what to do; it parses no flags
// and no file of settings, though its errors name the flags.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/cert"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/metrics"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/tenant"
)

// A Node is one running trunklog. The steps of [Run] open its parts in order, and nothing changes
// them afterwards.
type Node struct {
	c         Config
	folder    *os.Root
	roots     *roots
	certs     certificates
	pairs     []*cert.Pair // that are read again
	writes    *metrics.Writes
	store     call.Store
	tenants   *tenant.Directory
	in        *ingest.Ingest
	refused   *refusals
	door      *door.Door
	listeners []net.Listener
	authority *auth.Authority
	key       []byte
	api       *graph.Handler
	heads     headLimit
	ports     adminPorts
	sources   []*listening

	ends []func() error // close what the steps have opened
}

// Run opens a node and runs it until one of its parts fails or ctx is done. It calls ready when it
// serves everything.
func Run(ctx context.Context, c Config, ready func(*Node)) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	n := &Node{c: c}
	defer func() { err = errors.Join(err, n.close()) }()
	for _, step := range []func(context.Context) error{
		n.openFolder,
		n.openCertificates,
		func(ctx context.Context) error { return n.openStore(ctx, stop) },
		n.openTenants,
		n.openIngest,
		n.openKey,
		n.openListeners,
		n.openAuthority,
		n.openAPI,
		n.openAdmin,
		n.openDemo,
		n.openSources,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return n.run(ctx, ready)
}

// URL returns the address by which clients reach the node, without a slash at its end.
func (n *Node) URL() string { return n.roots.canonical }

// Tenants returns all tenants.
func (n *Node) Tenants(ctx context.Context) ([]tenant.Tenant, error) { return n.tenants.List(ctx) }

// close closes what the steps have opened, the last first.
func (n *Node) close() (err error) {
	for i := len(n.ends) - 1; i >= 0; i-- {
		err = errors.Join(err, n.ends[i]())
	}
	return err
}

func (n *Node) end(f func() error) { n.ends = append(n.ends, f) }

func (n *Node) openFolder(context.Context) (err error) {
	if err := datadir.Make(n.c.Data, true); err != nil {
		return err
	}
	if n.folder, err = datadir.Open(n.c.Data); err != nil {
		return err
	}
	n.end(n.folder.Close)
	n.roots, err = newRoots(n.c.PublicURL, n.c.Listen, n.c.TLSHosts)
	return err
}

func (n *Node) openCertificates(ctx context.Context) (err error) {
	n.certs, err = openCertificates(ctx, &n.c, n.roots)
	if files, ok := n.certs.(*cert.Pair); ok && err == nil {
		n.pairs = append(n.pairs, files)
	}
	return err
}

// openStore opens the store and counts its writes. It makes the store call stop when it can keep
// nothing any more.
func (n *Node) openStore(ctx context.Context, stop context.CancelCauseFunc) error {
	if os.Getenv("GOGC") == "" {
		// A hundred thousand calls in progress take 200 MB, which seldom change. At 60, garbage may
		// take a bit more than half as much again; measurements showed no loss of throughput.
		debug.SetGCPercent(60)
	}
	st, err := store.Open(ctx, n.c.storeURL(), store.Options{
		Log:        n.c.Log,
		CacheBytes: n.c.CacheBytes,
		Upgrade:    upgradeLog(n.c.Log).Report(ctx),
		Fatal: func(err error) {
			stop(fmt.Errorf("stopped, so that nothing is acknowledged that is not kept: %w", err))
		},
	})
	if err != nil {
		return err
	}
	n.end(st.Close)
	n.writes = metrics.NewWrites()
	n.store = n.writes.Store(st)
	if err := datadir.Same(n.folder, n.c.Data); err != nil {
		return err
	}
	for _, warning := range datadir.Warnings(n.c.Data, n.c.Store) {
		n.c.Log.Warn(warning)
	}
	return nil
}

func (n *Node) openTenants(ctx context.Context) (err error) {
	n.tenants, err = tenant.Open(ctx, n.store, n.c.Now)
	return err
}

func (n *Node) openIngest(ctx context.Context) error {
	n.refused = newRefusals(&n.c)
	n.in = ingest.New(ingest.Config{
		Store:  n.store,
		Tenant: func(trunk string) (call.GUID, bool) { return n.tenants.ByTrunk(ctx, trunk) },
		Authority: func(names []string) ingest.Authority {
			if a := n.tenants.Authority(ctx, names); a.Shared() {
				return a
			}
			return nil
		},
		Refused: n.refused.tell,
		Now:     n.c.Now,
		Number:  func(trunk, number string) string { return n.tenants.Number(ctx, trunk, number) },
		KeepSIP: n.c.SIP,
		Clock: func(source string, ahead time.Duration) {
			n.c.Log.Info("clock of a source", "source", source, "ahead", ahead.Round(time.Millisecond).String())
		},
	})
	return nil
}

func (n *Node) openKey(ctx context.Context) (err error) {
	place := datadir.PlaceOfKey(n.folder, n.c.Data, n.c.MasterKeyFile)
	if n.key, err = MasterKey(ctx, place, n.store); err != nil {
		return err
	}
	if warning := place.Warning(); warning != "" {
		n.c.Log.Warn(warning)
	}
	return nil
}

// openListeners opens the ports, and saves the node's root in the store, for commands.
func (n *Node) openListeners(ctx context.Context) (err error) {
	n.door = newDoor(n.c.MaxConnections, n.c.TrustedProxies, n.c.Log)
	if n.listeners, err = listen(&n.c, n.door, n.certs, n.roots); err != nil {
		return err
	}
	n.end(func() error {
		for _, l := range n.listeners {
			_ = l.Close() // serving may have closed it already
		}
		return nil
	})
	n.roots.listening(n.listeners[0].Addr())
	_, err = n.store.Write(ctx, call.Batch{State: map[string][]byte{rootState: []byte(n.roots.canonical)}})
	return err
}

func (n *Node) openAuthority(ctx context.Context) (err error) {
	n.authority, err = newAuthority(ctx, n.store, n.tenants, auth.Config{
		Key: n.key, Now: n.c.Now, Log: n.c.Log,
		Issuer: n.roots.of, Known: n.roots.known, Address: n.c.TrustedProxies.Client, Entra: n.c.Entra,
	})
	return err
}

func (n *Node) openAPI(context.Context) error {
	if f := n.c.Faults; f != nil {
		n.c.Log.Warn("doing wrong on purpose (--inject)", "429", f.Throttled, "503", f.Unavailable, "cut", f.Cut,
			"least", f.Least.String(), "most", f.Most.String(), "seed", f.Seed)
	}
	n.api = graph.New(graph.Config{
		Store:       n.store,
		Strict:      n.c.Strict,
		Root:        n.roots.of,
		Authorize:   authorize(n.authority, auth.RoleRead),
		Key:         derive(n.key, "skiptoken"),
		Now:         n.c.Now,
		Log:         n.c.Log,
		PageTimeout: n.c.PageTimeout,
		Limits:      n.c.Limits,
		PlainLinks:  n.c.PlainLinks,
		Faults:      n.c.Faults,
	})
	return nil
}

func (n *Node) openAdmin(context.Context) (err error) {
	if n.ports, err = openAdmin(n.c.Data, n.c.AdminListen); err == nil {
		n.end(n.ports.close)
	}
	return err
}

func (n *Node) openDemo(ctx context.Context) error {
	if !n.c.Demo {
		return nil
	}
	return prepareDemo(ctx, n.folder, n.store, n.tenants, n.authority, n.c.Now)
}

// openSources opens the sources, and resumes the calls that were in progress.
func (n *Node) openSources(ctx context.Context) (err error) {
	o := sourceOpener{n: n, requests: requests(&n.c, n.store, n.authority, n.api)}
	if n.sources, err = o.open(ctx); err != nil {
		return err
	}
	n.end(func() error { return closeSources(n.sources) })
	n.warnOfHearsay(ctx)
	legs, err := n.in.Resume(ctx, func(string) bool { return true })
	if legs > 0 && err == nil {
		n.c.Log.Info("taking up calls in progress", "legs", legs)
	}
	return err
}

// run serves what the steps have opened, and does the regular work, until ctx is done.
func (n *Node) run(ctx context.Context, ready func(*Node)) error {
	log := n.c.Log
	g, ctx := errgroup.WithContext(ctx)
	handler := n.handler()
	for _, l := range n.listeners {
		g.Go(func() error { return serveHTTP(ctx, l, handler, log) })
	}
	able := newReadiness(n.store)
	n.serveAdmin(ctx, g, able)
	for _, work := range []func(context.Context) error{
		able.run,
		n.authority.Run,
		n.in.Run,
		func(ctx context.Context) error { return trim(ctx, n.in, n.store, n.tenants, n.c.Keep, n.c.Now, log) },
		func(ctx context.Context) error { return trimMessages(ctx, n.store, n.c.KeepSIP, n.c.Now, log) },
		func(ctx context.Context) error { return trimRejects(ctx, n.folder, n.c.Now, log) },
		func(ctx context.Context) error { return trimChanges(ctx, n.store, n.c.KeepChanges, n.c.Now, log) },
	} {
		g.Go(func() error { return work(ctx) })
	}
	for _, l := range n.sources {
		g.Go(func() error { return l.run(ctx, n.in) })
	}
	able.up.Store(true)
	log.Info("ready", "url", n.roots.canonical, "listen", n.listeners[0].Addr().String(), "data", n.c.Data, "version", n.c.Version)
	ready(n)
	return ended(ctx, g.Wait(), log)
}

// handler returns the handler of all requests on the HTTPS and HTTP ports.
func (n *Node) handler() http.Handler {
	all := routes(n.api, n.authority.Handler(), served(n.sources), n.roots.prefix(), n.c.Log)
	all = crossOrigin(n.heads.limit(all, n.api), n.roots.prefix())
	return (&elsewhere{roots: n.roots, log: n.c.Log}).watch(all)
}

// ended returns the error with which a node has ended, or nil if it was told to end.
func ended(ctx context.Context, err error, log *slog.Logger) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err == nil || errors.Is(err, context.Canceled) {
		log.Info("stopped")
		return nil
	}
	return err
}
