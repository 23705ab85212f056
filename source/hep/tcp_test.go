package hep

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// closed waits until the other side has closed the connection.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection was not closed: %v", err)
	}
}

// TestSplitReads sends packets in two parts, split at every place.
func TestSplitReads(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	stream := join(packet("a"), packet("b"))
	step := 1
	if testing.Short() {
		step = 7
	}
	n := uint64(0)
	for cut := 0; cut <= len(stream); cut += step {
		c := r.dial()
		r.send(c, stream[:cut])
		// The source must count the whole packets before the rest is sent.
		whole := uint64(cut / (len(stream) / 2))
		r.messages(n + whole)
		r.send(c, stream[cut:])
		n += 2
		r.messages(n)
		_ = c.Close()
	}
	if got := r.refused(); got != "" {
		t.Errorf("refused: %s", got)
	}
}

// TestByteByByte feeds a connection through a pipe, a byte at a time.
func TestByteByByte(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	c := r.dial()
	_ = c.(*net.TCPConn).SetNoDelay(true)
	for id := range 3 {
		for _, b := range packet(strconv.Itoa(id)) {
			r.send(c, []byte{b})
		}
	}
	r.messages(3)
}

// TestLongMessages sends packets of the greatest length among short ones.
func TestLongMessages(t *testing.T) {
	for _, u := range bothNetworks[:2] {
		t.Run(u, func(t *testing.T) {
			r := run(t, u, newRecorder())
			c := r.dial()
			longest := MaxPacket
			if strings.Contains(u, "udp") {
				longest = 65_507 // the longest datagram over IPv4
			}
			long := func(id string, size int) []byte {
				d := draft{at: benchTime, payload: message(id)}
				d.payload = strings.TrimSuffix(d.payload, "\r\n") + "Subject: "
				d.payload += strings.Repeat("x", size-len(d.bytes())-4) + "\r\n\r\n"
				return d.bytes()
			}
			for i, size := range []int{longest, 1000, longest, longest, smallBuffer, smallBuffer + 1, 4096, fairBuffer / 2, longest} {
				b := long(strconv.Itoa(i), size)
				if len(b) != size {
					t.Fatalf("%d bytes, want %d", len(b), size)
				}
				r.send(c, b)
				r.messages(uint64(i + 1))
			}
		})
	}
}

// TestGarbage sends bytes that are no packet between two packets, both of which the source must
// put.
func TestGarbage(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	other := r.dial()
	r.send(other, packet("other"))
	r.messages(1)
	lost := uint64(0)
	for i, test := range []struct {
		bytes string
		want  Cause
	}{
		{"GET / HTTP/1.1\r\n\r\n", Magic},
		{"X", Magic},
		{"\r\n\r\n", Magic},
		{"HEP2\x00\x10", Version},
		{"\x02\x1c\x02\x16\x13\xc5\x13\xc5 and what HEP 2 has behind it", Version},
		{"HEP3\x00\x05", Length},
		{"\x16\x03\x01\x02\x00\x01", Magic},
		{strings.Repeat("\x00", 100_000), Magic},
		{"HEHEPHEP", Magic},
		{"xHEP3\x01\x00 is no packet", Magic},
		{"xHEP3\x00\x20\x00\x00\x00\x01\x00\x09abc", Magic},
		{"x" + string(packet("cut")[:50]), Magic},
	} {
		c := r.dial()
		before := r.Stats()
		r.send(c, packet(fmt.Sprint("garbage ", i)), []byte(test.bytes), packet(fmt.Sprint("behind ", i)))
		r.until(fmt.Sprintf("%.20q", test.bytes), func(s Stats) bool { return s.Messages == before.Messages+2 })
		s := r.Stats()
		if s.Refused[test.want] != before.Refused[test.want]+1 {
			t.Errorf("%.20q: refused %s", test.bytes, r.refused())
		}
		if lost += uint64(len(test.bytes)); s.Lost != lost {
			t.Errorf("%.20q: %d bytes lost, want %d", test.bytes, s.Lost, lost)
		}
	}
	r.send(other, packet("other still"))
	r.messages(26)
	if got := r.refused(); got != "magic 9, version 2, length 1" {
		t.Errorf("refused: %s", got)
	}
}

// noisePacket returns random bytes, bare SIP, or bytes that begin like a packet and are none.
func noisePacket(r *rand.Rand) []byte {
	b := make([]byte, 1+r.IntN(900))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	switch r.IntN(5) {
	case 0:
		return []byte(message("noise"))
	case 1:
		return append([]byte{2, 28, 2, 22, 0x13, 0xc5, 0x13, 0xc5}, message("noise")...)
	case 2:
		return append(append([]byte(magic), "\x00\xff is text"...), b...)
	case 3:
		return bytes.Repeat([]byte(magic), 1+r.IntN(20))
	}
	return b
}

// TestMuchNoise sends 13,000 packets of noise, then good ones.
func TestMuchNoise(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	c := r.dial()
	size := 0
	for range 13_000 {
		b := append([]byte("no"), noisePacket(rnd)...)
		size += len(b)
		r.send(c, b)
	}
	for i := range 100 {
		r.send(c, packet(strconv.Itoa(i)))
	}
	r.messages(100)
	if s := r.Stats(); s.Lost != uint64(size) || sum(s.Refused) != 1 || s.Bytes < s.Lost {
		t.Errorf("%d bytes lost, want %d; refused: %s", s.Lost, size, r.refused())
	}
}

// TestNoiseAnywhere sends packets with noise between them, in pieces of all sizes.
func TestNoiseAnywhere(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	c := r.dial()
	var stream []byte
	runs, lost := 0, 0
	n := scale(3_000)
	for i := range n {
		if rnd.IntN(3) == 0 {
			noise := append([]byte("no"), noisePacket(rnd)...)
			stream = append(stream, noise...)
			runs, lost = runs+1, lost+len(noise)
		}
		stream = append(stream, packet(strconv.Itoa(i))...)
	}
	for len(stream) > 0 {
		part := min(len(stream), 1+rnd.IntN([]int{5, 50, 500, 5_000, 50_000}[rnd.IntN(5)]))
		r.send(c, stream[:part])
		stream = stream[part:]
	}
	r.messages(uint64(n))
	if s := r.Stats(); s.Lost != uint64(lost) || sum(s.Refused) != uint64(runs) {
		t.Errorf("%d bytes lost, want %d; refused: %s, want %d", s.Lost, lost, r.refused(), runs)
	}
}

// TestEndlessNoise checks that the source closes a connection that brings only noise, fast or slow,
// before a packet or behind one.
func TestEndlessNoise(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0?idle=200ms", newRecorder())
	begin := time.Now()
	fast, slow, silent := r.dial(), r.dial(), r.dial()
	r.send(slow, packet("slow"))
	r.messages(1)
	r.send(silent, []byte("GET / HTTP/1.1\r\n\r\n"))
	closed(t, silent)
	write := func(c net.Conn, noise []byte, pause time.Duration) (sent int) {
		for {
			n, err := c.Write(noise)
			if sent += n; err != nil {
				return sent
			}
			if time.Since(begin) > 60*time.Second {
				t.Fatal("the sender is still listened to")
			}
			time.Sleep(pause)
		}
	}
	write(slow, []byte("noise"), 20*time.Millisecond)
	if sent := write(fast, bytes.Repeat([]byte("noise"), 100_000), 0); sent < maxNoise {
		t.Errorf("closed after %d bytes", sent)
	}
	r.until("the end", func(s Stats) bool { return s.Connections == 0 })
	if got := r.refused(); got != "magic 3" {
		t.Errorf("refused: %s", got)
	}
}

// TestStall checks that the source does not wait for a sender that stops within a packet, and does
// for one that is silent between packets, or from the beginning.
func TestStall(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0?idle=100ms", newRecorder())
	silent, never, stalled := r.dial(), r.dial(), r.dial()
	whole := packet("whole")
	r.send(silent, whole)
	r.send(stalled, whole, whole[:7])
	closed(t, stalled)
	r.until("a stall", func(s Stats) bool { return s.Refused[Stall] == 1 && s.Connections == 2 })
	r.send(silent, packet("later"))
	r.send(never, packet("first"))
	r.messages(4)
}

// TestSlowPacket checks that a packet that comes a byte at a time gets no more time with each byte.
func TestSlowPacket(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0?idle=150ms", newRecorder())
	c := r.dial()
	r.send(c, []byte("HEP3\xff\xff"))
	begin := time.Now()
	for {
		if _, err := c.Write([]byte{0}); err != nil {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("the sender is still waited for")
		}
		pause()
	}
	r.until("a stall", func(s Stats) bool { return s.Refused[Stall] == 1 })
}

// TestCut checks that the source counts the part of a packet at the end of a connection.
func TestCut(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	for i, n := range []int{1, 6, 100} {
		c := r.dial()
		r.send(c, packet(fmt.Sprint(i)), packet("cut")[:n])
		r.messages(uint64(i + 1))
		_ = c.Close()
		r.until("a cut", func(s Stats) bool { return s.Refused[Cut] == uint64(i+1) && s.Connections == 0 })
	}
}

// TestBackPressure checks that a sender has to wait while the sink does, and that the source then
// puts everything, in few batches.
func TestBackPressure(t *testing.T) {
	const n = 20_000
	sink := newRecorder()
	sink.gate = make(chan struct{})
	r := run(t, "hep+tcp://127.0.0.1:0", sink)
	c := r.dial()
	var stream []byte
	for i := range n {
		msg := strings.Replace(message(strconv.Itoa(i)), "CSeq", "Subject: "+strings.Repeat("x", 900)+"\r\nCSeq", 1)
		stream = append(stream, draft{at: benchTime, payload: msg}.bytes()...)
	}
	blocked, sent := make(chan struct{}), make(chan error)
	go func() {
		waits := 0
		for len(stream) > 0 {
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			n, err := c.Write(stream[:min(len(stream), 64<<10)])
			stream = stream[n:]
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				if waits++; waits == 1 {
					close(blocked)
					<-sink.gate
				}
			case err != nil:
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	<-blocked
	if s := r.Stats(); s.Messages != 0 || s.Bytes > largeBuffer+fairBuffer {
		t.Errorf("%d messages, and %d bytes received while the sink was waiting", s.Messages, s.Bytes)
	}
	close(sink.gate)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	r.messages(n)
	if got := len(sink.ids()); got != n {
		t.Errorf("%d messages of %d", got, n)
	}
	if sink.most < 100 || sink.most > maxBatch {
		t.Errorf("%d messages in the largest of %d batches", sink.most, sink.puts)
	}
	if got := r.refused(); got != "" {
		t.Errorf("refused: %s", got)
	}
}

// TestManySenders sends from many connections at once, in pieces of all sizes, and checks that each
// message arrives once, as it was sent.
func TestManySenders(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	const senders = 50
	each := scale(400)
	errs := make(chan error)
	for s := range senders {
		go func() {
			var stream []byte
			for i := range each {
				stream = append(stream, packet(fmt.Sprintf("%d.%d", s, i))...)
			}
			c, err := net.Dial("tcp", r.Addr().String())
			if err != nil {
				errs <- err
				return
			}
			for size := s + 1; len(stream) > 0 && err == nil; size = size*3%5000 + 1 {
				n := min(size, len(stream))
				_, err = c.Write(stream[:n])
				stream = stream[n:]
			}
			errs <- errors.Join(err, c.Close())
		}()
	}
	for range senders {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	r.messages(uint64(senders * each))
	for s := range senders {
		for i := range each {
			if id := fmt.Sprintf("%d.%d", s, i); len(r.sink.dumps[id]) != 1 || r.sink.raws[id] != message(id) {
				t.Fatalf("message %s: %d times, %q", id, len(r.sink.dumps[id]), r.sink.raws[id])
			}
		}
	}
}

// TestCrowd checks that the source closes connections beyond the limit, and that senders of an
// understood packet keep theirs.
func TestCrowd(t *testing.T) {
	r := run(t, "hep+tcp://127.0.0.1:0?connections=3", newRecorder())
	strangers := []net.Conn{r.dial(), r.dial()}
	r.until("two strangers", func(s Stats) bool { return s.Connections == 2 })
	var senders []net.Conn
	for i := range 3 {
		c := r.dial()
		r.send(c, packet(fmt.Sprint("sender ", i)))
		r.messages(uint64(i + 1))
		senders = append(senders, c)
	}
	for _, c := range strangers {
		closed(t, c)
	}
	closed(t, r.dial()) // there is no stranger left to make room
	for i, c := range senders {
		r.send(c, packet(fmt.Sprint("again ", i)))
	}
	r.messages(6)
	r.until("three senders", func(s Stats) bool { return s.Connections == 3 })
	if s := r.Stats(); s.TurnedAway[Crowded] != 3 || s.Accepted != 6 {
		t.Errorf("%+v", s)
	}
	_ = senders[0].Close()
	r.until("a place", func(s Stats) bool { return s.Connections == 2 })
	r.send(r.dial(), packet("new"))
	r.messages(7)
}

// TestKnown checks that the source calls Known when it understands a packet of a connection, once
// and not before.
func TestKnown(t *testing.T) {
	known := make(chan net.Conn, 9)
	type wrapped struct{ net.Listener }
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder(), func(o *Options) {
		o.Listener = func(l net.Listener) net.Listener { return wrapped{l} }
		o.Known = func(c net.Conn) { known <- c }
	})
	c := r.dial()
	r.send(c, []byte("noise that is no packet"))
	r.until("noise", func(s Stats) bool { return s.Lost > 0 })
	if len(known) > 0 {
		t.Error("noise was understood")
	}
	r.send(c, packet("a"), packet("b"))
	r.messages(2)
	if n := len(known); n != 1 {
		t.Fatalf("told %d times", n)
	}
	if got := (<-known).RemoteAddr().String(); got != c.LocalAddr().String() {
		t.Errorf("told of %s", got)
	}
}

// TestIdleConnections opens thousands of silent connections, and checks that they cost little
// memory and that others still work.
func TestIdleConnections(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	n = min(n, (openFiles(t)-200)/2) // both ends are in this process
	r := run(t, "hep+tcp://127.0.0.1:0", newRecorder())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n - 1 {
		r.dial()
	}
	r.until("connections", func(s Stats) bool { return s.Connections == int64(n-1) })
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / int64(n)
	t.Logf("%d connections, %d bytes each", n, each)
	if each > 12<<10 {
		t.Errorf("each connection takes %d bytes", each)
	}
	r.send(r.dial(), packet("a"))
	r.messages(1)
}

// TestBufferShrinks checks that a connection that has fallen silent gives its memory back, and that
// all together take no more than spareBuffers.
func TestBufferShrinks(t *testing.T) {
	c := &conn{l: &listener{}, buf: make([]byte, smallBuffer)}
	c.quiet.L = &c.mu
	const spare = largeBuffer - fairBuffer
	c.l.spare.Store(spare)
	fill := func(b *conn) {
		for range 20 {
			b.full = true
			if !b.makeRoom() {
				t.Fatal("no room")
			}
		}
	}
	fill(c)
	if len(c.buf) != largeBuffer {
		t.Errorf("a buffer of %d bytes", len(c.buf))
	}
	poor := &conn{l: c.l, buf: make([]byte, smallBuffer)}
	poor.quiet.L = &poor.mu
	fill(poor)
	if n := len(poor.buf); n > fairBuffer || n < fairBuffer/4 {
		t.Errorf("a second buffer of %d bytes", len(poor.buf))
	}
	c.full, c.silent = false, true
	c.makeRoom()
	if len(c.buf) != smallBuffer || c.l.spare.Load() != spare {
		t.Errorf("a buffer of %d bytes, and %d to spare", len(c.buf), c.l.spare.Load())
	}
	fill(poor)
	poor.finish()
	if len(poor.buf) != largeBuffer || c.l.spare.Load() != spare {
		t.Errorf("a buffer of %d bytes, and %d to spare", len(poor.buf), c.l.spare.Load())
	}
}

// TestRoomForPackets checks that the buffer has room for any packet, wherever in it the packet
// begins and however little memory is left.
func TestRoomForPackets(t *testing.T) {
	for _, size := range []int{6, 7, 511, 512, 513, 4096, 65_534, 65_535} {
		c := &conn{l: &listener{}, buf: make([]byte, smallBuffer)}
		c.quiet.L = &c.mu
		head := []byte{'H', 'E', 'P', '3', byte(size >> 8), byte(size)}
		for read := 0; read < size; {
			if !c.makeRoom() || len(c.buf) == c.have {
				t.Fatalf("no room for %d of %d bytes", read, size)
			}
			n := min(len(c.buf)-c.have, size-read)
			for i := range n {
				if read+i < len(head) {
					c.buf[c.have+i] = head[read+i]
				}
			}
			c.have += n
			read += n
			c.full = c.have == len(c.buf)
		}
		if !bytes.HasPrefix(c.buf, head) {
			t.Errorf("%d bytes begin with %q", size, c.buf[:6])
		}
	}
}
