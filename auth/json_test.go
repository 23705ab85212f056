package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseObject(t *testing.T) {
	o, err := parseObject([]byte(" {\"a\" : \"x\\\"}\" ,\n\"b\":[1,{\"c\":\"]\"}],\"c\":{},\t\"d\":-1.5e3,\"e\":null,\"f\":\"\" ,\"\":true } "))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": `"x\"}"`, "b": `[1,{"c":"]"}]`, "c": "{}", "d": "-1.5e3", "e": "null", "f": `""`, "": "true"}
	if len(o) != len(want) {
		t.Errorf("%d members", len(o))
	}
	for name, v := range want {
		if string(o[name]) != v {
			t.Errorf("%s is %s instead of %s", name, o[name], v)
		}
	}
	if s, ok := o.text("a"); !ok || s != `x"}` {
		t.Errorf("a reads %q", s)
	}
	if o, err := parseObject([]byte("{ }")); err != nil || len(o) != 0 {
		t.Errorf("{ }: %v, %v", o, err)
	}
	for depth := range 12 {
		s := `{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + "}"
		if depth == 0 {
			s = `{"a":0}`
		}
		if _, err := parseObject([]byte(s)); (err == nil) != (depth <= maxDepth) {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}

// TestParseObjectModel shows that parseObject reads plain objects as encoding/json does. FuzzObject
// tests that it accepts none that encoding/json refuses.
func TestParseObjectModel(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
		rapid.Map(rapid.SliceOf(rapid.String()), func(s []string) any { return s }),
		rapid.Map(rapid.MapOf(rapid.String(), rapid.String()), func(m map[string]string) any { return m }),
	)
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.StringMatching(`[a-z0-9_#]{0,6}`), value).Draw(t, "object")
		indent := rapid.SampledFrom([]string{"", " ", "\t\r\n"}).Draw(t, "indent")
		b := must(json.MarshalIndent(m, "", indent))
		o, err := parseObject(b)
		if err != nil || len(o) != len(m) {
			t.Fatalf("%s: %v, %v", b, o, err)
		}
		for name, v := range m {
			var got, want any
			if err := json.Unmarshal(o[name], &got); err != nil {
				t.Fatalf("%s of %s: %v", name, b, err)
			}
			_ = json.Unmarshal(must(json.Marshal(v)), &want)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s of %s is %v instead of %v", name, b, got, want)
			}
		}
	})
}

func TestSeconds(t *testing.T) {
	o := func(v string) object { return object{"t": []byte(v)} }
	for v, want := range map[string]int64{"0": 0, "1": 1, "1764000000": 1764000000, "253402300799": 253402300799} {
		if got, ok := o(v).seconds("t"); !ok || got != want {
			t.Errorf("%s: %d, %v", v, got, ok)
		}
		for _, loose := range []string{v, `"` + v + `"`, v + ".0", v + ".75", `"` + v + `.5"`} {
			if got, ok := o(loose).looseSeconds("t"); !ok || got != want {
				t.Errorf("loosely %s: %d, %v", loose, got, ok)
			}
		}
	}
	for _, v := range badTimes {
		if n, ok := o(v).seconds("t"); ok {
			t.Errorf("%s is the time %d", v, n)
		}
	}
	for _, v := range []string{`""`, `" 1"`, `"1 "`, `"+1"`, `"-1"`, "-1", "-0.5", "1e400", `"1e400"`, `"0x10"`, `"1_000"`, `"Inf"`, `"NaN"`, `"infinity"`, "null", "true", "[1]", "{}", "253402300800", "1e12", `"253402300800.5"`, `"` + strings.Repeat("0", 40) + `"`} {
		if n, ok := o(v).looseSeconds("t"); ok {
			t.Errorf("loosely %s is the time %d", v, n)
		}
	}
	if _, ok := (object{}).looseSeconds("t"); ok {
		t.Error("nothing is a time")
	}
}
