package leg

import "testing"

// TestSubscriber: subscriber returns the number of a URI's user without parameters and separators.
func TestSubscriber(t *testing.T) {
	for user, want := range map[string]string{
		"+15550100":                        "+15550100",
		"+15550100;npdi;rn=+15550001":      "+15550100",
		"7042;phone-context=+49":           "7042",
		"+49(0)30-1234":                    "+49301234",
		"+49-30-111.222":                   "+4930111222",
		"+1(555)0100;cpc=ordinary":         "+15550100",
		"*31#0301234":                      "*31#0301234",
		"first.last":                       "first.last",
		"first-last;x=1":                   "first-last;x=1",
		"anonymous":                        "anonymous",
		"-":                                "-",
		"":                                 "",
		"Internal Revenue Service (again)": "Internal Revenue Service (again)",
	} {
		if got := subscriber(user); got != want {
			t.Errorf("%q is %q, want %q", user, got, want)
		}
	}
}
