package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/trunklog/trunklog/admin"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/gen"
	"github.com/trunklog/trunklog/source/hep"
)

// perCall is how many messages an answered call has, on the two hops of a proxy.
const perCall = 13

// measureHear measures the way from a HEP packet to a row.
func (b *bench) measureHear(ctx context.Context) error {
	file := filepath.Join(b.dir, "calls.hep")
	if err := b.writePackets(file); err != nil {
		return err
	}
	return errors.Join(
		b.measureFold(ctx, file),
		b.measureTCP(ctx, file, "off"),
		b.measureTCP(ctx, file, "30d"),
		b.measureOpenCalls(ctx),
	)
}

// answered returns n answered calls of those that are made up of a seed.
func (b *bench) answered(n int, seed uint64) []call.Row {
	rows := make([]call.Row, 0, n)
	for r := range (crowd{Rows: 2*n + 1000, Users: b.users, Seed: seed}).all() {
		if r.Successful && !r.End.IsZero() && len(rows) < n {
			rows = append(rows, r.Clone())
		}
	}
	return rows
}

// writePackets writes the messages of calls to a file, as packets.
func (b *bench) writePackets(file string) (err error) {
	f, err := os.Create(file) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	rows := b.answered(b.calls, b.seed)
	for i := range rows {
		if _, err := w.Write(packets(&rows[i], func(call.Message) bool { return true })); err != nil {
			return err
		}
	}
	return w.Flush()
}

// packets returns the messages of a call that are wanted, as packets.
func packets(r *call.Row, wanted func(call.Message) bool) []byte {
	const tcp = 6
	var out []byte
	for _, m := range gen.SIP(r) {
		if wanted(m) {
			p := hep.Packet{At: m.At, Src: m.Src, Dst: m.Dst, Protocol: tcp, Agent: 1, Payload: m.Raw}
			out = p.Append(out)
		}
	}
	return out
}

// A hearing is a server that hears calls.
type hearing struct {
	*server
	store *admin.Client
	conn  net.Conn
}

// hear starts a server in a new house that hears calls.
func (b *bench) hear(ctx context.Context, name string, args ...string) (*hearing, error) {
	h := b.newHouse(name)
	if err := h.settle(ctx); err != nil {
		return nil, err
	}
	c, err := h.newClient(ctx, "bench", tenantName)
	if err != nil {
		return nil, err
	}
	return h.hear(ctx, c.Token, tenantName, args...)
}

// hear starts the house's server, which hears calls of a tenant over one connection.
func (h *house) hear(ctx context.Context, token, tenant string, args ...string) (_ *hearing, err error) {
	addrs, release, err := reserve(1)
	if err != nil {
		return nil, err
	}
	defer release() // the server has it then
	x := &hearing{}
	if x.server, err = h.serve(ctx, token, append(args, "--source", "lab=hep+tcp://"+addrs[0]+"?tenant="+tenant)...); err != nil {
		return nil, err
	}
	if x.store, err = h.dial(ctx); err == nil {
		var d net.Dialer
		x.conn, err = d.DialContext(ctx, "tcp", addrs[0])
	}
	if err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

// dial opens the store of the server that runs in the house.
func (h *house) dial(ctx context.Context) (*admin.Client, error) {
	out, err := h.Do(ctx, "version")
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(out)) // "trunklog VERSION …"
	if len(words) < 2 {
		return nil, fmt.Errorf("the version is %q", out)
	}
	return admin.Dial(ctx, filepath.Join(h.Data, "admin.sock"), words[1])
}

func (h *hearing) close() {
	if h.conn != nil {
		_ = h.conn.Close()
	}
	if h.store != nil {
		_ = h.store.Close()
	}
	_ = h.Stop()
}

// rows waits until there are n rows and returns how many there are.
func (h *hearing) rows(ctx context.Context, n int64) error {
	return poll(ctx, h.Process, longest, "all calls are rows", func() error {
		have, err := h.store.Count(ctx, call.Query{Tenant: tenantID()})
		if err == nil && have < n {
			err = fmt.Errorf("%d of %d calls have become rows", have, n)
		}
		return err
	})
}

// measureTCP sends all packets through one connection, and then single calls.
func (b *bench) measureTCP(ctx context.Context, file, keep string) error {
	h, err := b.hear(ctx, "hear-"+keep, "--keep-sip", keep)
	if err != nil {
		return err
	}
	defer h.close()
	f, err := os.Open(file) //nolint:gosec // in our own folder
	if err != nil {
		return err
	}
	defer f.Close()
	before, _ := processorTime(h.PID())
	began := time.Now()
	if _, err := io.Copy(h.conn, f); err != nil {
		return err
	}
	if err := h.rows(ctx, int64(b.calls)); err != nil {
		return err
	}
	rate := perSecond(int64(b.calls), time.Since(began))
	after, _ := processorTime(h.PID())
	work, least := "HEP through one TCP connection to durable rows, "+fmt.Sprint(perCall)+" messages a call", 3000.0
	if keep != "off" {
		work, least = work+", with the messages kept", 2000
	}
	b.report.add(result{
		work:      work,
		target:    "≥ " + commas(int64(least)) + " calls/s",
		measured:  number(rate) + " calls/s; " + number(float64(after-before)/float64(time.Microsecond)/float64(b.calls)) + " µs of processor time a call",
		yardstick: "heplify-server with PostgreSQL, as published: 4,000 to 5,000 calls/s without making records of calls",
		met:       judge(rate >= least),
	})
	if keep != "off" {
		return nil
	}
	return b.measureVisible(ctx, h)
}

// measureVisible measures from the BYE of a call to its row's being there.
func (b *bench) measureVisible(ctx context.Context, h *hearing) error {
	rows := b.answered(40, b.seed+1)
	var took []float64
	for i := range rows {
		if _, err := h.conn.Write(packets(&rows[i], func(call.Message) bool { return true })); err != nil {
			return err
		}
		began := time.Now()
		if err := h.rows(ctx, int64(b.calls+i+1)); err != nil {
			return err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	b.report.add(result{
		work:     "a row is visible after the BYE of its call",
		target:   "≤ 1 s",
		measured: "p50 " + number(median(took)) + " ms, p99 " + number(percentile(took, 99)) + " ms",
		met:      judge(percentile(took, 99) <= 1000),
	})
	return nil
}

// measureOpenCalls measures how much memory calls take that have not ended.
func (b *bench) measureOpenCalls(ctx context.Context) error {
	h, err := b.hear(ctx, "hear-open")
	if err != nil {
		return err
	}
	defer h.close()
	most := max(b.calls, min(100_000, 10*b.calls))
	rows := b.answered(most, b.seed)
	w := bufio.NewWriterSize(h.conn, 1<<20)
	for i := range rows {
		r := &rows[i]
		if _, err := w.Write(packets(r, func(m call.Message) bool { return m.At.Before(r.End.Add(-time.Second)) })); err != nil {
			return err
		}
	}
	// A call behind them that ends says that they have been heard.
	if _, err := w.Write(packets(&b.answered(1, b.seed+1)[0], func(call.Message) bool { return true })); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), h.rows(ctx, 1)); err != nil {
		return err
	}
	peak, err := peakMemory(h.PID())
	if err != nil {
		return err
	}
	b.report.add(result{
		work:     "memory with " + commas(int64(len(rows))) + " open calls (peak)",
		target:   "≤ 400 MB (100,000 calls)",
		measured: strconv.FormatInt(peak/1_000_000, 10) + " MB",
		met:      judge(peak <= 400_000_000),
	})
	return nil
}
