package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A Process is a program that runs beside its starter, who stops it.
type Process struct {
	Cmd  *exec.Cmd
	Log  *Log          // what it writes to stderr
	Gone chan struct{} // closed when it has ended
	err  error         // how, once it has
}

// Start starts a command. If its Stderr goes somewhere already, Log stays empty.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Cmd: cmd, Log: &Log{}, Gone: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Log
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Name(), err)
	}
	go func() {
		defer close(p.Gone)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Name is the name of the program's file.
func (p *Process) Name() string { return filepath.Base(p.Cmd.Path) }

// PID is the number of the process.
func (p *Process) PID() int { return p.Cmd.Process.Pid }

// Wait waits until the process has ended, or ctx. The error says how the process
// has ended, if not well, and what it has written.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.Gone:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", p.Name(), context.Cause(ctx))
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name(), p.err, p.Log.End())
	}
	return nil
}

// Until calls try, with a pause in between, until it returns nil. It gives up when
// the process ends or ctx does, and says what it was waiting for and why it had to.
func (p *Process) Until(ctx context.Context, what string, pause time.Duration, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.Gone:
			return fmt.Errorf("%s has ended before %s: %w\n%s", p.Name(), what, errors.Join(p.err, err), p.Log.End())
		case <-ctx.Done():
			return fmt.Errorf("%s: waiting until %s: %w: %w\n%s", p.Name(), what, context.Cause(ctx), err, p.Log.End())
		case <-time.After(pause):
		}
	}
}

// Stop asks the process to end, as a service manager does, waits until it has, and
// returns how. After 30 s it is ended.
func (p *Process) Stop() error { return p.StopBy(syscall.SIGTERM) }

// StopBy is Stop by another signal.
func (p *Process) StopBy(sig syscall.Signal) error {
	_ = p.Cmd.Process.Signal(sig) // it may have ended
	select {
	case <-p.Gone:
		return p.err
	case <-time.After(30 * time.Second):
		p.Kill()
		return fmt.Errorf("%s did not end when it was asked to: %w", p.Name(), p.err)
	}
}

// Kill ends the process as a power cut would, as far as a process can tell.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.Gone
}

// A Log keeps what a process writes, while others read it.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// End returns its last 2,000 bytes, which errors quote.
func (l *Log) End() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}
