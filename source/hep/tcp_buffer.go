package hep

import "encoding/binary"

// makeRoom makes room to read into. If there is not enough, it waits until the putting goroutine is
// idle. It reports false if the sink has failed.
func (c *conn) makeRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	need := max(c.need(), min(len(c.buf)/8, 4<<10))
	short := c.full
	for c.putting && len(c.buf)-c.have < need {
		short = true
		c.quiet.Wait()
	}
	if c.failed || c.putting {
		return !c.failed
	}
	c.have = copy(c.buf, c.buf[c.whole:c.have])
	c.done, c.whole = 0, 0
	switch size := len(c.buf); {
	case need > size-c.have:
		c.resize(max(c.have+need, min(4*size, fairBuffer)))
	case short && size < largeBuffer:
		c.resize(min(4*size, largeBuffer))
	case c.silent && c.have == 0 && size > smallBuffer:
		c.resize(smallBuffer)
	}
	return true
}

// need returns how many more bytes the buffer must have room for: the rest of the packet that is
// not whole, or of its header.
func (c *conn) need() int {
	part := c.buf[c.whole:c.have]
	if len(part) < headerSize {
		return headerSize - len(part)
	}
	return int(binary.BigEndian.Uint16(part[len(magic):])) - len(part)
}

// resize gives the connection a buffer of another size, if there is memory for it. For a packet
// there always is.
func (c *conn) resize(size int) {
	more := beyondFair(size) - beyondFair(len(c.buf))
	if c.l.spare.Add(int64(-more)) < 0 && more > 0 {
		c.l.spare.Add(int64(more))
		return
	}
	buf := make([]byte, size)
	copy(buf, c.buf[:c.have])
	c.buf = buf
}

func beyondFair(size int) int { return max(size-fairBuffer, 0) }

// putAll puts the whole packets in the buffer until there are none left.
func (c *conn) putAll() {
	for c.putSome() {
	}
}

// putSome puts one batch. It reports false, and clears putting, if there is nothing to put or the
// sink has failed. It gives the batch back each time, so that all connections get their turn.
func (c *conn) putSome() bool {
	c.mu.Lock()
	packets := c.buf[c.done:c.whole]
	if len(packets) == 0 || c.failed {
		c.putting = false
		c.quiet.Broadcast()
		c.mu.Unlock()
		return false
	}
	c.mu.Unlock()

	b := <-c.l.batches
	if b == nil {
		b = newBatch(c.l.Source)
	}
	b.from = c.from
	used := 0
	c.l.opening <- struct{}{}
	for used < len(packets) && !b.full() {
		n, _ := frame(packets[used:])
		b.add(packets[used : used+n : used+n])
		used += n
	}
	<-c.l.opening
	if !c.known && len(b.signals) > 0 {
		c.known = true
		c.l.know(c)
	}
	err := b.put(c.l.puts, c.sink)
	c.l.batches <- b
	if err != nil {
		c.l.fail(err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += used
	c.failed = err != nil
	return true
}

// finish waits until the received packets are put, or the sink has failed, and counts those that
// are left.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.putting {
		c.quiet.Wait()
	}
	for left := c.buf[c.done:c.whole]; len(left) > 0; {
		n, _ := frame(left)
		c.l.count.refused[Stopped].Add(1)
		left = left[n:]
	}
	c.l.spare.Add(int64(beyondFair(len(c.buf))))
}
