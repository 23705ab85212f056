package teams

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trunklog/trunklog/call"
)

// columns are the columns of the export, by the letters and digits of their
// names in lower case. Microsoft has renamed some over the years.
var columns = []struct {
	name  string
	field call.Field
}{
	{"correlationid", call.FieldCorrelationID},
	{"aadobjectid", call.FieldUserID},
	{"upn", call.FieldUserPrincipalName},
	{"sipaddress", call.FieldUserPrincipalName}, // before 2022
	{"displayname", call.FieldUserDisplayName},
	{"usercountry", call.FieldUserCountry},
	{"externalcountry", call.FieldOtherCountry},
	{"invitetime", call.FieldInvite},
	{"starttime", call.FieldStart},
	{"failuretime", call.FieldFailure},
	{"endtime", call.FieldEnd},
	{"durationseconds", call.FieldDuration},
	{"duration", call.FieldDuration},
	{"success", call.FieldSuccessful},
	{"callernumber", call.FieldCaller},
	{"calleenumber", call.FieldCallee},
	{"calltype", call.FieldCallType},
	{"azureregionformedia", call.FieldMediaLocation},
	{"azureregionforsignaling", call.FieldSignalLocation},
	{"azureregionforsignalling", call.FieldSignalLocation},
	{"finalsipcode", call.FieldFinalSIPCode},
	{"finalmicrosoftsubcode", call.FieldCallEndSubReason},
	{"finalsipphrase", call.FieldFinalSIPPhrase},
	{"sbcfqdn", call.FieldTrunk},
	{"mediabypass", call.FieldMediaBypass},
	{"sharedcorrelationid", call.FieldSharedID},
}

// Bind returns the function that makes an event of a record, given the names in the header. The
// error wraps [call.ErrInvalid] if they are not those of the export.
func Bind(header []string) (func([]string) (call.Event, error), error) {
	b := &binding{}
	for i, name := range header {
		name = letters(name)
		for _, c := range columns {
			switch {
			case c.name != name:
			case b.name[c.field] == "":
				b.bound = append(b.bound, boundColumn{field: c.field, at: i})
				b.name[c.field] = strings.TrimSpace(header[i])
			case letters(b.name[c.field]) == name:
				k := slices.IndexFunc(b.bound, func(k boundColumn) bool { return k.field == c.field })
				b.bound[k].twins = append(b.bound[k].twins, i)
			}
		}
	}
	if isPSTN(header) {
		return nil, fmt.Errorf("%w: this is the export of Calling Plan calls (PSTN.calls.*.csv), which Graph has in getPstnCalls; the calls on your own trunks are in DirectRouting.calls.*.csv", call.ErrInvalid)
	}
	if err := b.check(header); err != nil {
		return nil, err
	}
	return b.event, nil
}

// Looks reports whether a header is that of the export, or that of the export of Calling Plan
// calls, which [Bind] refuses by name.
func Looks(header []string) bool {
	_, err := Bind(header)
	return err == nil || isPSTN(header)
}

func isPSTN(header []string) bool {
	n := 0
	for _, name := range header {
		if slices.Contains(pstnColumns, letters(name)) {
			n++
		}
	}
	return n >= 3
}

// pstnColumns are columns that only the export of Calling Plan calls has.
var pstnColumns = []string{"usageid", "conferenceid", "userlocation", "numbertype", "domesticinternational", "destinationdialed", "destinationnumber", "connectionfee", "charge", "currency", "capability"}

// letters returns the letters and digits of s in lower case.
func letters(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			return c
		case 'A' <= c && c <= 'Z':
			return c - 'A' + 'a'
		}
		return -1
	}, s)
}

// A binding is the columns of one export.
type binding struct {
	bound []boundColumn
	name  [call.NumFields]string // of the column; empty if none
}

type boundColumn struct {
	field call.Field
	at    int
	twins []int // columns of the same name
}

func (b *binding) has(fields ...call.Field) bool {
	return slices.ContainsFunc(fields, func(f call.Field) bool { return b.name[f] != "" })
}

// check reports whether the columns are those of an export. It names the columns that it found only
// if they are, because otherwise the header may be a record, with a person's number in it.
func (b *binding) check(header []string) error {
	var missing string
	switch {
	case !b.has(call.FieldStart, call.FieldInvite, call.FieldFailure, call.FieldEnd):
		missing = "none of Invite time, Start time, Failure time and End time"
	case !b.has(call.FieldCallType, call.FieldTrunk):
		missing = "neither Call type nor SBC FQDN"
	default:
		return nil
	}
	const enough = 3
	found := fmt.Sprintf("of its %d columns %d are known", len(header), len(b.bound))
	if len(b.bound) >= enough {
		names := make([]string, len(header))
		for i, name := range header {
			names[i] = fmt.Sprintf("%.40q", strings.TrimSpace(name))
		}
		found = "it has " + strings.Join(names, ", ")
	} else {
		found += "; is its header missing, or are the names not in English?"
	}
	return fmt.Errorf("%w: this is not the Direct Routing export of the Teams admin centre: it has %s; %s", call.ErrInvalid, missing, found)
}
