package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// A recorder is what Kamailio mirrors to when nobody else listens: it keeps the
// HEP packets as they come over TCP.
type recorder struct {
	l    net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	all  [][]byte
	open map[net.Conn]bool
}

func newRecorder() (*recorder, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &recorder{l: l, open: map[net.Conn]bool{}}
	r.wg.Go(r.accept)
	return r, nil
}

func (r *recorder) address() string {
	return "127.0.0.1:" + strconv.Itoa(r.l.Addr().(*net.TCPAddr).Port)
}

func (r *recorder) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.open[c] = true
		r.mu.Unlock()
		r.wg.Go(func() { r.read(c) })
	}
}

func (r *recorder) read(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		p, err := readPacket(c)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.all = append(r.all, p)
		r.mu.Unlock()
	}
}

// stop ends the recording and returns its packets.
func (r *recorder) stop() [][]byte {
	_ = r.l.Close()
	r.mu.Lock()
	for c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
	return r.all
}

// readPacket reads one HEP packet: four letters, the length of all, the rest.
func readPacket(r io.Reader) ([]byte, error) {
	head := make([]byte, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[4:]))
	if string(head[:4]) != "HEP3" || n < len(head) {
		return nil, errors.New("not a HEP packet")
	}
	p := append(head, make([]byte, n-len(head))...)
	_, err := io.ReadFull(r, p[len(head):])
	return p, err
}

// splitPackets returns the packets that b is made of.
func splitPackets(b []byte) ([][]byte, error) {
	var all [][]byte
	for r := bytes.NewReader(b); r.Len() > 0; {
		p, err := readPacket(r)
		if err != nil {
			return nil, fmt.Errorf("packet %d: %w", len(all)+1, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// record makes the calls and returns what is known of them, and the packets
// that were mirrored. Kamailio has ended by then, so that none is under way.
func record(ctx context.Context, c config) ([]facts, [][]byte, error) {
	r, err := newRecorder()
	if err != nil {
		return nil, nil, err
	}
	c.network, c.address = "tcp", r.address()
	all, err := makeCalls(ctx, c)
	// What was sent last may still be on its way through the socket.
	r.settle(ctx)
	return all, r.stop(), err
}

// settle waits until no packet has come for a moment.
func (r *recorder) settle(ctx context.Context) {
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for last := -1; ; {
		r.mu.Lock()
		n := len(r.all)
		r.mu.Unlock()
		if n == last {
			return
		}
		last = n
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}
