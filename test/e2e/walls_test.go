package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/datadir"
	"github.com/trunklog/trunklog/store/storetest"
	"github.com/trunklog/trunklog/test/kit"
)

// wallsRound is how many answers one server gives. More come from one server after the other, so
// that neither its log nor its store grows without end.
const wallsRound = 200_000

// TestTenantsAreWalls: three tenants, one with a trunk by wildcard, call over the listeners of two
// carriers and one of its own, deliver by POST and import, with Call-IDs, correlation ids,
// numbers, ids and times that they share; and all that each may ask for, of the API and of the
// operator's commands, is asked for meanwhile. All that is a tenant's bears its canary. No answer
// to one has a canary of another, and each that must has its own.
func TestTenantsAreWalls(t *testing.T) {
	answers := kit.Scale(t, wallsRound)
	if testing.Short() {
		answers = min(answers, wallsRound/50)
	}
	seed, all := storetest.Seed(t), map[string]*wallsWay{}
	for round := 0; answers > 0 && !t.Failed(); round++ {
		n := min(answers, wallsRound)
		answers -= n
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			w := newWalls(t, seed+uint64(round), n)
			w.run()
			w.end()
			for name, way := range w.ways {
				if all[name] == nil {
					all[name] = &wallsWay{}
				}
				all[name].answers += way.answers
				all[name].own += way.own
			}
		})
	}
	sum := 0
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sum += all[name].answers
		fmt.Fprintf(&table, "%-28s %9d answers, %9d with the tenant's own\n", name, all[name].answers, all[name].own)
	}
	t.Logf("%d answers\n%s", sum, &table)
}

// A wallsWay counts the answers that came by one way.
type wallsWay struct{ answers, own int }

// A walled is one of the tenants.
type walled struct {
	digit          int
	name           string
	id             call.GUID
	trunks         []string   // with its canary in the name
	plain          string     // a trunk without
	signIn         credential // of the client that reads
	reader, pusher string     // tokens
	wall           *walls
	mu             sync.Mutex
	link           string      // a nextLink of its own
	told           []wallsCall // calls that are to become rows
}

// A wallsCall is a call that was told by one way.
type wallsCall struct {
	way       string
	row       call.Row
	sure, sip bool
}

// Walls is a server, and all that goes into it and comes out.
type walls struct {
	*testing.T
	*server
	ctx            context.Context
	stop           context.CancelCauseFunc
	seed           uint64
	began          time.Time
	common         wallsCommon
	want           int64 // answers of the API
	tenants        []*walled
	plain, monitor string // addresses
	listen         map[string]string
	certs          map[string]tls.Certificate
	link           *admin.Client
	clients        []*http.Client
	asked          atomic.Int64
	mu             sync.Mutex
	ways           map[string]*wallsWay
	ids            []string // of tenants that come and go
	tails          []*kit.Process
	reading        sync.WaitGroup // of what tails print
}

// newWalls starts a server with three tenants, who have rows, and with their clients.
func newWalls(t *testing.T, seed uint64, answers int) *walls {
	t.Logf("seed %d, %d answers", seed, answers)
	w := &walls{T: t, seed: seed, want: int64(answers), began: time.Now().UTC().Truncate(time.Second), ways: map[string]*wallsWay{}, listen: map[string]string{}, certs: map[string]tls.Certificate{}}
	data := filepath.Join(t.TempDir(), "data")
	limit := 5*time.Minute + time.Duration(answers)*3*time.Millisecond
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("given up after %v", limit))
	t.Cleanup(cancel)
	w.ctx, w.stop = context.WithCancelCause(ctx)
	rnd := w.rnd(0)
	for i, name := range []string{"alfa", "bravo", "charlie"} {
		c := &walled{digit: i + 1, name: name, wall: w, plain: "sbc.of-" + name + ".test"}
		c.id = canaryGUID(rnd, c.digit)
		c.trunks = []string{"sbc1." + canaryWord(c.digit) + ".test", "sbc2." + canaryWord(c.digit) + ".test"}
		args := []string{"tenant", "add", name, "--data", data, "--id", c.id.String(), "--trunk", c.plain}
		if name == "charlie" {
			args = append(args, "--trunk", "*."+canaryWord(c.digit)+".test")
		} else {
			args = append(args, "--trunk", c.trunks[0], "--trunk", c.trunks[1])
		}
		must(t, "", args...)
		for _, trunk := range c.trunks { // an agent of the carrier's speaks for all of them
			must(t, "", "tenant", "set", name, "--data", data, "--sender-name", "agent.carrier2.test="+trunk, "--yes")
		}
		w.tenants = append(w.tenants, c)
	}
	authorities := w.certificates()
	for _, name := range []string{"own", "carrier1", "carrier2", "carrier2tls"} {
		w.listen[name] = kit.FreeAddress(t)
	}
	w.plain, w.monitor = kit.FreeAddress(t), kit.FreeAddress(t)
	w.server = start(
		t, data, "--keep-sip", "30d", "--log-format", "json", "--listen-http", w.plain, "--admin-listen", w.monitor,
		"--source", "own=hep+udp://"+w.listen["own"]+"?tenant=alfa",
		"--source", "carrier1=hep+tcp://"+w.listen["carrier1"],
		"--source", "carrier2=hep+udp://"+w.listen["carrier2"],
		"--source", "carrier2tls=hep+tls://"+w.listen["carrier2tls"]+"?client-ca="+authorities,
	)
	for range 2 {
		w.clients = append(w.clients, w.newClient())
	}
	for _, c := range w.tenants {
		c.signIn = c.newClient("reporter", "CallRecords.Read.All")
		c.reader = c.tokenOf(c.signIn)
		c.pusher = c.tokenOf(c.newClient("collector", "CallRecords.Ingest", "CallRecords.Ingest.Graph"))
		c.seedRows()
	}
	var err error
	if w.link, err = admin.Dial(w.ctx, datadir.Socket(data), w.version); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.link.Close() })
	return w
}

// rnd returns a source of what is random for one of those that work at once.
func (w *walls) rnd(of uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, of)) }

// certificates makes what the senders over TLS show: one for a trunk of each tenant, and one of an
// agent that is nobody's. It returns the file of their authorities.
func (w *walls) certificates() string {
	names := map[string]string{"agent": "agent.carrier2.test"}
	for _, c := range w.tenants {
		names[c.name] = c.trunks[0]
	}
	var authorities []byte
	for name, host := range names {
		pair, err := kit.NewKeyPair(host, nil)
		if err != nil {
			w.Fatal(err)
		}
		authorities = append(authorities, pair.CertPEM...)
		w.certs[name] = tls.Certificate{Certificate: [][]byte{pair.Certificate.Raw}, PrivateKey: pair.Key}
	}
	file := filepath.Join(w.TempDir(), "authorities.pem")
	if err := os.WriteFile(file, authorities, 0o600); err != nil {
		w.Fatal(err)
	}
	return file
}

func (w *walls) newClient() *http.Client {
	tr, err := w.Transport()
	if err != nil {
		w.Fatal(err)
	}
	tr.MaxIdleConnsPerHost, tr.DisableCompression = 64, true
	w.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 2 * patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// newClient makes a client of the tenant with roles.
func (c *walled) newClient(name string, roles ...string) (made credential) {
	args := []string{"client", "create", name, "--data", c.wall.data, "--tenant", c.id.String(), "-o", "json"}
	for _, r := range roles {
		args = append(args, "--role", r)
	}
	if err := json.Unmarshal([]byte(c.wall.must(args...)), &made); err != nil && c.wall.ctx.Err() == nil {
		c.wall.Error(err)
	}
	return made
}

func (c *walled) tokenOf(of credential) string {
	return strings.TrimSpace(c.wall.must("token", "--data", c.wall.data, "--tenant", c.id.String(), "--client", of.ClientID, "--secret", of.ClientSecret))
}

// must runs a command that is to succeed, from whatever goroutine.
func (w *walls) must(args ...string) string {
	out, err := kit.Output(kit.Command(w.ctx, "trunklog", args...))
	if err != nil && w.ctx.Err() == nil {
		w.Error(err)
	}
	return string(out)
}

// others returns the tenants but one.
func (w *walls) others(c *walled) (others []*walled) {
	return slices.DeleteFunc(slices.Clone(w.tenants), func(o *walled) bool { return o == c })
}

// run has all ways in and out taken at once, until there are the answers that are wanted.
func (w *walls) run() {
	var out, in sync.WaitGroup
	w.tail()
	in.Go(w.speak)
	in.Go(w.deliverAll)
	in.Go(w.importAll)
	in.Go(w.changeAll)
	for i, c := range w.tenants {
		for k := range 3 {
			out.Go(func() { w.ask(c, w.rnd(uint64(100+10*i+k)), k) })
		}
		out.Go(func() { w.operate(c, w.rnd(uint64(200+i))) })
		out.Go(func() { w.readSocket(c, w.rnd(uint64(300+i))) })
	}
	in.Wait()
	out.Wait()
	if err := context.Cause(w.ctx); err != nil {
		w.Fatal(err)
	}
}

// pace waits until so large a part of the answers has come, so that what is done seldom is done
// while all else goes on. It reports whether there is more to do.
func (w *walls) pace(i, of int) bool {
	for w.asked.Load() < w.want*int64(i)/int64(of) {
		select {
		case <-w.ctx.Done():
			return false
		case <-time.After(2 * time.Millisecond): // between two looks
		}
	}
	return i < of && w.ctx.Err() == nil
}

// answered looks at an answer to a tenant by a way, and counts it as so many. Where it must, it
// has the tenant's own canary.
func (w *walls) answered(c *walled, way string, n int, must bool, answer []byte, said ...string) {
	s := look(answer, c.digit, said...)
	switch {
	case s.foreign != "":
		w.wrong("%s: %s is shown what another tenant's is: %s", way, c.name, s.foreign)
	case must && s.own == 0:
		w.wrong("%s: %s is not shown its own: %.500q", way, c.name, answer)
	}
	w.count(way, n, min(n, s.own))
}

// count counts answers by a way, and of them those that have the tenant's own.
func (w *walls) count(way string, n, own int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ways[way] == nil {
		w.ways[way] = &wallsWay{}
	}
	w.ways[way].answers += n
	w.ways[way].own += own
}

// wrong says what is wrong, and ends the round.
func (w *walls) wrong(format string, args ...any) {
	if w.ctx.Err() == nil {
		w.Errorf(format, args...)
	}
	w.stop(fmt.Errorf("something is wrong"))
}

// dial connects to a listener, over TLS with a certificate if one is named.
func (w *walls) dial(network, to, certificate string) (net.Conn, error) {
	if certificate == "" {
		return (&net.Dialer{}).DialContext(w.ctx, network, w.listen[to])
	}
	roots, err := kit.Roots(w.CA())
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{w.certs[certificate]}, MinVersion: tls.VersionTLS12}}
	return d.DialContext(w.ctx, network, w.listen[to])
}
