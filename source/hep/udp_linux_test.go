package hep

import (
	"context"
	"encoding/binary"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKernelDrops sends more than the kernel can keep before the source reads, and checks that the
// source counts the dropped datagrams.
func TestKernelDrops(t *testing.T) {
	s, err := New(testURL(t, "hep+udp://127.0.0.1:0"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &running{T: t, Source: s, sink: newRecorder()}
	c := r.dial()
	const size = 60_000
	n := int(s.Stats().ReceiveBuffer)*2/size + 50
	for i := range n {
		r.send(c, large(strconv.Itoa(i), size))
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx, "", r.sink) }()
	r.messages(1)
	r.send(c, packet("last")) // with it the kernel sends its count
	r.until("all datagrams", func(s Stats) bool { return s.Packets+s.KernelDrops == uint64(n+1) })
	if s.Stats().KernelDrops == 0 {
		t.Error("nothing was dropped")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDropCounter reads control messages, with a count that wraps around.
func TestDropCounter(t *testing.T) {
	control := func(level, kind int32, n uint32) []byte {
		b := make([]byte, unix.CmsgSpace(4))
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(4)))
		binary.NativeEndian.PutUint32(b[8:], uint32(level))
		binary.NativeEndian.PutUint32(b[12:], uint32(kind))
		binary.NativeEndian.PutUint32(b[16:], n)
		return b
	}
	var d dropCounter
	for i, step := range []struct {
		oob  []byte
		want uint64
	}{
		{nil, 0},
		{control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 5), 5},
		{control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 5), 0},
		{control(unix.SOL_IP, unix.SO_RXQ_OVFL, 9), 0},
		{append(control(unix.SOL_IP, 1, 9), control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 7)...), 2},
		{control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1<<32-1), 1<<32 - 8},
		{control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 2), 3},
		{[]byte("broken"), 0},
	} {
		if got := d.note(step.oob); got != step.want {
			t.Errorf("step %d: %d drops, want %d", i, got, step.want)
		}
	}
}
