package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, spec := range []string{"pebble:" + dir + "/a", "pebble://" + dir + "/a", "pebble:" + dir + "/a?"} {
		s, err := Open(t.Context(), spec, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(t.Context(), call.Batch{Rows: storetest.Rows(1, 5)}); err != nil {
			t.Error(err)
		}
		st, err := s.(call.Keeper).Stats(t.Context())
		if err != nil || st.Rows != 5 || st.Engine != "pebble" {
			t.Errorf("%s: %+v, %v", spec, st, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s, err := Open(t.Context(), "pebble:"+dir+"/a", Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(t.Context(), call.Batch{Rows: storetest.Rows(1, 1)}); !errors.Is(err, call.ErrInvalid) {
		t.Errorf("write to a store that is read-only: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                "known is pebble:DIR",
		"/var/lib/x":                      "known is pebble:DIR",
		"sqlite:x":                        `no engine "sqlite"; known is pebble:DIR`,
		"Pebble:x":                        `no engine "Pebble"`,
		"pebble:":                         "the folder is missing",
		"pebble:?a=b":                     `no parameter "a"`,
		"pebble:/x?cache=1":               `no parameter "cache"; pebble has none`,
		"pebble:/x?%zz":                   "invalid",
		"mysql://u:hunter2@host/db":       `no engine "mysql"`,
		"mysql:u:hunter2@tcp(host:1)/db%": `no engine "mysql"`,
	} {
		s, err := Open(t.Context(), spec, Options{})
		if err == nil || s != nil || !errors.Is(err, call.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, %v; want %q", spec, s, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "pebble:"+t.TempDir(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if s, err := Open(t.Context(), "pebble:"+t.TempDir()+"/none", Options{ReadOnly: true}); s != nil || !errors.Is(err, call.ErrNotFound) {
		t.Errorf("nothing there to read: %v, %v", s, err)
	}
}
