package oracle

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/sip"
)

var update = flag.Bool("update", false, "write what comes out to the golden file")

var (
	section    = regexp.MustCompile(`(?m)^-- (.+) --\n`)
	hexMark    = regexp.MustCompile(`<hex>([0-9A-F]*)</hex>`)
	repeatMark = regexp.MustCompile(`<repeat count=(\d+)>(.*?)</repeat>`)
)

// messages reads the messages of the tests of package sip, which are written in the
// notation of RFC 4475.
func messages(t testing.TB) (names []string, msgs map[string][]byte) {
	t.Helper()
	msgs = map[string][]byte{}
	for _, file := range []string{"torture", "teams", "odd", "wild"} {
		b, err := os.ReadFile(filepath.Join("..", "siptest", file+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		at := section.FindAllSubmatchIndex(b, -1)
		for i, m := range at {
			end := len(b)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			if name := file + "/" + string(b[m[2]:m[3]]); !strings.HasSuffix(name, ".want") {
				names = append(names, name)
				msgs[name] = wire(t, string(b[m[1]:end]))
			}
		}
	}
	return names, msgs
}

func wire(t testing.TB, s string) []byte {
	t.Helper()
	s = repeatMark.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeatMark.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Repeat(parts[2], n)
	})
	s, _, _ = strings.Cut(strings.ReplaceAll(s, "\n", "\r\n"), "<cut>")
	return []byte(hexMark.ReplaceAllStringFunc(s, func(m string) string {
		b, err := hex.DecodeString(hexMark.FindStringSubmatch(m)[1])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}))
}

// verdict says how the two readers see a message.
func verdict(msg []byte) string {
	a, _, errA := ours(msg)
	b, errB := theirs(msg)
	var fault sip.Fault
	switch {
	case errors.As(errA, &fault) && errB != nil:
		return "both refuse it"
	case errA != nil:
		return "refused (" + fault.String() + "), but not by sipgo"
	case errB != nil:
		return "read, but refused by sipgo"
	}
	if d := differences(a, b); len(d) > 0 {
		return "read differently: " + strings.Join(d, "; ")
	}
	return "both read the same"
}

// TestAgreement compares what both readers make of each message with
// testdata/agreement.txt, which says where they differ and why.
func TestAgreement(t *testing.T) {
	path := filepath.Join("testdata", "agreement.txt")
	b, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	reasons := map[string]string{} // name and verdict to the remark behind it
	for line := range strings.Lines(string(b)) {
		if said, why, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  # "); ok {
			reasons[said] = why
		}
	}
	var out strings.Builder
	names, msgs := messages(t)
	for _, name := range names {
		said := name + ": " + verdict(msgs[name])
		out.WriteString(said)
		if why := reasons[said]; why != "" {
			out.WriteString("  # " + why)
		} else if !strings.Contains(said, ": both ") {
			t.Errorf("%s: no reason is given for it", said)
		}
		out.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if out.String() != string(b) {
		t.Errorf("%s\nwant:\n%s", out.String(), b)
	}
}
