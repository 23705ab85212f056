package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a program of the lab. It is in a group of its own, so that all
// that it starts can be ended with it.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	gone chan struct{} // closed when it has ended; err is set then
	err  error
}

// start starts a program in dir. What it writes goes to dir/NAME.log.
func start(dir, name, program string, args ...string) (*process, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		// Debian keeps servers out of the way of the PATH.
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			return nil, fmt.Errorf("%s is not installed: the lab needs the Debian packages kamailio, kamailio-extra-modules, kamailio-tls-modules, sip-tester and, for --through baresip, baresip-core", program)
		}
	}
	p := &process{name: name, gone: make(chan struct{})}
	if p.log, err = os.Create(filepath.Join(dir, name+".log")); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(path, args...) //nolint:gosec // the path was looked up
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(), "TERM=dumb")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), p.log.Close())
	}
	go func() {
		p.err = errors.Join(p.cmd.Wait(), p.log.Close())
		close(p.gone)
	}()
	return p, nil
}

// wait waits for the end of the program; ctx bounds it.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.gone:
		if p.err != nil {
			return fmt.Errorf("%s: %w\n%s%s", p.name, p.err, p.complaints(), p.said())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.name, context.Cause(ctx))
	}
}

// stop ends the program and all that it has started.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the whole group, if there is one left
	<-p.gone
}

// said returns the end of what the program has written.
func (p *process) said() []byte {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-2000):])
}

// complaints returns the beginning of what SIPp calls errors.
func (p *process) complaints() []byte {
	b, _ := os.ReadFile(filepath.Join(p.cmd.Dir, p.name+".errors")) // there may be none
	return b[:min(len(b), 1000)]
}

// until waits until ok holds or p ends.
func (p *process) until(ctx context.Context, what string, ok func() bool) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-p.gone:
			return fmt.Errorf("%s ended before %s: %w\n%s", p.name, what, p.err, p.said())
		case <-ctx.Done():
			return fmt.Errorf("%s: waiting until %s: %w", p.name, what, context.Cause(ctx))
		}
	}
	return nil
}

// The states of a socket, as the kernel writes them.
const (
	established = "01"
	unconnected = "07"
	listening   = "0A"
)

// bound reports whether a program has a UDP or TCP port of an address of this
// machine, so that what is sent there arrives. It looks without using the port.
func bound(network, address string, port int) bool {
	a := netip.MustParseAddr(address).As4()
	name, any := fmt.Sprintf("%02X%02X%02X%02X:%04X", a[3], a[2], a[1], a[0], port), fmt.Sprintf("00000000:%04X", port)
	return anySocket(network, func(local, _, state string) bool {
		return (local == name || local == any) && (state == listening || state == unconnected)
	})
}

// connected reports whether there is a TCP connection to a port.
func connected(port int) bool {
	suffix := fmt.Sprintf(":%04X", port)
	return anySocket("tcp", func(_, remote, state string) bool {
		return state == established && strings.HasSuffix(remote, suffix)
	})
}

// anySocket reports whether ok holds for the addresses and the state of a socket.
func anySocket(network string, ok func(local, remote, state string) bool) bool {
	b, err := os.ReadFile("/proc/net/" + network)
	if err != nil {
		return true // not Linux: hope
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 3 && ok(f[1], f[2], f[3]) {
			return true
		}
	}
	return false
}

// freeBlock returns the first of n free ports in a row, outside of the range
// from which the system gives ports away. They are the caller's until claim is
// closed: the last of them is taken, and whoever wants the block tries it first.
func freeBlock(n int) (first int, claim io.Closer, err error) {
	const from, to = 10240, 32768
	begin := rand.IntN(to) // so that labs seldom look at the same ones
	for i := range (to - from) / n {
		first := from + (begin+i)%((to-from)/n)*n
		l, err := net.Listen("tcp", net.JoinHostPort(sbcAddress, strconv.Itoa(first+n-1)))
		if err != nil {
			continue
		}
		if blockIsFree(first, n-1) {
			return first, l, nil
		}
		_ = l.Close()
	}
	return 0, nil, fmt.Errorf("no %d free ports in a row", n)
}

func blockIsFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		for _, address := range addresses {
			if !isFree(net.JoinHostPort(address, strconv.Itoa(port))) {
				return false
			}
		}
	}
	return true
}

func isFree(address string) bool {
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	_ = u.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// sleep waits, or returns what has ended ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
