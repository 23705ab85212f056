package kit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// actVariable makes this test's own program play trunklog.
const actVariable = "KIT_ACT"

func TestMain(m *testing.M) {
	if os.Getenv(actVariable) != "" {
		os.Exit(act(os.Args[1:]))
	}
	Main(m, func() error { return goleak.Find() })
}

// act is a trunklog that serves nothing, says what its environment says to it, and
// fails at all else.
func act(args []string) int {
	switch args[0] {
	case "serve":
		address := args[slices.Index(args, "--listen")+1]
		l, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer l.Close()
		fmt.Fprintln(os.Stderr, `{"msg":"the store is upgraded before the server is ready"}`)
		if slices.Contains(args, "--fail") {
			return 3
		}
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Fprintln(os.Stderr, `{"msg":"ready"}`)
		<-stop
		return 0
	case "environment":
		in, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%s|%s|%s", strings.Join(args, " "), os.Getenv("TRUNKLOG_KEEP"), in)
		return 0
	}
	fmt.Fprintln(os.Stderr, "cannot", args[0])
	return 5
}

func actor(t *testing.T) House {
	t.Helper()
	t.Setenv(actVariable, "1")
	return House{Program: os.Args[0], Data: "folder"}
}

func TestDo(t *testing.T) {
	h := actor(t)
	t.Setenv("TRUNKLOG_KEEP", "1d")
	out, err := h.Feed(t.Context(), strings.NewReader("rows"), "environment", "x")
	if want := "environment x --data folder||rows"; string(out) != want || err != nil {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
	out, err = h.Do(t.Context(), "dance")
	if out != nil || err == nil || !strings.Contains(err.Error(), "dance --data folder: exit status 5\ncannot dance") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestServe(t *testing.T) {
	h := actor(t)
	s, err := h.Serve(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	other, err := h.Serve(t.Context(), s.Address)
	if err == nil || !strings.Contains(other.Log.String(), "address already in use") || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server at the same address: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if s, err = h.Serve(t.Context(), "", "--fail"); err == nil || !strings.Contains(err.Error(), "has ended before it is ready: exit status 3") || s.Wait(t.Context()) == nil {
		t.Errorf("a server that ends: %v", err)
	}
	if _, err := (House{Program: "/nowhere"}).Serve(t.Context(), ""); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestProcess(t *testing.T) {
	p, err := Start(Command(t.Context(), "sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	err = p.Until(t.Context(), "it has slept", time.Millisecond, func() error {
		if tries++; tries < 3 {
			return os.ErrNotExist
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	if p.Stop() == nil || p.Wait(t.Context()) == nil {
		t.Error("a process that was ended has ended well")
	}
	if err := p.Until(t.Context(), "it sings", time.Millisecond, func() error { return os.ErrNotExist }); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "sleep has ended before it sings") {
		t.Errorf("waiting for a process that has ended: %v", err)
	}
}

// A reserved port is given to nobody, and its owner can listen there.
func TestReserve(t *testing.T) {
	port := FreePort(t)
	for range 200 {
		if other := FreePort(t); other == port {
			t.Fatalf("port %d was given away twice", port)
		}
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// A client that trusts a certificate is served by a server that has it, by name and
// by address, whatever the kind of its key.
func TestKeyPair(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.NotFoundHandler()}
	defer server.Close()
	h := House{Data: t.TempDir()}
	if err := os.Mkdir(filepath.Dir(h.CA()), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Transport(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a certificate: %v", err)
	}
	keyFile := filepath.Join(h.Data, "key.pem")
	var current tls.Certificate
	server.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &current, nil }}
	go server.ServeTLS(l, "", "")
	for _, name := range []string{"localhost", "127.0.0.1"} {
		p, err := NewKeyPair(name, nil)
		if name == "localhost" {
			p, err = NewKeyPair(name, key)
		}
		if err == nil {
			err = p.Write(h.CA(), keyFile)
		}
		if err == nil {
			current, err = tls.LoadX509KeyPair(h.CA(), keyFile)
		}
		if err != nil {
			t.Fatal(err)
		}
		tr, err := h.Transport()
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range []string{"localhost", "127.0.0.1"} {
			res, err := (&http.Client{Transport: tr}).Get("https://" + strings.Replace(l.Addr().String(), "127.0.0.1", asked, 1))
			if (err == nil) != (asked == name) {
				t.Errorf("the certificate of %s, asked for as %s: %v", name, asked, err)
			}
			if err == nil {
				res.Body.Close()
			}
			tr.CloseIdleConnections()
		}
	}
	if err := os.WriteFile(h.CA(), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Transport(); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("a file without a certificate: %v", err)
	}
}

// A witness notes what a test is told.
type witness struct {
	testing.TB
	said string
}

func (w *witness) Helper()                   {}
func (w *witness) Errorf(f string, a ...any) { w.said = fmt.Sprintf(f, a...) }
func (w *witness) Fatalf(f string, a ...any) { panic("fatal: " + fmt.Sprintf(f, a...)) }
func (w *witness) Skipf(f string, a ...any)  { panic("skip: " + fmt.Sprintf(f, a...)) }

func TestGolden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func(was bool) { *Update = was }(*Update)
	*Update = false
	var w witness
	if Golden(&w, file, []byte("old")); w.said != "" {
		t.Error(w.said)
	}
	if Golden(&w, file, []byte("new")); !strings.Contains(w.said, "got\nnew\nwant") {
		t.Errorf("%q", w.said)
	}
	*Update = true
	Golden(t, file, []byte("new"))
	if b, err := os.ReadFile(file); string(b) != "new" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestMissingAndScale(t *testing.T) {
	said := func(f func(testing.TB)) (said any) {
		defer func() { said = recover() }()
		f(&witness{})
		return nil
	}
	need := func(t testing.TB) { Need(t, "sh", "no-such-program") }
	t.Setenv("CI", "")
	if got := said(need); got != "skip: no-such-program is not installed" {
		t.Errorf("%v", got)
	}
	t.Setenv("CI", "true")
	if got := said(need); got != "fatal: no-such-program is not installed" {
		t.Errorf("in CI: %v", got)
	}
	for text, want := range map[string]int{"": 10, "2": 20, "0.01": 1} {
		t.Setenv("TRUNKLOG_SCALE", text)
		if got := Scale(t, 10); got != want {
			t.Errorf("TRUNKLOG_SCALE=%s: %d, want %d", text, got, want)
		}
	}
	t.Setenv("TRUNKLOG_SCALE", "much")
	if got := said(func(t testing.TB) { Scale(t, 1) }); got != "fatal: TRUNKLOG_SCALE=much: a number above 0 is needed" {
		t.Errorf("%v", got)
	}
}
