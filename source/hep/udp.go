package hep

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/trunklog/trunklog/call"
)

const (
	// wantedBuffer is the size of the kernel's buffer that we ask for, in bytes: some 3,000
	// datagrams that come while we do not read.
	wantedBuffer = 8 << 20
	// queueSize is the size of each half of a queue, in bytes: what we keep while the sink is
	// behind.
	queueSize = 8 << 20
	// readBatch is how many datagrams one system call reads.
	readBatch = 64
)

// listenUDP opens the socket, and warns if the kernel gives it too small a buffer.
func (s *Source) listenUDP(ctx context.Context) (net.PacketConn, error) {
	got := 0
	lc := net.ListenConfig{Control: control(&got)}
	c, err := lc.ListenPacket(ctx, "udp", s.host)
	if err != nil {
		return nil, err
	}
	s.count.receiveBuffer.Store(int64(got))
	if 0 < got && got < wantedBuffer {
		s.o.Log.Warn("the kernel keeps less for the socket than it should, so bursts may be lost: raise net.core.rmem_max",
			"addr", c.LocalAddr().String(), "bytes", got, "wanted", wantedBuffer)
	}
	return c, nil
}

// runUDP reads datagrams until ctx is done. One goroutine only reads, to empty the kernel's buffer
// as fast as it can; another one makes events of them, and waits for the sink.
func (s *Source) runUDP(ctx, puts context.Context, c net.PacketConn, sink call.Sink) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	q := newQueue(queueSize)
	var reader sync.WaitGroup
	var readErr error
	reader.Go(func() {
		defer q.close()
		readErr = s.readUDP(ctx, c, q)
	})
	putErr := s.putQueue(puts, q, sink)
	cancel()
	reader.Wait()
	for more := putErr != nil; more; {
		var left *half
		left, more = q.take()
		s.count.refused[Stopped].Add(uint64(len(left.ends)))
	}
	return errors.Join(putErr, readErr, c.Close())
}

// readUDP reads datagrams into q until ctx is done.
func (s *Source) readUDP(ctx context.Context, c net.PacketConn, q *queue) error {
	conn := ipv4.NewPacketConn(c) // for its ReadBatch alone: it reads IPv6 as well
	msgs := make([]ipv4.Message, readBatch)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{make([]byte, MaxPacket)}
		msgs[i].OOB = make([]byte, oobSize())
	}
	var lost dropCounter
	for {
		n, err := conn.ReadBatch(msgs, 0)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end was asked for
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
		s.queueAll(q, msgs[:n], &lost)
	}
}

// queueAll puts datagrams into q, as far as it has room, and counts the others.
func (s *Source) queueAll(q *queue, msgs []ipv4.Message, lost *dropCounter) {
	bytes := 0
	for i := range msgs {
		bytes += msgs[i].N
		if drops := lost.note(msgs[i].OOB[:msgs[i].NN]); drops > 0 {
			s.count.drops.Add(drops)
		}
	}
	s.received(len(msgs), bytes)
	kept := q.add(msgs)
	for _, m := range msgs[kept:] {
		s.refuse(Overflow, addrPortOf(m.Addr), m.Buffers[0][:m.N], nil)
	}
}

// putQueue puts what is in q, until q is closed and empty or the sink fails.
func (s *Source) putQueue(ctx context.Context, q *queue, sink call.Sink) error {
	b := newBatch(s)
	for {
		packets, more := q.take()
		for i := 0; i < len(packets.ends); i++ {
			b.from = packets.from[i]
			b.add(packets.at(i))
			if !b.full() && i+1 < len(packets.ends) {
				continue
			}
			if err := b.put(ctx, sink); err != nil {
				s.count.refused[Stopped].Add(uint64(len(packets.ends) - i - 1))
				return err
			}
		}
		if !more {
			return nil
		}
	}
}
