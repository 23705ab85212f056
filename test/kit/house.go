// Package kit is what the tests of the whole program share, and the commands
// beside them: it builds trunklog, starts it and other programs, and waits until
// they answer; it finds free ports and makes certificates.
//
// It knows the program by its commands, its log and its files, as users do. Tests
// and what stands below test/ import it; nothing of the product does.
package kit

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// module is the path of the product's module.
const module = "github.com/trunklog/trunklog"

// Build builds the command in folder pkg ("." is trunklog itself) to the file path,
// as it is released. The source is that in dir, or if dir is empty that of the
// module which the working directory is in or needs.
func Build(ctx context.Context, dir, pkg, path string) error {
	if dir == "" {
		out, err := Output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module))
		if err != nil {
			return fmt.Errorf("find the source of trunklog: %w", err)
		}
		dir = strings.TrimSpace(string(out))
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, pkg) //nolint:gosec // what to build is the caller's
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", pkg, dir, err, out)
	}
	return nil
}

// Command returns a command that is told to end when ctx is done, and ended 20 s
// later. It does not see what the environment says to trunklog: whoever runs it
// says all that it is to know.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // what to run is the caller's
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TRUNKLOG_") })
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// Output runs a command to its end and returns what it has written to stdout. The
// error says what it has written to stderr.
func Output(cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	var said Log
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		what := append([]string{filepath.Base(cmd.Args[0])}, cmd.Args[1:]...)
		return nil, fmt.Errorf("%.200s: %w\n%s", strings.Join(what, " "), err, said.End())
	}
	return out.Bytes(), nil
}

// A House is a data folder, and the trunklog that works on it.
type House struct {
	Program string // path or name of trunklog
	Data    string // path of the data folder
}

// Do runs a command of trunklog's on the data folder and returns what it prints.
func (h House) Do(ctx context.Context, args ...string) ([]byte, error) {
	return h.Feed(ctx, nil, args...)
}

// Feed is Do for a command that reads stdin.
func (h House) Feed(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := Command(ctx, h.Program, append(args, "--data", h.Data)...)
	cmd.Stdin = stdin
	return Output(cmd)
}

// CA is the file with the authority of the server's certificate, once a server has
// made one.
func (h House) CA() string { return filepath.Join(h.Data, "tls", "ca.pem") }

// Transport returns a transport for clients of the server that trust its
// certificate and nobody else's.
func (h House) Transport() (*http.Transport, error) {
	roots, err := Roots(h.CA())
	if err != nil {
		return nil, err
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return tr, nil
}

// Roots returns the certificates in a file of PEM.
func Roots(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, errors.New(file + " holds no certificate")
	}
	return roots, nil
}

// A Server is a running 'trunklog serve'.
type Server struct {
	*Process
	House
	Address string // HOST:PORT where it listens
}

// readyLine is what a server says when it answers, in each format of its log. A
// server that upgrades its store says before what it will do when it is ready.
var readyLine = regexp.MustCompile(`"msg":"ready"|\bmsg=ready\b|trunklog is ready at`)

// Serve starts a server that listens at address, or at a free port of loopback if
// that is empty, and waits for as long as ctx lets it until the server is ready. It
// runs until it is stopped. With an error, a server that was started is returned,
// too: it has ended, and its log tells why.
func (h House) Serve(ctx context.Context, address string, flags ...string) (*Server, error) {
	s := &Server{House: h, Address: address}
	release := func() {}
	if address == "" {
		port, free, err := Reserve()
		if err != nil {
			return nil, err
		}
		s.Address, release = "127.0.0.1:"+strconv.Itoa(port), free
	}
	args := append([]string{"serve", "--data", h.Data, "--listen", s.Address}, flags...)
	var err error
	if s.Process, err = Start(Command(context.WithoutCancel(ctx), h.Program, args...)); err != nil {
		release()
		return nil, err
	}
	go func() {
		<-s.Gone
		release()
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("given up after two minutes"))
	defer cancel()
	err = s.Until(ctx, "it is ready", 5*time.Millisecond, func() error {
		if !readyLine.MatchString(s.Log.String()) {
			return errors.New("it has not said so")
		}
		return nil
	})
	if err != nil {
		s.Kill()
	}
	return s, err
}
