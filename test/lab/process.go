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
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// A process is a program of the lab. It is in a group of its own, so that all
// that it starts can be ended with it.
type process struct {
	*kit.Process
	name, dir string
}

// start starts a program in dir. What it writes goes to dir/NAME.log.
func start(dir, name, program string, args ...string) (*process, error) {
	path, err := kit.Installed(program)
	if err != nil {
		return nil, fmt.Errorf("%w: the lab needs the Debian packages kamailio, kamailio-extra-modules, kamailio-tls-modules, sip-tester and, for --through baresip, baresip-core", err)
	}
	p := &process{name: name, dir: dir}
	log, err := os.Create(p.path(".log"))
	if err != nil {
		return nil, err
	}
	cmd := kit.Command(context.Background(), path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(cmd.Env, "TERM=dumb")
	cmd.SysProcAttr = group()
	p.Process, err = kit.Start(cmd)
	return p, errors.Join(err, log.Close()) // the program has it
}

// path is that of a file beside the program's log.
func (p *process) path(end string) string { return filepath.Join(p.dir, p.name+end) }

// wait waits for the end of the program; ctx bounds it.
func (p *process) wait(ctx context.Context) error { return p.explain(p.Wait(ctx)) }

// until waits until ok holds or p ends.
func (p *process) until(ctx context.Context, what string, ok func() bool) error {
	return p.explain(p.Until(ctx, what, 20*time.Millisecond, func() error {
		if ok() {
			return nil
		}
		return errors.New("not yet")
	}))
}

// explain adds the name to an error and what the program has written.
func (p *process) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w\n%s%s", p.name, err, p.complaints(), p.said())
}

// stop ends the program and all that it has started.
func (p *process) stop() {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Gone:
	case <-time.After(5 * time.Second):
	}
	killGroup(p.PID())
	<-p.Gone
}

// said returns the end of what the program has written.
func (p *process) said() []byte {
	b, err := os.ReadFile(p.path(".log"))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(b[max(0, len(b)-2000):])
}

// complaints returns the beginning of what SIPp calls errors.
func (p *process) complaints() []byte {
	b, _ := os.ReadFile(p.path(".errors")) // there may be none
	return b[:min(len(b), 1000)]
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
