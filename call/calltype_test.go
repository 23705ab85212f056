package call

import (
	"slices"
	"strings"
	"testing"
)

func TestCallType(t *testing.T) {
	for _, c := range []struct {
		typ, graph, admin CallType
		inbound           bool
	}{
		{"ByotIn", "ByotIn", "dr_in", true},
		{"dr_in", "ByotIn", "dr_in", true},
		{"Dr_In", "ByotIn", "Dr_In", true},
		{"BYOTIN", "BYOTIN", "dr_in", true},
		{"ByotOut", "ByotOut", "dr_out", false},
		{"dr_out", "ByotOut", "dr_out", false},
		{"ByotInUcap", "ByotInUcap", "dr_in_bot", true},
		{"dr_in_bot", "ByotInUcap", "dr_in_bot", true},
		{"dr_in_ucap", "ByotInUcap", "dr_in_ucap", true},
		{"ByotOutUcap", "ByotOutUcap", "dr_out_bot", false},
		{"dr_out_bot", "ByotOutUcap", "dr_out_bot", false},
		{"dr_out_ucap", "ByotOutUcap", "dr_out_ucap", false},
		{"ByotOutUserForwarding", "ByotOutUserForwarding", "dr_out_user_forwarding", false},
		{"dr_out_user_forwarding", "ByotOutUserForwarding", "dr_out_user_forwarding", false},
		{"ByotOutUserTransfer", "ByotOutUserTransfer", "dr_out_user_transfer", false},
		{"Dr_Out_User_Transfer", "ByotOutUserTransfer", "Dr_Out_User_Transfer", false},
		{"user_out_transfer", "ByotOutUserTransfer", "user_out_transfer", false},
		{"ByotOutUserConf", "ByotOutUserConf", "dr_out_user_conf", false},
		{"dr_out_user_conf", "ByotOutUserConf", "dr_out_user_conf", false},
		// Names that stand alone.
		{"dr_emergency_out", "dr_emergency_out", "dr_emergency_out", false},
		{"dr_unassigned_in", "dr_unassigned_in", "dr_unassigned_in", true},
		{"DR_UNASSIGNED_IN", "DR_UNASSIGNED_IN", "DR_UNASSIGNED_IN", true},
		// The beginning of an unknown name tells its meaning.
		{"ByotInSomething", "ByotInSomething", "ByotInSomething", true},
		{"byotinsomething", "byotinsomething", "byotinsomething", true},
		{"ByotEmergencyOut", "ByotEmergencyOut", "ByotEmergencyOut", false},
		{"dr_in_something", "dr_in_something", "dr_in_something", true},
		{"user_in", "user_in", "user_in", false},
		{"ByotI", "ByotI", "ByotI", false},
		{"", "", "", false},
	} {
		if got := c.typ.Graph(); got != c.graph {
			t.Errorf("%q is %q to Graph, want %q", c.typ, got, c.graph)
		}
		if got := c.typ.Admin(); got != c.admin {
			t.Errorf("%q is %q to the admin centre, want %q", c.typ, got, c.admin)
		}
		if got := c.typ.Inbound(); got != c.inbound {
			t.Errorf("%q: inbound is %t", c.typ, got)
		}
		if got := (&Row{CallType: string(c.typ)}).Inbound(); got != c.inbound {
			t.Errorf("a row with %q: inbound is %t", c.typ, got)
		}
	}
}

func TestCallTypes(t *testing.T) {
	all := CallTypes()
	n := 0
	for _, names := range all {
		graph := names[0]
		if len(names) < 2 || graph.Admin() != names[1] {
			t.Errorf("%v: the first name of the admin centre is %q", names, graph.Admin())
		}
		for _, admin := range names[1:] {
			n++
			if admin.Graph() != graph || admin.Inbound() != graph.Inbound() && admin != "user_out_transfer" {
				t.Errorf("%q does not belong to %q", admin, graph)
			}
			if strings.ToLower(string(admin)) != string(admin) {
				t.Errorf("%q is not how the admin centre writes", admin)
			}
		}
	}
	if n != len(callTypes) || len(all) != 7 {
		t.Errorf("%d types with %d names of the admin centre, want 7 with %d", len(all), n, len(callTypes))
	}
	// A caller may change the table that it gets.
	slices.Reverse(all[0])
	if CallTypes()[0][0] != "ByotIn" {
		t.Error("CallTypes gives its own memory away")
	}
}
