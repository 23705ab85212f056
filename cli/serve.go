package cli

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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/trunklog/trunklog/auth"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/door"
	"github.com/trunklog/trunklog/graph"
	"github.com/trunklog/trunklog/ingest"
	"github.com/trunklog/trunklog/store"
	"github.com/trunklog/trunklog/tenant"
)

// serving are the settings of the server.
type serving struct {
	listen, listenHTTP, publicURL string
	adminListen                   string
	pushTimeout                   time.Duration
	tlsCert, tlsKey               string
	tlsHosts                      []string
	masterKeyFile                 string
	keep, keepSIP, keepChanges    string
	strict, plainLinks            bool
	inject                        string
	pageTimeout                   time.Duration
	rateLimit, tenantRateLimit    int
	entraTenants, entraAudiences  []string
	cloud                         string
	logFormat                     string
	cacheMiB                      int64
	sources                       []string
	maxConnections                int
	trustedProxies                []string
	demo, printCA                 bool
}

func (s *serving) flags(f *pflag.FlagSet) {
	f.StringVar(&s.listen, "listen", ":8443", "listen for HTTPS on `ADDRESS`; a port alone is on all of this machine's, with --demo the default is on loopback")
	f.StringVar(&s.listenHTTP, "listen-http", "", "listen for plain HTTP on `ADDRESS` too; a port alone is on loopback")
	f.StringVar(&s.adminListen, "admin-listen", "", "serve /metrics, /healthz and /readyz on `ADDRESS`, over plain HTTP; a port alone is on loopback")
	f.StringVar(&s.publicURL, "public-url", "", "the `URL` by which clients know the server, if not by this machine's name")
	f.StringVar(&s.tlsCert, "tls-cert", "", "use the certificate chain in `FILE` (PEM) instead of one of our own; read again when it changes")
	f.StringVar(&s.tlsKey, "tls-key", "", "the `FILE` with its private key")
	f.StringArrayVar(&s.tlsHosts, "tls-host", nil, "a further `HOST` name or address for our own certificate (may be repeated)")
	f.StringVar(&s.masterKeyFile, "master-key-file", "", "the `FILE` with the 32 bytes that all keys are derived from (default DATA/master.key)")
	f.StringVar(&s.keep, "keep", "10y", "delete rows after `PERIOD`, such as 150d, 6mo, 10y or forever")
	f.StringVar(&s.keepChanges, "keep-changes", "35d", "keep for `PERIOD` what has changed in the log, for walks and for readers of changes; forever keeps all")
	f.StringVar(&s.keepSIP, "keep-sip", "off", "keep the SIP messages of calls for `PERIOD`, such as 30d, without bodies and credentials; off keeps none")
	f.BoolVar(&s.strict, "strict", false, "behave as Microsoft does, to test clients against")
	f.BoolVar(&s.plainLinks, "plain-links", false, "write nextLinks with $skip alone, as Microsoft does, for scripts that take them apart: rows that come or move meanwhile may then be missed or come twice")
	f.StringVar(&s.inject, "inject", "", "do wrong on purpose, to test clients: `FAULTS` such as 429=5%,503=1%,latency=50ms..2s,cut=0.5%,seed=7; with --strict or --demo only")
	f.DurationVar(&s.pageTimeout, "page-timeout", 30*time.Second, "answer 503 when a page takes longer")
	f.DurationVar(&s.pushTimeout, "push-timeout", 10*time.Second, "answer 503 to who delivers calls by POST when the store takes longer for a part of them")
	f.IntVar(&s.rateLimit, "rate-limit", 0, "answer 429 to a client after `N` requests in 20 s; 0 is no limit, with --strict Microsoft's 1,500")
	f.IntVar(&s.tenantRateLimit, "tenant-rate-limit", 0, "the same for all clients of a tenant together; with --strict Microsoft's 10,000")
	f.StringArrayVar(&s.entraTenants, "entra-tenant", nil, "take tokens of this Entra tenant too, a `GUID` (may be repeated)")
	f.StringArrayVar(&s.entraAudiences, "entra-audience", nil, "the `AUDIENCE` of such tokens: the App ID URI or client id of your own API (may be repeated)")
	f.StringVar(&s.cloud, "cloud", "global", "the `CLOUD` of the Entra tenants: global, usgov-l4, usgov-l5, china")
	f.StringVar(&s.logFormat, "log-format", "auto", "write the log as `FORM`: text, json, or auto (text on a terminal)")
	f.Int64Var(&s.cacheMiB, "cache", 128, "use `MIB` mebibytes of memory for blocks of the store")
	f.StringArrayVar(&s.sources, "source", nil, "hear calls at `NAME=URL`, such as sbc1=hep+tcp://:9060?tenant=contoso (may be repeated)")
	f.IntVar(&s.maxConnections, "max-connections", 0, "take `N` connections at once, of clients and of SBCs; 0 is as many as the files that may be open allow, and 16,384 at most")
	f.StringArrayVar(&s.trustedProxies, "trusted-proxy", nil, "believe the proxies in `CIDR`, such as 10.0.0.0/8, where a request comes from: X-Forwarded-For or Forwarded (may be repeated)")
	f.BoolVar(&s.demo, "demo", false, "begin with a tenant, a client and 20,000 generated calls if there is none")
	f.BoolVar(&s.printCA, "print-ca", false, "print the certificate of our own CA to stdout and exit")
}

func (p *program) serveCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the calls over HTTPS",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, _ := cmd.Flags().GetString("data")
			spec, _ := cmd.Flags().GetString("store")
			return p.serve(cmd.Context(), data, spec, &s)
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

// serve opens the parts, from the store outwards, and runs them until one
// fails or ctx is done. What is opened first is closed last.
func (p *program) serve(ctx context.Context, data, spec string, s *serving) (err error) {
	if err := s.check(p); err != nil {
		return err
	}
	log, err := p.logger(s.logFormat)
	if err != nil {
		return err
	}
	keep, err := tenant.ParsePeriod(s.keep)
	if err != nil {
		return err
	}
	keepChanges, err := tenant.ParsePeriod(s.keepChanges)
	if err != nil {
		return usage("--keep-changes: %w", err)
	}
	keepSIP, err := s.sipPeriod()
	if err != nil {
		return err
	}
	if err := datadir.Make(data, true); err != nil {
		return err
	}
	folder, err := datadir.Open(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	roots, err := newRoots(s.publicURL, s.listen, s.tlsHosts)
	if err != nil {
		return err
	}
	certs, err := p.certificates(data, s, roots, log)
	if err != nil {
		return err
	}
	if s.printCA {
		return p.printCA(data)
	}

	if os.Getenv("GOGC") == "" {
		// A hundred thousand calls in progress take 200 MB, which seldom change. Garbage
		// may take half as much again: in measurements that cost no throughput.
		debug.SetGCPercent(60)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watch := newWatch(log)
	st, err := s.openStore(ctx, data, spec, watch, stop, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := datadir.Same(folder, data); err != nil {
		return err
	}
	for _, warning := range datadir.Warnings(data, spec) {
		log.Warn(warning)
	}
	tenants, err := tenant.Open(ctx, st, p.now)
	if err != nil {
		return err
	}
	in := ingest.New(ingest.Config{
		Store:   st,
		Tenant:  func(trunk string) (call.GUID, bool) { return tenants.ByTrunk(ctx, trunk) },
		Now:     p.now,
		Number:  func(trunk, number string) string { return tenants.Number(ctx, trunk, number) },
		KeepSIP: s.keepsSIP(),
		Clock: func(source string, ahead time.Duration) {
			log.Info("clock of a source", "source", source, "ahead", ahead.Round(time.Millisecond).String())
		},
	})
	place := datadir.PlaceOfKey(folder, data, s.masterKeyFile)
	key, err := masterKey(ctx, place, st)
	if err != nil {
		return err
	}
	if warning := place.Warning(); warning != "" {
		log.Warn(warning)
	}
	entrance, err := s.door(log)
	if err != nil {
		return err
	}
	listeners, err := s.listeners(certs, entrance, roots)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // once more, or because nothing has come of it
		}
	}()
	roots.listening(listeners[0].Addr())
	if _, err := st.Write(ctx, call.Batch{State: map[string][]byte{rootState: []byte(roots.canonical)}}); err != nil {
		return err
	}
	authority, err := p.authority(ctx, st, tenants, key, roots, s, log)
	if err != nil {
		return err
	}
	faults, err := s.faults(log)
	if err != nil {
		return err
	}
	api := graph.New(graph.Config{
		Store:       st,
		Strict:      s.strict,
		Root:        roots.of,
		Authorize:   authorize(authority, auth.RoleRead),
		Key:         derive(key, "skiptoken"),
		Now:         p.now,
		Log:         log,
		PageTimeout: s.pageTimeout,
		Limits:      s.limits(),
		PlainLinks:  s.plainLinks,
		Faults:      faults,
	})
	admin, err := openAdmin(data, s.adminListen)
	if err != nil {
		return err
	}
	defer admin.close()
	if s.demo {
		if err := p.prepareDemo(ctx, folder, st, tenants, authority); err != nil {
			return err
		}
	}
	opener := sourceOpener{
		p: p, s: s, folder: folder, door: entrance, in: in, tenants: tenants, certs: certs, log: log,
		requests: s.requests(st, authority, api),
	}
	sources, err := opener.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSources(sources)) }()
	if n, err := in.Resume(ctx, func(string) bool { return true }); err != nil {
		return err
	} else if n > 0 {
		log.Info("taking up calls in progress", "legs", n)
	}
	g, ctx := errgroup.WithContext(ctx)
	heads := &headLimit{}
	handler := crossOrigin(heads.limit(routes(api, authority.Handler(), served(sources), roots.prefix(), log), api), roots.prefix())
	handler = (&elsewhere{roots: roots, log: log}).watch(handler)
	for _, l := range listeners {
		g.Go(func() error { return serveHTTP(ctx, l, handler, log) })
	}
	watch.in, watch.sources = in, sources
	watch.door, watch.heads, watch.api, watch.authority = entrance, heads, api, authority
	ready := newReadiness(st)
	g.Go(func() error { return ready.run(ctx) })
	admin.serve(ctx, g, announce(st, in, authority.Changed, tenants.Changed), watch, ready, log)
	g.Go(func() error { return authority.Run(ctx) })
	g.Go(func() error { return in.Run(ctx) })
	for _, l := range sources {
		g.Go(func() error { return l.run(ctx, in) })
	}
	g.Go(func() error { return trim(ctx, in, tenants, keep, p.now, log) })
	g.Go(func() error { return trimMessages(ctx, st, keepSIP, p.now, log) })
	g.Go(func() error { return trimRejects(ctx, folder, p.now, log) })
	g.Go(func() error { return trimChanges(ctx, st, keepChanges, p.now, log) })
	ready.up.Store(true)
	log.Info("ready", "url", roots.canonical, "listen", listeners[0].Addr().String(), "data", data, "version", version())
	p.welcome(ctx, data, s, roots, tenants)
	err = g.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err == nil || errors.Is(err, context.Canceled) {
		log.Info("stopped")
		return nil
	}
	return err
}

// openStore opens the store. Its writes are watched, and stop is called when it
// can keep nothing any more.
func (s *serving) openStore(ctx context.Context, data, spec string, w *watch, stop context.CancelCauseFunc, log *slog.Logger) (call.Store, error) {
	if spec == "" {
		spec = "pebble:" + datadir.Store(data)
	}
	st, err := store.Open(ctx, spec, store.Options{
		Log:        log,
		CacheBytes: s.cacheMiB << 20,
		Upgrade:    upgradeLog(time.Now, log).report(ctx),
		Fatal: func(err error) {
			stop(fmt.Errorf("stopped, so that nothing is acknowledged that is not kept: %w", err))
		},
	})
	if err != nil {
		return nil, err
	}
	return w.Store(st), nil
}

// logger returns the log of the server: text for people, JSON for programs.
func (p *program) logger(form string) (*slog.Logger, error) {
	switch {
	case form == "text", form == "auto" && isTerminal(p.stderr):
		return slog.New(slog.NewTextHandler(p.stderr, nil)), nil
	case form == "json", form == "auto":
		return slog.New(slog.NewJSONHandler(p.stderr, nil)), nil
	}
	return nil, usage("--log-format %s: text, json and auto are possible", form)
}

// listeners opens the ports: HTTPS, and plain HTTP if asked for.
func (s *serving) listeners(certs certificates, d *door.Door, roots *roots) ([]net.Listener, error) {
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	all := []net.Listener{&tlsListener{d.Clients(tlsPort{l, roots}), certs}}
	if s.listenHTTP == "" {
		return all, nil
	}
	plain, err := net.Listen("tcp", s.listenHTTP)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--listen-http: %w", err), l.Close())
	}
	return append(all, d.Clients(plain)), nil
}

// A tlsListener marks a listener whose connections are to speak TLS. The
// handshake itself is net/http's, which so offers HTTP/2.
type tlsListener struct {
	net.Listener
	certs certificates
}

// A connection is the key of a request's connection in its context.
type connection struct{}

// ofUse notes that a request is of use, because it has a good token: its
// connection is kept until no request is under way on it, so that its answer is
// sent, too. Whoever has no token may take as long as it likes, for the body of a
// request for one as well; a good one takes so little time that its connection is
// not among those that have waited longest.
func ofUse(r *http.Request) {
	if c, ok := r.Context().Value(connection{}).(net.Conn); ok {
		door.Busy(c)
	}
}

// newServer returns a server whose connections make room for others while they
// are of no use.
func newServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, ok := r.Context().Value(connection{}).(net.Conn); ok {
				door.Asked(c)
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       0, // the admin socket reads batches of any length; routes bounds the others
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    2 * maxHead, // so that the refusal is in Graph's words, mostly
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connection{}, c)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateActive || state == http.StateIdle {
				door.Waiting(c) // see ofUse
			}
		},
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 100},
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

// serveHTTP serves a listener until ctx is done, and then lets what is under
// way come to its end.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	srv := newServer(ctx, h, log)
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := srv.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close()
		}
		done <- err
	}()
	var err error
	if t, ok := l.(*tlsListener); ok {
		srv.TLSConfig = t.certs.TLS()
		err = srv.ServeTLS(t.Listener, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}
