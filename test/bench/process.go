package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a program that runs beside the harness. Whoever starts one
// stops it.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   *tail
	ended chan struct{}
	err   error // once ended
}

// startProcess starts cmd, which is told to end when ctx is done.
func startProcess(ctx context.Context, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // what to run is ours
	return startCommand(cmd)
}

func startCommand(cmd *exec.Cmd) (*process, error) {
	p := &process{name: cmd.Args[0], cmd: cmd, log: &tail{}, ended: make(chan struct{})}
	cmd.Stderr = p.log
	gentle(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// gentle lets a program that is no longer wanted end on its own.
func gentle(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// wait waits until the process has ended.
func (p *process) wait() error {
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%w: %s", p.err, p.log)
	}
	return nil
}

// stop tells the process to end by sig and waits until it has. How it ended is
// of no interest.
func (p *process) stop(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// poll calls try until it returns nil, the process has ended, or the time is
// up.
func (p *process) poll(ctx context.Context, limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not answer within %v: %w: %s", base(p.name), limit, err, p.log)
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended: %w", base(p.name), errors.Join(p.wait(), err))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// A tail keeps the end of what was written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-2000):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}

// freeAddr returns an address on loopback at which nobody listens.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// output runs a program and returns what it writes to stdout.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // what to run is ours
	gentle(cmd)
	var log tail
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", base(name), args[0], err, &log)
	}
	return out, nil
}

// A cost is what a process has used up.
type cost struct {
	CPU  time.Duration
	Peak int64 // bytes of memory at most
}

func costOf(cmd *exec.Cmd) cost {
	s := cmd.ProcessState
	return cost{CPU: s.UserTime() + s.SystemTime(), Peak: mostResident(s)}
}

// child runs one of this program's roles in a process of its own, so that its
// time and memory are its own, and reads its answer.
func child(ctx context.Context, role string, question, answer any) (cost, error) {
	cmd, err := childCommand(ctx, role, question)
	if err != nil {
		return cost{}, err
	}
	var log tail
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", role, err, &log)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return cost{}, fmt.Errorf("%s: %w", role, err)
	}
	return costOf(cmd), nil
}

func childCommand(ctx context.Context, role string, question any) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	q, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, childMark, role) //nolint:gosec // this program itself
	cmd.Stdin = bytes.NewReader(q)
	gentle(cmd)
	return cmd, nil
}
