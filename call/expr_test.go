package call

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestCompare(t *testing.T) {
	type result [6]bool // in the order of the operators
	less, same, more := result{NE: true, LT: true, LE: true}, result{EQ: true, LE: true, GE: true}, result{NE: true, GT: true, GE: true}
	equal, other, never := result{EQ: true}, result{NE: true}, result{}
	full := fullRow()
	zone := time.FixedZone("", 3600)
	for _, c := range []struct {
		row   Row
		field Field
		value any
		want  result
	}{
		{full, FieldDuration, int32(6), less},
		{full, FieldDuration, int32(5), same},
		{full, FieldDuration, int32(4), more},
		{full, FieldFinalSIPCode, int32(0), less},
		{Row{}, FieldDuration, int32(0), same},
		{full, FieldStart, full.Start.Add(100), less},
		{full, FieldStart, full.Start.In(zone), same},
		{full, FieldStart, full.Start.Add(-100), more},
		{Row{}, FieldFailure, time.Time{}, same},
		{full, FieldFailure, time.Time{}, more},
		{full, FieldMediaLocation, "USWF", less},
		{full, FieldMediaLocation, "USWE", same},
		{full, FieldMediaLocation, "uswe", less},
		{full, FieldMediaLocation, "USW", more},
		{Row{}, FieldMediaLocation, "", same},
		{Row{Caller: "Zoë"}, FieldCaller, "Zoz", more},
		{full, FieldSuccessful, true, equal},
		{full, FieldSuccessful, false, other},
		{Row{}, FieldSuccessful, false, equal},
		{full, FieldUserID, full.UserID, equal},
		{full, FieldUserID, GUID{0xff}, other},
		{Row{}, FieldUserID, GUID{}, equal},
		// Values of another type.
		{full, FieldDuration, 5, never},
		{full, FieldDuration, int64(5), never},
		{full, FieldDuration, "5", never},
		{full, FieldCaller, int32(0), never},
		{full, FieldCaller, nil, never},
		{full, FieldUserID, full.UserID.String(), never},
		{full, FieldStart, full.Start.String(), never},
		{full, FieldSuccessful, int32(1), never},
		{full, FieldID, true, never},
		{full, FieldEnd, full.ID, never},
		{full, FieldCaller, time.Time{}, never},
		{full, FieldAdministrativeUnits, full.AdministrativeUnits[0], never},
		{full, FieldAdministrativeUnits, full.AdministrativeUnits, never},
	} {
		for op := range GE + 3 {
			want := int(op) < len(c.want) && c.want[op]
			if got := (Compare{c.field, op, c.value}).Match(&c.row); got != want {
				t.Errorf("%s in relation %d to %v: got %t", c.field, op, c.value, got)
			}
		}
	}
}

func TestLogic(t *testing.T) {
	yes, no := Compare{FieldDuration, EQ, int32(0)}, Compare{FieldDuration, NE, int32(0)}
	for _, c := range []struct {
		x    Expr
		want bool
	}{
		{yes, true},
		{no, false},
		{And{}, true},
		{And(nil), true},
		{And{yes}, true},
		{And{yes, yes, yes}, true},
		{And{yes, yes, no}, false},
		{And{no, yes}, false},
		{Or{}, false},
		{Or(nil), false},
		{Or{no}, false},
		{Or{no, no, yes}, true},
		{Or{yes, no}, true},
		{Or{no, no}, false},
		{Not{yes}, false},
		{Not{no}, true},
		{Not{Not{yes}}, true},
		{And{Or{no, yes}, Not{And{yes, no}}}, true},
	} {
		if got := c.x.Match(&Row{}); got != c.want {
			t.Errorf("%#v: got %t", c.x, got)
		}
	}
}

func TestTextMatch(t *testing.T) {
	row := Row{UserDisplayName: "Zoë O'Hara", Duration: 5}
	for _, c := range []struct {
		field Field
		op    TextOp
		part  string
		want  bool
	}{
		{FieldUserDisplayName, HasPrefix, "Zoë", true},
		{FieldUserDisplayName, HasPrefix, "zoë", false},
		{FieldUserDisplayName, HasPrefix, "", true},
		{FieldUserDisplayName, HasPrefix, "Zoë O'Hara", true},
		{FieldUserDisplayName, HasPrefix, "Zoë O'Hara ", false},
		{FieldUserDisplayName, HasPrefix, "O", false},
		{FieldUserDisplayName, HasSuffix, "Hara", true},
		{FieldUserDisplayName, HasSuffix, "hara", false},
		{FieldUserDisplayName, HasSuffix, "Zoë", false},
		{FieldUserDisplayName, Contains, "ë O", true},
		{FieldUserDisplayName, Contains, "ë o", false},
		{FieldUserDisplayName, Contains, "", true},
		{FieldUserDisplayName, EqualFold, "ZOË o'hara", true},
		{FieldUserDisplayName, EqualFold, "Zoe O'Hara", false},
		{FieldUserDisplayName, EqualFold, "Zoë", false},
		{FieldUserDisplayName, EqualFold + 1, "Zoë", false},
		{FieldCaller, HasPrefix, "", true},
		{FieldCaller, EqualFold, "", true},
		{FieldCaller, HasPrefix, "x", false},
		{FieldDuration, HasPrefix, "", false},
		{FieldID, Contains, "", false},
	} {
		if got := (TextMatch{c.field, c.op, c.part}).Match(&row); got != c.want {
			t.Errorf("%s in relation %d to %q: got %t", c.field, c.op, c.part, got)
		}
	}
}

func TestNumberLike(t *testing.T) {
	for _, c := range []struct {
		asked, stored string
		want          bool
	}{
		{"+4930*", "+49301234567", true},
		{"+49 30*", "tel:+49-30-1234567", true},
		{"+4930*", "+4930", true},
		{"+4930*", "+493", false},
		{"+4931*", "+49301234567", false},
		{"*4567", "+49301234567", true},
		{"*4567", "4567", true},
		{"*4567", "+49301234568", false},
		{"*4567", "+493045674567", true},
		{"*45674568", "+4930456745674568", true},
		{"+49*67", "+49301234567", true},
		{"+49*30*7", "+493012345678", false},
		{"*30*56*", "+49301234567", true},
		// Several stand for as many digits.
		{"+49301234***", "+49301234567", true},
		{"+49301234***", "+4930123456", false},
		{"*1234***", "+49301234567", true},
		{"*1234**", "+49301234567", false},
		{"+4930*56**", "+493012345678", true},
		// Masked by Microsoft: every number that it can stand for.
		{"+4930*", "+49301234***", true},
		{"+493012345*", "+49301234***", true},
		{"+4930123456789*", "+49301234***", false},
		{"*4567", "+49301234***", true},
		{"*1234", "+49301234***", false},
		{"*34999", "+49301234***", true},
		{"*", "anonymous", false},
		{"*", "", false},
		{"7*", "Agent 007", false},
		{"0*", "Agent 007", true},
	} {
		for _, r := range []Row{{Caller: c.stored}, {Callee: c.stored}} {
			if got := NumberLike(c.asked).Match(&r); got != c.want {
				t.Errorf("%q for %q: got %t", c.asked, c.stored, got)
			}
		}
	}
}

// Without a '*' by itself a form is a number.
func TestNumberLikeDigits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	number := func() string {
		b := []byte("+49")
		for range rnd.IntN(4) {
			b = append(b, "12**"[rnd.IntN(4)])
		}
		return string(b)
	}
	for range 20_000 {
		asked, r := number(), Row{Caller: number()}
		if like := NumberLike(asked); !like.HasAnyDigits() && like.Match(&r) != Digits(asked).Match(&r) {
			t.Fatalf("%q for %q: %t", asked, r.Caller, like.Match(&r))
		}
		// Of what a form with any digits finds, so many digits in its place find all.
		found := false
		for n := range 7 {
			found = found || Digits(asked+strings.Repeat("*", n)).Match(&r)
		}
		if !strings.Contains(asked, "*") && found != NumberLike(asked+"*").Match(&r) {
			t.Fatalf("%q for %q: %t", asked+"*", r.Caller, !found)
		}
	}
}

func TestDigits(t *testing.T) {
	for _, c := range []struct {
		asked, stored string
		want          bool
	}{
		{"+49301234567", "+49301234567", true},
		{"49301234567", "+49301234567", true},
		{"+49 30 1234-567", "+49301234567", true},
		{"+49 (30) 1234 / 567", "tel:+49-30-1234567", true},
		{"+49301234568", "+49301234567", false},
		{"+4930123456", "+49301234567", false},
		{"+493012345678", "+49301234567", false},
		{"301234567", "+49301234567", false},
		// Masked by Microsoft: every number that it can stand for.
		{"+49301234567", "+49301234***", true},
		{"+49301234999", "+49301234***", true},
		{"+49301235567", "+49301234***", false},
		{"+4930123456", "+49301234***", false},
		{"+493012345678", "+49301234***", false},
		{"+49301234***", "+49301234567", true},
		{"+49301234***", "+49301234***", true},
		{"+4930123****", "+49301234***", true},
		{"+49301235***", "+49301234***", false},
		{"123", "***", true},
		{"1234", "***", false},
		// A name where a number belongs.
		{"007", "Agent 007", true},
		{"7", "Agent 007", false},
		{"123", "Internal Revenue Service", false},
		{"", "Internal Revenue Service", false},
		{"Internal Revenue Service", "Internal Revenue Service", false},
		// Nothing is no number.
		{"", "", false},
		{"", "+49301234567", false},
		{"+", "+49301234567", false},
		{"abc", "", false},
		{"1", "", false},
		{"", "*", false},
		// Only ASCII digits are digits.
		{"12", "1２", false},
		{"1", "1２", true},
	} {
		if got := Digits(c.asked).Match(&Row{Caller: c.stored, Callee: "x"}); got != c.want {
			t.Errorf("Digits(%q) and caller %q: got %t", c.asked, c.stored, got)
		}
		if got := Digits(c.asked).Match(&Row{Callee: c.stored}); got != c.want {
			t.Errorf("Digits(%q) and callee %q: got %t", c.asked, c.stored, got)
		}
	}
	if Digits("1").Match(&Row{FinalSIPPhrase: "1", Duration: 1, UserPrincipalName: "1"}) {
		t.Error("Digits looks at other fields than the two numbers")
	}
	r := fullRow()
	if n := testing.AllocsPerRun(100, func() { Digits("+49 30 1234567").Match(&r) }); n != 0 {
		t.Errorf("Digits made %v allocations", n)
	}
}

// TestDigitsRandom compares Digits with the plainest way to do it.
func TestDigitsRandom(t *testing.T) {
	rnd := newRand(t)
	number := func() string {
		var b strings.Builder
		for range rnd.IntN(5) {
			b.WriteByte(pick(rnd, []byte("12+ -*x")...))
		}
		return b.String()
	}
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '*' || '0' <= r && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	matched := 0
	for range scale(t, 50_000) {
		asked, stored := number(), number()
		a, s := plain(asked), plain(stored)
		want := len(a) == len(s) && len(s) > 0
		for i := range min(len(a), len(s)) {
			want = want && (a[i] == s[i] || a[i] == '*' || s[i] == '*')
		}
		if got := Digits(asked).Match(&Row{Callee: stored}); got != want {
			t.Fatalf("Digits(%q) and %q: got %t", asked, stored, got)
		}
		if want {
			matched++
		}
	}
	if matched == 0 {
		t.Error("none was the same")
	}
}

func TestAppendDigits(t *testing.T) {
	for _, c := range []struct {
		number, digits string
		masked         int
	}{
		{"+49 (30) 1234-567", "49301234567", 0},
		{"+49301234***", "49301234", 3},
		{"+12***34", "12", 3},
		{"*", "", 1},
		{"Agent 007", "007", 0},
		{"Internal Revenue Service", "", 0},
		{"", "", 0},
		{"１２3", "3", 0},
	} {
		digits, masked := AppendDigits([]byte("n"), c.number)
		if string(digits) != "n"+c.digits || masked != c.masked {
			t.Errorf("AppendDigits(%q) = %q, %d", c.number, digits, masked)
		}
	}
}

func TestSeenBy(t *testing.T) {
	sip, graph := SIP.Set(), Graph.Set()
	for _, c := range []struct {
		x    SeenBy
		seen Kinds
		want bool
	}{
		{SeenBy{}, 0, true},
		{SeenBy{All: sip}, sip | graph, true},
		{SeenBy{All: sip | graph}, sip, false},
		{SeenBy{All: sip, None: graph}, sip, true},
		{SeenBy{All: sip, None: graph}, sip | graph, false},
		{SeenBy{None: graph | sip}, sip, false},
		{SeenBy{None: graph}, 0, true},
	} {
		if got := c.x.Match(&Row{Seen: c.seen}); got != c.want {
			t.Errorf("%+v and %s: got %t", c.x, c.seen, got)
		}
	}
}
