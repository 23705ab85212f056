package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// TestNotTaken: the error of a refused value is in words, for each type of flag that there is.
func TestNotTaken(t *testing.T) {
	p := &program{now: time.Now}
	root := p.root()
	n := 0
	for _, name := range knownSettings(root) {
		for _, cmd := range append(root.Commands(), root) {
			f := cmd.Flags().Lookup(name)
			if f == nil {
				continue
			}
			err := cmd.Flags().Set(name, "no such thing")
			var bad *pflag.InvalidValueError
			if !errors.As(err, &bad) {
				continue
			}
			n++
			got := notTaken(err, func(flag string) string { return "--" + flag }).Error()
			if !strings.HasPrefix(got, "--"+name+` "no such thing": `) || !strings.HasSuffix(got, " is needed") {
				t.Errorf("--%s of type %s: %s", name, f.Value.Type(), got)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d flags have refused anything", n)
	}
	var flags pflag.FlagSet
	flags.Int32("n", 0, "")
	err := notTaken(flags.Set("n", "99999999999"), func(string) string { return "n" })
	if err == nil || err.Error() != `n "99999999999": the number is out of range` {
		t.Error(err)
	}
}
