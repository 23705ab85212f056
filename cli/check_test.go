package cli

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// TestAddress: a port alone, with or without a colon, means all addresses for HTTPS and loopback
// for unencrypted ports.
func TestAddress(t *testing.T) {
	for _, c := range []struct{ flag, given, host, want string }{
		{"--listen", ":8443", "", ":8443"},
		{"--listen", "8443", "", ":8443"},
		{"--listen", "[::1]:8443", "", "[::1]:8443"},
		{"--listen", ":https", "", ":https"},
		{"--listen-http", "19461", "127.0.0.1", "127.0.0.1:19461"},
		{"--listen-http", ":19461", "127.0.0.1", "127.0.0.1:19461"},
		{"--listen-http", "0.0.0.0:0", "127.0.0.1", "0.0.0.0:0"},
		{"--admin-listen", "9464", "127.0.0.1", "127.0.0.1:9464"},
		{"--admin-listen", "", "127.0.0.1", ""},
	} {
		if got, err := address(c.flag, c.given, c.host); err != nil || got != c.want {
			t.Errorf("%s %q is %q, %v; want %q", c.flag, c.given, got, err, c.want)
		}
	}
	for _, bad := range []string{"localhost", "1.2.3.4", "::1", "a:b:c", ":", "a:", ":65536", "65536", ":-1", "-1", ":no such", "1.2.3.4:0x50"} {
		_, err := address("--listen", bad, "")
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != exitUsage || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := address("--listen", "", ""); err == nil {
		t.Error("--listen may not be empty")
	}
}
