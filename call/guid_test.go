package call

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestParseGUID(t *testing.T) {
	want := GUID{0x9e, 0x8b, 0xba, 0x57, 0xdc, 0x14, 0x53, 0x3a, 0xa7, 0xdd, 0xf0, 0xda, 0x65, 0x75, 0xee, 0xd1}
	const plain = "9e8bba57-dc14-533a-a7dd-f0da6575eed1"
	for _, s := range []string{
		plain, strings.ToUpper(plain), "9E8bBA57-dc14-533A-a7dd-f0dA6575eEd1",
		"{" + plain + "}", "{9E8BBA57-DC14-533A-A7DD-F0DA6575EED1}",
		"9e8bba57dc14533aa7ddf0da6575eed1", "9E8BBA57DC14533AA7DDF0DA6575EED1", "{9e8bba57dc14533aa7ddf0da6575eed1}",
	} {
		if g, err := ParseGUID(s); err != nil || g != want {
			t.Errorf("ParseGUID(%q) = %v, %v", s, g, err)
		}
	}
	if got := want.String(); got != plain {
		t.Errorf("String is %q", got)
	}
	if got := string(want.Append([]byte("id="))); got != "id="+plain {
		t.Errorf("Append gives %q", got)
	}
	for _, s := range []string{
		"", "x", "{}", "{", "}", plain[:35], plain + "0", "{" + plain, plain + "}", "{{" + plain + "}}", "(" + plain + ")", "(" + plain + "}", "{" + plain + ")", plain[:35] + "G", plain[:35] + "@", plain[:35] + "`", " " + plain, plain + " ", "urn:uuid:" + plain,
		strings.Replace(plain, "-", "", 1), strings.Replace(plain, "-", " ", 1), strings.ReplaceAll(plain, "-", "–"),
		"9e8bba5-7dc14-533a-a7dd-f0da6575eed1", "9e8bba57-dc14-533a-a7dd-f0da6575eedg", "g" + plain[1:], "9e8bba57-dc14-533a-a7dd-f0da6575ee-1",
		"-9e8bba57dc14533aa7ddf0da6575eed1---", "9e8bba57dc14533aa7ddf0da6575eed", "9e8bba57dc14533aa7ddf0da6575eed\x00", "9e8bba57dc14533aa7ddf0da6575eedé"[:32],
		strings.Repeat("0", 1<<16),
	} {
		g, err := ParseGUID(s)
		if !errors.Is(err, ErrInvalid) || !g.IsZero() {
			t.Errorf("ParseGUID(%.50q) = %v, %v", s, g, err)
		}
		if err != nil && len(err.Error()) > 350 {
			t.Errorf("ParseGUID(%.50q): the error has %d bytes", s, len(err.Error()))
		}
	}
}

// TestHexDigit: a byte is a digit if strconv says so.
func TestHexDigit(t *testing.T) {
	for c := range 256 {
		want := byte(255)
		if n, err := strconv.ParseUint(string([]byte{byte(c)}), 16, 8); err == nil {
			want = byte(n)
		}
		if got := HexDigit(byte(c)); got != want {
			t.Errorf("%q is %d, want %d", byte(c), got, want)
		}
	}
}

func TestGUIDZero(t *testing.T) {
	if !(GUID{}).IsZero() || !Unassigned.IsZero() || (GUID{15: 1}).IsZero() || (GUID{0: 1}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if got := (GUID{}).String(); got != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("the zero GUID is written %q", got)
	}
}

func TestGUIDText(t *testing.T) {
	type holder struct{ ID GUID }
	for _, g := range []GUID{{}, {1}, NameGUID("x")} {
		b, err := json.Marshal(holder{g})
		if err != nil {
			t.Fatal(err)
		}
		var h holder
		h.ID = GUID{9}
		if err := json.Unmarshal(b, &h); err != nil || h.ID != g {
			t.Errorf("%s: got %v, %v", b, h.ID, err)
		}
	}
	if b, _ := json.Marshal(holder{}); string(b) != `{"ID":""}` {
		t.Errorf("the zero GUID is marshalled as %s", b)
	}
	g := GUID{1}
	if err := g.UnmarshalText([]byte("nonsense")); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestNameGUID pins values that must never change: they are the ids of stored rows.
func TestNameGUID(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, "e33d2652-6c7c-5267-8d2f-9f053847b7ac"},
		{[]string{""}, "e33d2652-6c7c-5267-8d2f-9f053847b7ac"},
		{[]string{"sbc1", "1001"}, "e3c82ca8-3324-534d-ae69-ee51edc3e807"},
		{[]string{"sbc1", "1002"}, "29b0be81-ceba-57ee-a3c7-ee135f8ba0b0"},
		{[]string{"sbc2", "1001"}, "97ada670-b522-5b72-a4de-28de82b4157d"},
		{[]string{"sbc11001"}, "2adfe90b-2c74-53b1-834a-b7e314178ae3"},
		{[]string{"sbc1", "", "1001"}, "b753e075-3cd3-5233-8a0f-95c1d7b009d1"},
		{[]string{"Zoë 東京"}, "58e0bc85-202b-59f3-9598-0682c4ed12bb"},
	} {
		if got := NameGUID(c.parts...).String(); got != c.want {
			t.Errorf("NameGUID(%q) = %s, want %s", c.parts, got, c.want)
		}
	}
}

func TestGUIDVersions(t *testing.T) {
	seen := make(map[GUID]bool)
	for range 1000 {
		g := NewGUID()
		if seen[g] || g[6]>>4 != 4 || g[8]>>6 != 2 {
			t.Fatalf("NewGUID gave %v", g)
		}
		seen[g] = true
		if g = NameGUID(g.String()); g[6]>>4 != 5 || g[8]>>6 != 2 {
			t.Fatalf("NameGUID gave %v", g)
		}
	}
}

func TestGUIDAllocations(t *testing.T) {
	g, b := NameGUID("x"), make([]byte, 0, 64)
	s := "{" + g.String() + "}"
	if n := testing.AllocsPerRun(100, func() {
		b = g.Append(b[:0])
		if _, err := ParseGUID(s); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("ParseGUID and Append made %v allocations", n)
	}
}

var guidForm = regexp.MustCompile(`^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$`)

// referenceGUID reads a GUID in the plainest way.
func referenceGUID(s string) (g GUID, ok bool) {
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	if !guidForm.MatchString(s) {
		return g, false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	copy(g[:], b)
	return g, err == nil
}

func FuzzParseGUID(f *testing.F) {
	for _, s := range []string{"", "9e8bba57-dc14-533a-a7dd-f0da6575eed1", "{9E8BBA57-DC14-533A-A7DD-F0DA6575EED1}", "9e8bba57dc14533aa7ddf0da6575eed1", "{}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGUID(s)
		want, ok := referenceGUID(s)
		if g != want || (err == nil) != ok {
			t.Fatalf("ParseGUID(%q) = %v, %v, want %v, %t", s, g, err, want, ok)
		}
		if err != nil {
			return
		}
		printed := g.String()
		if len(printed) != 36 || printed != strings.ToLower(printed) {
			t.Fatalf("%q is printed as %q", s, printed)
		}
		if again, err := ParseGUID(printed); err != nil || again != g {
			t.Fatalf("%q is printed as %q, which is read as %v, %v", s, printed, again, err)
		}
	})
}
