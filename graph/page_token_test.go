package graph

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
)

// tokenOf returns the token of a link.
func tokenOf(t *testing.T, link string) string {
	t.Helper()
	_, text, ok := strings.Cut(link, "$skiptoken=")
	if !ok {
		t.Fatalf("no token in %q", link)
	}
	text, _, _ = strings.Cut(text, "&")
	return text
}

// A link is good for the same question, however the client spells it and whichever process answers,
// and for no other.
func TestTokenScope(t *testing.T) {
	store := filled(t, 20)
	const options = "?$top=4&$filter=duration%20lt%209&$select=id,duration"
	token := tokenOf(t, page(t, get(t, New(testConfig(store)), reference+options)).Next)
	again := New(testConfig(store)) // a restart
	spoiled := testConfig(store)
	spoiled.Key = bytes.Repeat([]byte{8}, keySize)
	for _, c := range []struct {
		name   string
		h      *Handler
		path   string
		header []string
		good   bool
	}{
		{"as it is", again, reference + options, nil, true},
		{"other spelling of the filter", again, reference + "?$filter=duration+lt+9&$select=duration,id", nil, true},
		{"other spelling of the range", again, function + "(toDateTime=2019-12-01T01:00:00+01:00,fromDateTime='2019-11-01')" + options, nil, true},
		{"qualified", again, strings.Replace(reference, "getDirect", "microsoft.graph.callRecords.getDirect", 1) + options, nil, true},
		{"smaller pages", again, reference + strings.Replace(options, "top=4", "top=2", 1), nil, true},
		{"other tenant", again, reference + options, []string{"Authorization", "Bearer other"}, false},
		{"other filter", again, reference + strings.Replace(options, "lt%209", "lt%208", 1), nil, false},
		{"no filter", again, reference + "?$select=id,duration", nil, false},
		{"other order", again, reference + options + "&$orderby=startDateTime%20desc", nil, false},
		{"other properties", again, reference + options + ",callType", nil, false},
		{"other from", again, function + "(fromDateTime=2019-11-02,toDateTime=2019-12-01)" + options, nil, false},
		{"other to", again, function + "(fromDateTime=2019-11-01,toDateTime=2019-12-02)" + options, nil, false},
		{"other key", New(spoiled), reference + options, nil, false},
	} {
		w := get(t, c.h, c.path+"&$skiptoken="+token, c.header...)
		if !c.good {
			if _, message := failed(t, w); w.Code != 400 || !strings.Contains(message, "$skiptoken") {
				t.Errorf("%s: status %d, %s", c.name, w.Code, w.Body)
			}
			continue
		}
		if a := page(t, w); a.Value[0]["id"] != numbered(t, 3).ID.String() {
			t.Errorf("%s: rows %v", c.name, ids(a))
		}
	}
}

// A token that a client has changed in any place, cut or made longer is no token.
func TestTokenIsWhole(t *testing.T) {
	h := New(testConfig(filled(t, 3)))
	token := tokenOf(t, page(t, get(t, h, reference+"?$top=1")).Next)
	if strings.ContainsAny(token, "+/=%&{}") {
		t.Errorf("token %q", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{token + "A", token + "=", token + token, strings.Repeat("A", 8000), strings.ToUpper(token), "%00", "%FF", "null", base64.StdEncoding.EncodeToString(raw)}
	for i := range raw {
		for bit := range 8 {
			b := bytes.Clone(raw)
			b[i] ^= 1 << bit
			bad = append(bad, base64.RawURLEncoding.EncodeToString(b))
		}
		bad = append(bad, base64.RawURLEncoding.EncodeToString(raw[:i]))
	}
	for i := range token {
		bad = append(bad, token[:i]+token[i+1:])
	}
	// The last character has bits that mean nothing and must be zero.
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if other := token[:len(token)-1] + string(c); other != token {
			bad = append(bad, other)
		}
	}
	for _, text := range bad {
		if text == "" {
			continue
		}
		w := get(t, h, reference+"?$skiptoken="+text)
		if failed(t, w); w.Code != 400 {
			t.Errorf("token %q: status %d", text, w.Code)
		}
	}
}

// A token can hold the last place of the log and the greatest page size.
func TestTokenRoundTrip(t *testing.T) {
	key := make([]byte, keySize)
	for _, want := range []token{
		{size: 1, after: call.Cursor{ID: call.GUID{15: 1}}, walk: call.Version{Epoch: 1<<64 - 1, Number: 1<<64 - 2}},
		{size: 1000, after: call.Cursor{Start: instant(t, "2019-11-01T00:00:25.1050001Z"), ID: call.NameGUID("x")}},
		{size: 1000, after: call.Cursor{Start: instant(t, "9999-12-31T23:59:59.9999999Z"), ID: call.GUID(bytes.Repeat([]byte{255}, 16))}},
	} {
		s := &scope{tenant: testTenant, filter: "x"}
		got, err := parseToken(string(appendToken(nil, key, want, s)), key, s)
		if err != nil || got.size != want.size || got.after.ID != want.after.ID || !got.after.Start.Equal(want.after.Start) || got.walk != want.walk {
			t.Errorf("%+v, error %v, want %+v", got, err, want)
		}
	}
}

// The server refuses a token of another version, even if it bears our authentication code.
func TestTokenVersion(t *testing.T) {
	key, s := make([]byte, keySize), &scope{tenant: testTenant}
	p, err := base64.RawURLEncoding.DecodeString(string(appendToken(nil, key, token{size: 1}, s)))
	if err != nil {
		t.Fatal(err)
	}
	p[0]++
	p = append(p[:tokenPayload], s.mac(key, p[:tokenPayload])[:tokenMAC]...)
	if _, err := parseToken(base64.RawURLEncoding.EncodeToString(p), key, s); err == nil {
		t.Error("it is taken")
	}
}

func TestAppendLink(t *testing.T) {
	for _, c := range []struct{ path, query, token, want string }{
		{"/v1.0/f(a=1)", "", "", "R/v1.0/f(a=1)?$skip=7"},
		{"/v1.0/f(a=1)", "", "T", "R/v1.0/f(a=1)?$skip=7&$skiptoken=T"},
		{"/f", "$skip=3&$skiptoken=x&$top=5", "T", "R/f?$skip=7&$skiptoken=T&$top=5"},
		{"/f", "%24SKIP=3&$top=5&%24skiptoken=x&&=", "T", "R/f?$skip=7&$skiptoken=T&$top=5&="},
		{"/f", `$filter=contains(callerNumber,'{"<>|\^` + "`" + `#[]ä')`, "T", "R/f?$skip=7&$skiptoken=T&$filter=contains(callerNumber,'%7B%22%3C%3E%7C%5C%5E%60%23%5B%5D%C3%A4')"},
		{"/f", "a=%zz&skip=3", "T", "R/f?$skip=7&$skiptoken=T&a=%zz&skip=3"},
		{"/f%7B'", "@a='x'", "", "R/f%7B'?$skip=7&@a='x'"},
	} {
		if got := string(appendLink(nil, "R", c.path, c.query, 7, []byte(c.token))); got != c.want {
			t.Errorf("%s?%s: %s, want %s", c.path, c.query, got, c.want)
		}
	}
}
