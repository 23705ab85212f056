package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/trunklog/trunklog/test/kit"
)

// poll calls try until it returns nil, the process has ended, or the time is up.
func poll(ctx context.Context, p *kit.Process, limit time.Duration, what string, try func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("given up after %v", limit))
	defer cancel()
	return p.Until(ctx, what, 2*time.Millisecond, try)
}

// reserve returns n addresses on loopback that are the caller's until release.
func reserve(n int) (addrs []string, release func(), err error) {
	var all []func()
	release = func() {
		for _, f := range all {
			f()
		}
	}
	for range n {
		port, free, err := kit.Reserve()
		if err != nil {
			release()
			return nil, nil, err
		}
		all = append(all, free)
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return addrs, release, nil
}

// A cost is what a process has used up.
type cost struct {
	CPU  time.Duration
	Peak int64 // bytes of memory at most
}

func (c cost) String() string {
	return c.CPU.Round(100*time.Millisecond).String() + " of processor time and " + mebibytes(c.Peak) + " at most"
}

// note says it of a process that has done something else as well.
func (c cost) note(with string) string {
	return "Processor time of the whole process: " + c.CPU.Round(100*time.Millisecond).String() + ", with " + with + ". Peak memory: " + mebibytes(c.Peak) + "."
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
	out, err := kit.Output(cmd)
	if err != nil {
		return cost{}, err
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
	cmd := kit.Command(ctx, self, childMark, role)
	cmd.Stdin = bytes.NewReader(q)
	return cmd, nil
}
