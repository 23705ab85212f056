package hep

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/ipv4"
)

// large returns a packet of the given size.
func large(id string, size int) []byte {
	d := draft{at: benchTime, payload: strings.TrimSuffix(message(id), "\r\n") + "Subject: "}
	d.payload += strings.Repeat("x", size-len(d.bytes())-4) + "\r\n\r\n"
	return d.bytes()
}

// TestOverflow checks that the source keeps datagrams while the sink is behind, as far as it has
// room, and counts the others.
func TestOverflow(t *testing.T) {
	sink := newRecorder()
	sink.gate, sink.at = make(chan struct{}), make(chan struct{})
	r := run(t, "hep+udp://127.0.0.1:0", sink)
	c := r.dial()
	r.send(c, packet("first"))
	<-sink.at
	sink.set(func(s *recorder) { s.at = nil })
	const size = 60_000
	n := uint64(queueSize/size + 20)
	for i := range n {
		r.send(c, large(strconv.Itoa(int(i)), size))
		r.until("reading", func(s Stats) bool { return s.Packets == i+2 }) // so that the kernel need not keep the datagram
	}
	if got, want := r.Stats().Refused[Overflow], n-queueSize/size; got != want {
		t.Errorf("%d packets found no room, want %d", got, want)
	}
	close(sink.gate)
	r.messages(1 + queueSize/size)
	r.send(c, packet("last"))
	r.messages(2 + queueSize/size)
	if got, want := r.refused(), fmt.Sprintf("overflow %d", n-queueSize/size); got != want {
		t.Errorf("refused: %s, want %s", got, want)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rejects["overflow"]) != 1 {
		t.Errorf("%d samples", len(r.rejects["overflow"]))
	}
}

// TestQueue has one goroutine fill a small queue while another one empties it, and checks that
// datagrams come out whole and in order.
func TestQueue(t *testing.T) {
	q := newQueue(1000)
	n := scale(20_000)
	var out [][]byte
	var reading sync.WaitGroup
	reading.Go(func() {
		for more := true; more; {
			var h *half
			h, more = q.take()
			for i := range h.ends {
				out = append(out, bytes.Clone(h.at(i)))
			}
		}
	})
	var in [][]byte
	for i := range n {
		var msgs []ipv4.Message
		for k := range i % 5 {
			b := bytes.Repeat([]byte{byte(i), byte(k)}, (i*7+k)%120)
			msgs = append(msgs, ipv4.Message{Buffers: [][]byte{append(bytes.Clone(b), 0xff)}, N: len(b)})
			in = append(in, b)
		}
		for len(msgs) > 0 {
			msgs = msgs[q.add(msgs):]
		}
	}
	q.close()
	reading.Wait()
	if len(in) != len(out) {
		t.Fatalf("%d datagrams became %d", len(in), len(out))
	}
	for i := range in {
		if !bytes.Equal(in[i], out[i]) {
			t.Fatalf("datagram %d: %x became %x", i, in[i], out[i])
		}
	}
}

// TestShortDatagrams checks that empty datagrams, and those shorter than a packet's header, are
// counted and do not disturb others.
func TestShortDatagrams(t *testing.T) {
	r := run(t, "hep+udp://127.0.0.1:0", newRecorder())
	c := r.dial()
	whole := packet("a")
	for n := range headerSize {
		r.send(c, whole[:n])
	}
	r.send(c, whole[:len(whole)-1], append(bytes.Clone(whole), 0), whole)
	r.messages(1)
	if got := r.refused(); got != "short 6, length 2" {
		t.Errorf("refused: %s", got)
	}
}
