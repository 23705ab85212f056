package cli

import (
	"strings"
	"testing"
	"time"
)

func TestKeepSIP(t *testing.T) {
	for value, want := range map[string]struct {
		keeps  bool
		period string
		says   string
	}{
		"":        {false, "forever", ""},
		"off":     {false, "forever", ""},
		"0":       {false, "forever", ""},
		"forever": {true, "forever", ""},
		"30d":     {true, "30d", ""},
		"30":      {true, "forever", "--keep-sip: "},
		"-1d":     {true, "forever", "or 'off'"},
	} {
		p, err := sipPeriod(value)
		if keepsSIP(value) != want.keeps || p.String() != want.period || (err == nil) != (want.says == "") || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("--keep-sip %q: %v, %v, %v", value, keepsSIP(value), p, err)
		}
	}
	var errs strings.Builder
	p := &program{stderr: &errs, now: time.Now}
	if code := p.run(t.Context(), []string{"serve", "--keep-sip", "30", "--data", t.TempDir()}); code != exitUsage || !strings.Contains(errs.String(), "--keep-sip") {
		t.Errorf("exit code %d, %q", code, &errs)
	}
}
