package call

import (
	"errors"
	"strings"
	"testing"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"+4930123":                    "+4930123",
		"\u202a+4930123\u202c":        "+4930123",
		"\u2066+49\u200e30\u2069":     "+4930",
		"\ufeff+4930\u200b":           "+4930",
		"+49\u00a030\u202f12":         "+49 30 12",
		"＋４９３０":                       "+4930",
		"Müller\u00ad, Anna":          "Müller, Anna",
		"a\x00b":                      "ab",
		"10:00:00\u202fAM":            "10:00:00 AM",
		"\u200e7\u200e/\u200e1/2026 ": "7/1/2026",
	} {
		if got := Visible(in); got != want {
			t.Errorf("Visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTidyNumber(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"+4930123", "+4930123"},
		{"anonymous", "anonymous"},
		{"Internal Revenue Service", "Internal Revenue Service"},
		{`="+4930123"`, "+4930123"},
		{"'+4930123", "+4930123"},
		{`\+4930123`, "+4930123"},
		{"'t Hooft", "'t Hooft"},
		{"4930123456.0", "4930123456"},
		{"+4930123456.00", "+4930123456"},
		{"030.1234.0", "030.1234.0"},
		{"4E5", "4E5"},
		{"E+11", "E+11"},
		{"12E+11", "12E+11"},
		{"4.91231E+11", ""},
		{"4,91E+11", ""},
		{"4.91231e+11", ""},
		{"5E+12", ""},
		{"\u202a4.91231E+11\u202c", ""},
		{"４.９１Ｅ+１１", ""},
		{`="4.91E+11"`, ""},
	} {
		got, err := TidyNumber(c.in)
		if lost := c.want == "" && c.in != ""; lost {
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "spreadsheet") {
				t.Errorf("TidyNumber(%q) = %q, %v; want an error that tells who lost the digits", c.in, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("TidyNumber(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestPlainNumber(t *testing.T) {
	for in, want := range map[string]string{
		"+4930123": "+4930123",
		`"Anna B." <sip:+4930123@sbc;user=phone>`: "+4930123",
		"Anna <sip:+4930123@10.1.2.3:5060>;tag=7": "+4930123",
		"<sip:+4930;npdi@x:5061>":                 "+4930",
		`"Anna" <0301234>`:                        "0301234",
		`"Anna" <tel:+49-30-1234;ext=12>`:         "+49301234",
		"tel:+49(30)1234;ext=1":                   "+49301234",
		"SIPS:+4930123@x":                         "+4930123",
		"sip:%2B4930123@x":                        "+4930123",
		"%2B4930123":                              "+4930123",
		"+4930123;ext=4":                          "+4930123",
		"+4930123@10.1.2.3":                       "+4930123",
		"+49 (0)30 1234":                          "+49301234",
		"+49(0) 30/12-34":                         "+49301234",
		"+44 ( 0 )20 7946 0000":                   "+442079460000",
		"+39 (0)6 1234567":                        "+39061234567",
		"+49 – 30 – 1234":                         "+49301234",
		"(0)30 1234":                              "0301234",
		"+49301234***":                            "+49301234***",
		"*21#":                                    "*21#",
		"sip:10.1.2.3":                            "sip:10.1.2.3",
		"sip:alice@contoso.com":                   "sip:alice@contoso.com",
		"anna@contoso.com":                        "anna@contoso.com",
		"Internal Revenue Service":                "Internal Revenue Service",
		"Smith & Sons <London>":                   "Smith & Sons <London>",
		"mailto:a":                                "mailto:a",
		"\u202a+49 30\u202c":                      "+4930",
		"+":                                       "+",
		"%zz":                                     "%zz",
		"<":                                       "<",
		"":                                        "",
	} {
		if got := PlainNumber(in); got != want {
			t.Errorf("PlainNumber(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDialled(t *testing.T) {
	for _, c := range []struct {
		in, international, want string
		ok                      bool
	}{
		{"0049 (0) 30 1234", "00", "0049301234", true},
		{"0049 (0) 30 1234", "", "00490301234", true},
		{"011 49 (0)30 1234", "011", "01149301234", true},
		{"00 39 (0)6 12", "00", "00390612", true},
		{"(0)30 1234", "00", "0301234", true},
		{"00", "00", "00", true},
		{"(00) (0)", "00", "000", true},
		{"1-2", "", "12", true},
		{"-", "", "", false},
		{"a-b", "", "ab", false},
	} {
		if got, ok := Dialled(c.in, c.international); ok != c.ok || ok && got != c.want {
			t.Errorf("Dialled(%q, %q) = %q, %v; want %q, %v", c.in, c.international, got, ok, c.want, c.ok)
		}
	}
}

// A text without digits is no number, and a plain number stays unchanged.
func FuzzPlainNumber(f *testing.F) {
	f.Add(`"Anna" <sip:%2B49(0)30@x;user=phone>;tag=1`)
	f.Add("tel:+49;ext=1")
	f.Fuzz(func(t *testing.T, s string) {
		once := PlainNumber(s)
		if twice := PlainNumber(once); twice != once {
			t.Errorf("%q becomes %q, and that %q", s, once, twice)
		}
	})
}
