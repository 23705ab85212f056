package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/source/push"
)

// changeAll changes tenants and clients under what they do.
func (w *walls) changeAll() {
	var all sync.WaitGroup
	all.Go(func() { w.rename(w.tenants[2]) })
	all.Go(func() { w.removeClients(w.rnd(700)) })
	all.Go(w.claim)
	all.Go(w.removeTenant)
	all.Wait()
}

// rename renames a tenant and renames it back. The name that it had stays a further name.
func (w *walls) rename(c *walled) {
	for n := 1; w.pace(n, 5); n++ {
		for _, name := range []string{c.name + strconv.Itoa(n), c.name} {
			w.must("tenant", "set", c.id.String(), "--name", name, "--data", w.data, "--yes")
		}
	}
}

// claim has bravo claim trunks of alfa's: one by name, which is refused, and all of its domain by
// wildcard, of which those that alfa has by name stay alfa's.
func (w *walls) claim() {
	a, b := w.tenants[0], w.tenants[1]
	for n := 1; w.pace(n, 4); n++ {
		out := w.either("tenant", "set", b.name, "--trunk", a.trunks[0], "--yes")
		if !strings.Contains(string(out), "belongs to tenant") && w.ctx.Err() == nil {
			w.wrong("bravo claims a trunk of alfa's: %s", out)
		}
		for _, flag := range []string{"--trunk", "--remove-trunk"} {
			w.must("tenant", "set", b.name, flag, "*."+canaryWord(a.digit)+".test", "--data", w.data, "--yes")
		}
	}
}

// removeClients deletes clients in the middle of what they ask and of what they deliver.
func (w *walls) removeClients(rnd *rand.Rand) {
	for n := 1; w.pace(n, 4+int(w.want/100_000)); n++ {
		c := w.tenants[n%len(w.tenants)]
		name := fmt.Sprint("passing", n)
		token := c.tokenOf(c.newClient(name, "CallRecords.Read.All", "CallRecords.Ingest"))
		var asking sync.WaitGroup
		gone := make(chan struct{})
		for range 2 {
			asking.Go(func() { w.askUntil(c, token, gone) })
		}
		body, send := io.Pipe()
		asking.Go(func() {
			status, answer, _, err := w.send(w.clients[0], http.MethodPost, "https://"+w.addr+push.Path, token, body, "Content-Type", "application/x-ndjson")
			if err == nil {
				w.answered(c, "a deleted client's delivery", 1, false, answer)
			}
			if (err != nil || status != http.StatusUnauthorized) && w.ctx.Err() == nil {
				w.wrong("a client that is deleted delivers on: status %d, %v: %s", status, err, answer)
			}
			_ = body.Close() // so that the sender ends, too
		})
		for i := range 1000 {
			if i == 600 {
				w.must("client", "delete", name, "--data", w.data, "--tenant", c.id.String(), "--yes")
				close(gone)
			}
			r := c.newCall(rnd, true, c.trunks[0], nil)
			if _, err := fmt.Fprintln(send, graphJSON(&r)); err != nil {
				break
			}
		}
		_ = send.Close()
		asking.Wait()
	}
}

// askUntil asks with a client's token until the client is gone, and then once more.
func (w *walls) askUntil(c *walled, token string, gone chan struct{}) {
	a := &asker{c, rand.New(rand.NewPCG(w.seed, 701)), w.clients[0], "https://" + w.addr, 1}
	for last := false; w.ctx.Err() == nil; {
		select {
		case <-gone:
			last = true
		default:
		}
		status, answer := a.get("a deleted client's token", "/v1.0"+a.spelled()+"?$top=3", token, false)
		switch {
		case w.ctx.Err() != nil:
			return
		case last && status != http.StatusUnauthorized:
			w.wrong("the token of a client that was deleted: status %d: %.300s", status, answer)
		case status != http.StatusOK && status != http.StatusUnauthorized:
			w.wrong("a client that is being deleted: status %d: %.300s", status, answer)
		}
		if last {
			return
		}
	}
}

// removeTenant has a tenant come whose trunk is below the wildcard of another, be removed with its
// rows kept, be added again, and give its name and its trunk to one of another id.
func (w *walls) removeTenant() {
	if !w.pace(1, 4) {
		return
	}
	charlie := w.tenants[2]
	d := &walled{digit: 4, name: "delta", wall: w, plain: "sbc.of-delta.test"}
	rnd := w.rnd(800)
	d.id, d.trunks = canaryGUID(rnd, 4), []string{"sbc9." + canaryWord(charlie.digit) + ".test"}
	add := func(id call.GUID) {
		w.mu.Lock()
		w.ids = append(w.ids, id.String())
		w.mu.Unlock()
		w.must("tenant", "add", "delta", "--data", w.data, "--id", id.String(), "--trunk", d.trunks[0])
	}
	add(d.id)
	d.signIn = d.newClient("reporter", "CallRecords.Read.All")
	d.reader, d.pusher = d.tokenOf(d.signIn), d.tokenOf(d.newClient("collector", "CallRecords.Ingest"))
	// What bears its canary it is told by itself; the trunk is charlie's later, so it has none.
	var lines []string
	for range 20 {
		r := d.newCall(rnd, true, "sbc9.neutral.test", nil)
		lines = append(lines, graphJSON(&r))
	}
	d.post(lines, "")
	a := &asker{d, rnd, w.clients[0], "https://" + w.addr, 1}
	const way = "a tenant removed and added again"
	page := func(token string, want int, rows bool) {
		status, answer := a.get(way, "/v1.0"+a.spelled()+"?$top=50", token, false)
		if n := bytes.Count(answer, []byte(`"callerNumber"`)); (status != want || rows != (n == len(lines))) && w.ctx.Err() == nil {
			w.wrong("%s: status %d, %d rows: %.300s", way, status, n, answer)
		}
	}
	page(d.reader, http.StatusOK, true)
	remove := func() {
		w.must("tenant", "remove", "delta", "--data", w.data, "--keep-rows", "--yes")
	}
	remove()
	w.gone(a, d.reader)
	w.pace(2, 4)
	add(d.id)
	w.gone(a, d.reader)
	again := d.tokenOf(d.newClient("again", "CallRecords.Read.All"))
	page(again, http.StatusOK, true)
	remove()
	w.gone(a, again)
	// Another tenant of that name and trunk has nothing of it.
	other := &walled{digit: 5, name: "delta", wall: w, id: canaryGUID(rnd, 5), trunks: d.trunks}
	add(other.id)
	token := other.tokenOf(other.newClient("reporter", "CallRecords.Read.All"))
	a.walled = other
	page(token, http.StatusOK, false)
	w.gone(a, again)
	w.answered(other, way, 1, false, w.either(strings.Fields("calls list -o json --limit 20 --tenant delta")...))
}

// gone waits until a token is good for nothing, which it is at once.
func (w *walls) gone(a *asker, token string) {
	began := time.Now()
	if status, answer := a.get("the token of a removed tenant", "/v1.0"+a.spelled()+"?$top=5", token, false); status != http.StatusUnauthorized && w.ctx.Err() == nil {
		w.wrong("the token of a tenant that was removed: status %d after %v: %.300s", status, time.Since(began), answer)
	}
}
