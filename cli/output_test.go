package cli

import "testing"

// TestPrintable: names that callers send print as they are, and do not control the terminal.
func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"":                    "-",
		"Zoë \"Jack\" Müller": "Zoë \"Jack\" Müller",
		"a\x1b[2Jb":           "a�[2Jb",
		"a\u009b2Jb":          "a�2Jb",
		"a\rb\nc\td":          "a�b�c�d",
		"a\u202egnp.exe":      "a�gnp.exe",
		"a\u200bb":            "a�b",
		"a\u00a0b":            "a\u00a0b",
	} {
		if got := printable(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
