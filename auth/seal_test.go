package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// written returns the forms in which programs write bytes into texts: as they are, quoted, in
// hexadecimal, as a list of numbers, and in base64, where the bytes may stand within others.
func written(b []byte) map[string]string {
	numbers := strings.Trim(fmt.Sprint(b), "[]")
	out := map[string]string{
		"open": string(b), "quoted": strings.Trim(strconv.Quote(string(b)), `"`), "in JSON": strings.Trim(string(must(json.Marshal(string(b)))), `"`),
		"in hexadecimal": hex.EncodeToString(b), "in upper case": strings.ToUpper(hex.EncodeToString(b)),
		"in numbers": numbers, "with commas": strings.ReplaceAll(numbers, " ", ","),
	}
	for before := range 3 {
		// The characters that also hold bits of the bytes around b are left out.
		within := append(make([]byte, before), b...)
		from, to := (before*8+5)/6, len(within)*8/6
		out[fmt.Sprint("in base64 ", before)] = base64.RawStdEncoding.EncodeToString(within)[from:to]
		out[fmt.Sprint("in base64url ", before)] = base64.RawURLEncoding.EncodeToString(within)[from:to]
	}
	return out
}

// notIn fails the test if text has the secret in one of the forms in which it could be there.
func notIn(t *testing.T, where, text, what string, secret []byte) {
	t.Helper()
	if len(secret) < 8 {
		t.Fatalf("%s has %d bytes, which may be anywhere", what, len(secret))
	}
	for how, form := range written(secret) {
		if strings.Contains(text, form) {
			t.Errorf("%s is %s in %s", what, how, where)
		}
	}
}

// TestWritten finds a secret within what encoders make of the bytes around it.
func TestWritten(t *testing.T) {
	secret := []byte("\x00\xfbsecret?>\xff\"")
	all := append(append([]byte("be"), secret...), "hind"...)
	for what, text := range map[string]string{
		"bytes": string(all), "log": strconv.Quote(string(all)), "hexadecimal": fmt.Sprintf("%x", all), "upper": fmt.Sprintf("%X", all), "list": fmt.Sprint(all),
		"JSON": string(must(json.Marshal(string(all)))), "JSON of bytes": string(must(json.Marshal(all))), "cut by one": string(must(json.Marshal(all[1:]))),
		"cut by two": b64(all[2:]), "list in JSON": string(must(json.Marshal([]int{0, 0xfb, 's', 'e', 'c', 'r', 'e', 't', '?', '>', 0xff, '"', 1}))),
	} {
		found := false
		for _, form := range written(secret) {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("%s: not found in %s", what, text)
		}
	}
}

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
