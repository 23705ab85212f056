package call

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestCheck(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for _, c := range []struct {
		name   string
		change func(r *Row)
		want   string // a part of the error; empty if there is none
	}{
		{"a good row", func(*Row) {}, ""},
		{"a row with little", func(r *Row) { *r = Row{ID: r.ID, Start: r.Start} }, ""},
		{"no id", func(r *Row) { r.ID = GUID{} }, "the row has no id"},
		{"no start", func(r *Row) { r.Start = time.Time{} }, "the row has no startDateTime, inviteDateTime, failureDateTime or endDateTime"},
		{"no tenant", func(r *Row) { r.Tenant = Unassigned }, ""},
		{"a start too late", func(r *Row) { r.Start = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "startDateTime is in the year 10000"},
		{"an end too early", func(r *Row) { r.End = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC) }, "endDateTime is in the year 0"},
		{"an invite in the last second", func(r *Row) { r.Invite = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, ""},
		{"a zone that leads out of the years", func(r *Row) { r.Failure = time.Date(10000, 1, 1, 0, 30, 0, 0, zone) }, "failureDateTime is in the year 10000"},
		{"a long text", func(r *Row) { r.Trunk = strings.Repeat("x", MaxText) }, ""},
		{"too long a text", func(r *Row) { r.Trunk = strings.Repeat("x", MaxText+1) }, "trunkFullyQualifiedDomainName has 1025 bytes, more than 1024"},
		{"not UTF-8", func(r *Row) { r.UserDisplayName = "Zo\xeb" }, "userDisplayName is not UTF-8"},
		{"many units", func(r *Row) { r.AdministrativeUnits = make([]GUID, maxUnits) }, ""},
		{"too many units", func(r *Row) { r.AdministrativeUnits = make([]GUID, maxUnits+1) }, "administrativeUnitInfos has 257 entries, more than 256"},
	} {
		r := fullRow()
		c.change(&r)
		err := r.Check()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
	// No error shows the value of a text.
	r := fullRow()
	r.Caller = "+4930SECRET" + strings.Repeat("x", MaxText)
	if err := r.Check(); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got %v", err)
	}
}

// TestClone reads a row from a buffer that is used again, as engines do.
func TestClone(t *testing.T) {
	want := fullRow()
	buf := want.AppendBody(nil)
	var r Row
	if err := r.ParseBody(want.Tenant, want.Start, want.ID, unsafe.String(&buf[0], len(buf))); err != nil {
		t.Fatal(err)
	}
	c := r.Clone()
	clear(buf)
	clear(r.AdministrativeUnits)
	if r.Equal(&want) || r.Caller == want.Caller {
		t.Fatal("the row does not stand in the buffer, so that this test shows nothing")
	}
	if !c.Equal(&want) {
		t.Errorf("the clone has changed with the buffer:\n%+v", c)
	}
	for f := range NumFields {
		if f.Type() == Text && unsafe.StringData(c.Text(f)) == unsafe.StringData(r.Text(f)) {
			t.Errorf("the clone shares %s", f)
		}
	}
}

// TestEqual changes a row in every respect, one at a time.
func TestEqual(t *testing.T) {
	rnd := newRand(t)
	full := fullRow()
	differs := func(what string, change func(r *Row)) {
		r := full.Clone()
		if !r.Equal(&full) {
			t.Fatal("a clone is not equal")
		}
		change(&r)
		if r.Equal(&full) || full.Equal(&r) {
			t.Errorf("rows that differ in %s are equal", what)
		}
	}
	for f := range NumFields {
		differs(f.String(), func(r *Row) { setOther(rnd, r, f) })
		differs("the witness of "+f.String(), func(r *Row) { r.By[f] ^= 1 })
	}
	differs("the tenant", func(r *Row) { r.Tenant[0]++ })
	differs("the claimed start", func(r *Row) { r.ClaimedStart = r.ClaimedStart.Add(100) })
	differs("the source", func(r *Row) { r.Source += "x" })
	differs("whether it faces Microsoft", func(r *Row) { r.Faces = !r.Faces })
	differs("what was said", func(r *Row) { r.Said += "x" })
	differs("what is not known here", func(r *Row) { r.Rest += "x" })
	differs("who has seen them", func(r *Row) { r.Seen ^= 2 })
	differs("the order of units", func(r *Row) {
		u := r.AdministrativeUnits
		u[0], u[1] = u[1], u[0]
	})

	// Neither zones nor empty lists make a difference.
	r := full.Clone()
	r.End = r.End.In(time.FixedZone("", 3600))
	if !r.Equal(&full) {
		t.Error("rows whose times are in different zones are not equal")
	}
	if a, b := (Row{AdministrativeUnits: []GUID{}}), (Row{}); !a.Equal(&b) {
		t.Error("an empty list is not equal to none")
	}
}

func TestCursor(t *testing.T) {
	r := fullRow()
	if c := r.Cursor(); c.ID != r.ID || !c.Start.Equal(r.Start) || c.IsZero() {
		t.Errorf("got %+v", c)
	}
	if !(Cursor{}).IsZero() || (Cursor{ID: r.ID}).IsZero() || (Cursor{Start: r.Start}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

// TestFields goes through the fields of Row by reflection, so that a new one needs a place in the
// table.
func TestFields(t *testing.T) {
	kinds := map[Type]reflect.Type{
		ID: reflect.TypeFor[GUID](), Text: reflect.TypeFor[string](), Time: reflect.TypeFor[time.Time](),
		Number: reflect.TypeFor[int32](), Bool: reflect.TypeFor[bool](), List: reflect.TypeFor[[]GUID](),
	}
	rnd := newRand(t)
	full := fullRow()
	n := Field(0)
	for i := range reflect.TypeFor[Row]().NumField() {
		field := reflect.TypeFor[Row]().Field(i)
		switch field.Name {
		case "Tenant", "ClaimedStart", "By", "Seen", "Met", "Source", "Faces", "Said", "Rest":
			continue // no fields of the call
		}
		n++
		var r Row
		reflect.ValueOf(&r).Elem().Field(i).Set(reflect.ValueOf(full).Field(i))
		var known []Field
		for f := range NumFields {
			if r.Known(f) {
				known = append(known, f)
			}
		}
		if len(known) != 1 {
			t.Errorf("%s is known as %v", field.Name, known)
			continue
		}
		f := known[0]
		if kinds[f.Type()] != field.Type {
			t.Errorf("%s is a %v, but of type %d", field.Name, field.Type, f.Type())
		}
		if !r.same(&full, f) {
			t.Errorf("%s is not what %s gives", field.Name, f)
		}
		var w Row
		if w.take(&r, f); !w.Equal(&r) {
			t.Errorf("take does not take %s", f)
		}
		if setOther(rnd, &w, f); w.Equal(&r) {
			t.Errorf("setting %s changes nothing", f)
		}
	}
	if n != NumFields {
		t.Errorf("the row has %d fields, the table %d", n, NumFields)
	}
}

// TestFieldNumbers pins numbers that are on disks already, and the names of the wire, in Graph's
// order.
func TestFieldNumbers(t *testing.T) {
	names := []string{
		"id", "correlationId", "userId", "userPrincipalName", "userDisplayName", "startDateTime", "inviteDateTime", "failureDateTime", "endDateTime",
		"duration", "callType", "successfulCall", "callerNumber", "calleeNumber", "mediaPathLocation", "signalingLocation", "finalSipCode",
		"callEndSubReason", "finalSipCodePhrase", "trunkFullyQualifiedDomainName", "mediaBypassEnabled",
		"userCountryCode", "otherPartyCountryCode", "transferorCorrelationId", "administrativeUnitInfos", "sharedCorrelationId",
		"callerNumberRaw", "calleeNumberRaw",
	}
	if len(names) != int(NumFields) {
		t.Fatalf("there are %d fields, this test knows %d", NumFields, len(names))
	}
	for i, name := range names {
		if got := Field(i).String(); got != name {
			t.Errorf("field %d is %s, want %s", i, got, name)
		}
		for _, name := range []string{name, strings.ToUpper(name), strings.ToLower(name)} {
			if f, ok := FieldNamed(name); !ok || f != Field(i) {
				t.Errorf("FieldNamed(%q) = %v, %t", name, f, ok)
			}
		}
	}
	for _, name := range []string{"", "i", "idd", " id", "start", "tenant", "ClaimedStart", "İd", "ıd", "startdatetime\x00"} {
		if f, ok := FieldNamed(name); ok {
			t.Errorf("FieldNamed(%q) = %v", name, f)
		}
	}
}

// TestFieldOfAnotherType: an accessor of the wrong type is a bug of the caller, and panics.
func TestFieldOfAnotherType(t *testing.T) {
	var r Row
	accessors := map[Type]func(f Field){
		ID:     func(f Field) { r.SetGUID(f, r.GUID(f)) },
		Text:   func(f Field) { r.SetText(f, r.Text(f)) },
		Time:   func(f Field) { r.SetTime(f, r.Time(f)) },
		Number: func(f Field) { r.SetNumber(f, r.Number(f)) },
		Bool:   func(f Field) { r.SetBool(f, r.Bool(f)) },
	}
	panics := func(access func(Field), f Field) (yes bool) {
		defer func() { yes = recover() != nil }()
		access(f)
		return false
	}
	for typ, access := range accessors {
		for f := range NumFields {
			if got, want := panics(access, f), f.Type() != typ; got != want {
				t.Errorf("%s by the accessor of type %d: panic is %t", f, typ, got)
			}
		}
	}
}
