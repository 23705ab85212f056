package call

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestExtensionsGolden pins the bytes behind the fields of a row.
func TestExtensionsGolden(t *testing.T) {
	first, second := benchReports()
	first.Fold(&second)
	first.Rest = "\x04\x01x"
	const want = "0150ffff7c0086868686868686868686868684868686868686" + // version, seen, settled and their witnesses
		"defeb88002020000000000000000000000000000000300000000000000000000000000000010616e6e6140636f6e746f736f2e636f6d06416e6e61204dff7c80d30e780642796f74496e0c2b3433313233343536373839082b34393330313030c0f5410342594510736263312e636f6e746f736f2e636f6d" + // known, and the values of the fields
		"01036865700328" + // source: hep; what was said: 40 bytes
		"8600ffff7c8020000c2b34333132333435362a2a2a" + // Graph: all as it is shown, but for a masked number
		"8406686570e3ff7ce0028080081b9b7de4d20e" + // SIP: another start, invite and end, and no subcode
		"040178" + // what is not known here
		"00"
	if got := hex.EncodeToString(first.AppendBody(nil)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	onDisk(t, &first)
}

// TestExtensionsSurvive: a newer binary's additions to a row survive bodies, and folds in any
// order.
func TestExtensionsSurvive(t *testing.T) {
	rnd := newRand(t)
	for range scale(t, 3000) {
		words := interleave(rnd, voices(rnd, randomReport))
		for i := range words {
			words[i].Rest = randomRest(rnd)
		}
		want := fold(words)
		if want.Rest == "" && words[0].Rest != "" {
			t.Fatal("extensions are lost")
		}
		for i := range words {
			for at, last := 0, uint64(0); at < len(words[i].Rest); {
				tag, value, end := extensionAt(words[i].Rest, at, last)
				if kept, ok := extensionOf(want.Rest, tag); !ok || kept < value {
					t.Fatalf("extension %d is %q, was %q", tag, kept, value)
				}
				last, at = tag, end
			}
		}
		for i, j := 0, len(words)-1; i < j; i, j = i+1, j-1 {
			words[i].Rest, words[j].Rest = words[j].Rest, words[i].Rest
		}
		if again := fold(words); !again.Equal(&want) {
			t.Fatalf("extensions %q, in another order %q", want.Rest, again.Rest)
		}
		onDisk(t, &want)
	}
}

func extensionOf(rest string, want uint64) (value string, ok bool) {
	for at, last := 0, uint64(0); at < len(rest); {
		tag, v, end := extensionAt(rest, at, last)
		if tag == want {
			return v, true
		}
		last, at = tag, end
	}
	return "", false
}

func TestExtensionsRefuse(t *testing.T) {
	base := Row{ID: GUID{1}, Start: sec(1)}
	for _, c := range []struct{ name, extensions string }{
		{"none", "\x00"},
		{"a source without a name", "\x01\x00\x00"},
		{"a fact with bytes", "\x02\x01x\x00"},
		{"an empty list of testimonies", "\x03\x00\x00"},
		{"one twice", "\x04\x01x\x04\x01x\x00"},
		{"not in their order", "\x05\x01x\x04\x01x\x00"},
		{"longer than the body", "\x04\x05x\x00"},
		{"no end", "\x04\x01x"},
		{"something behind the end", "\x04\x01x\x00\x00"},
	} {
		r := base
		r.Rest = "\x04\x01x"
		body := strings.TrimSuffix(string(r.AppendBody(nil)), r.Rest+"\x00")
		if err := r.ParseBody(GUID{}, base.Start, base.ID, body+"\x04\x01x\x00"); err != nil || r.Rest != "\x04\x01x" {
			t.Fatalf("the test makes no bodies: %v", err)
		}
		if err := r.ParseBody(GUID{}, base.Start, base.ID, body+c.extensions); err == nil {
			t.Errorf("%s: read as %+v", c.name, r)
		}
	}
	for _, rest := range []string{"\x01\x01x", "\x04", "\x05\x01x\x04\x01x"} {
		r := base
		if r.Rest = rest; r.Check() == nil {
			t.Errorf("a row with %q beyond its fields can be kept", rest)
		}
	}
	r := base
	if r.Source = strings.Repeat("x", MaxText+1); r.Check() == nil {
		t.Error("a row with a source of too long a name can be kept")
	}
}

// TestExtensionsAllocations: reading a row of several sources does not allocate either.
func TestExtensionsAllocations(t *testing.T) {
	r, second := benchReports()
	r.Fold(&second)
	body := string(r.AppendBody(nil))
	if n := testing.AllocsPerRun(100, func() {
		if err := r.ParseBody(r.Tenant, r.Start, r.ID, body); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("ParseBody made %v allocations", n)
	}
	if r.Said == "" {
		t.Error("the row has no testimonies, so that this test shows nothing")
	}
}
