package sdk

import (
	"net"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// A server is a running `trunklog serve`.
type server struct {
	*house
	url string // https://localhost:PORT
	log *kit.Log
}

// serve starts the house's server and stops it when the test is over.
func (h *house) serve(t *testing.T, flags ...string) *server {
	t.Helper()
	return h.serveOn(t, "", flags...)
}

// serveOn is serve on an address that nobody else may have, or on a free one if it
// is empty. It is localhost's, too.
func (h *house) serveOn(t *testing.T, address string, flags ...string) *server {
	t.Helper()
	s, err := h.Serve(t.Context(), address, append([]string{"--keep", "forever"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("trunklog serve ended with %v", err)
		}
		if t.Failed() {
			t.Logf("stderr of trunklog serve:\n%s", s.Log)
		}
	})
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	return &server{h, "https://localhost:" + port, s.Log}
}
