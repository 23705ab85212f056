package auth

import (
	"bytes"
	"strings"
	"testing"
)

func TestSeal(t *testing.T) {
	kv := newMemKV()
	needs := func(want bool) {
		t.Helper()
		if got, err := NeedsKey(t.Context(), kv); err != nil || got != want {
			t.Errorf("NeedsKey: %v, %v; want %v", got, err, want)
		}
	}
	needs(false)
	if err := CheckKey(t.Context(), kv, make([]byte, 32)); err != nil {
		t.Errorf("a key for nothing: %v", err)
	}
	w := newWorld(t)
	kv = w.kv
	needs(true)
	saves := kv.saves
	if err := CheckKey(t.Context(), kv, w.conf.Key); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if err := CheckKey(t.Context(), kv, bytes.Repeat([]byte("x"), 32)); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("a wrong key: %v", err)
	}
	w.create(contoso, ClientOptions{})
	delete(kv.m, nameKeys)
	needs(true)
	kv = newMemKV()
	needs(false)
	if kv.saves != 0 || w.kv.saves != saves+1 {
		t.Error("a check has saved something")
	}
}
