package tenant

import (
	"errors"
	"testing"

	"github.com/trunklog/trunklog/call"
)

func TestE164(t *testing.T) {
	for _, c := range []struct{ plan, number, want string }{
		{"+49/0/00", "+4930123456", "+4930123456"},
		{"+49/0/00", "030123456", "+4930123456"},
		{"+49/0/00", "(030) 123-456", "+4930123456"},
		{"+49/0/00", "0033123062762", "+33123062762"},
		{"+49/0/00", "123456", "123456"},
		{"+49/0/00", "4711", "4711"},
		{"+49/0/00", "0110", "0110"},
		{"+49/0/00", "anonymous", "anonymous"},
		{"+49/0/00", "", ""},
		{"+49/0/00", "0030123456789012345678", "0030123456789012345678"},
		{"+1/1/011", "14255550100", "+14255550100"},
		{"+1/1/011", "01149301234567", "+49301234567"},
		{"+1/1/011", "911", "911"},
		{"+34//00", "912345678", "+34912345678"},
		{"+34//00", "0049301234567", "+49301234567"},
		{"+34//00", "112", "112"},
		{"", "030123456", "030123456"},
	} {
		var p Plan
		if c.plan != "" {
			var err error
			if p, err = ParsePlan(c.plan); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.E164(c.number); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.plan, c.number, got, c.want)
		}
		if p.String() != c.plan {
			t.Errorf("%s is written as %s", c.plan, p)
		}
	}
	for _, s := range []string{"", "49/0/00", "+49", "+49/0", "+49/0/", "+0/0/00", "+49/a/00", "+49123/0/00"} {
		if _, err := ParsePlan(s); !errors.Is(err, call.ErrInvalid) {
			t.Errorf("ParsePlan(%q): %v", s, err)
		}
	}
}
