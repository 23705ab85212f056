package call

import "strings"

// A CallType is the callType of a row. It is an open set: a row keeps the text that came, and its
// beginning tells the meaning.
type CallType string

// Inbound reports whether the call came in from the trunk: Graph's ByotIn… and
// the admin centre's dr_in… and dr_unassigned_in.
func (t CallType) Inbound() bool {
	return hasPrefixFold(string(t), "byotin") || hasPrefixFold(string(t), "dr_in") || hasPrefixFold(string(t), "dr_unassigned_in")
}

// callTypes pairs the admin centre's names with Graph's. Where several stand for one of Graph's, we
// write the first. Microsoft documents no Graph name for dr_emergency_out and dr_unassigned_in,
// which stay as they are.
//
// Sources: learn.microsoft.com, "PSTN usage report", table "Exported CSV"; callTypes seen in
// Graph's answers.
var callTypes = []struct{ admin, graph string }{
	{"dr_in", "ByotIn"},
	{"dr_out", "ByotOut"},
	{"dr_in_bot", "ByotInUcap"},
	{"dr_in_ucap", "ByotInUcap"},
	{"dr_out_bot", "ByotOutUcap"},
	{"dr_out_ucap", "ByotOutUcap"},
	{"dr_out_user_forwarding", "ByotOutUserForwarding"},
	{"dr_out_user_transfer", "ByotOutUserTransfer"},
	{"user_out_transfer", "ByotOutUserTransfer"},
	{"dr_out_user_conf", "ByotOutUserConf"},
}

// Graph returns the type by Graph's name, or unchanged if Graph has none.
func (t CallType) Graph() CallType {
	for _, p := range callTypes {
		if strings.EqualFold(p.admin, string(t)) {
			return CallType(p.graph)
		}
	}
	return t
}

// Admin returns the type by the admin centre's name, or unchanged if that has none.
func (t CallType) Admin() CallType {
	for _, p := range callTypes {
		if strings.EqualFold(p.graph, string(t)) {
			return CallType(p.admin)
		}
	}
	return t
}

// CallTypes returns the names of every type that has more than one: Graph's first, then the admin
// centre's, beginning with the one that we write.
func CallTypes() [][]CallType {
	var all [][]CallType
	index := make(map[string]int)
	for _, p := range callTypes {
		i, ok := index[p.graph]
		if !ok {
			i = len(all)
			index[p.graph] = i
			all = append(all, []CallType{CallType(p.graph)})
		}
		all[i] = append(all[i], CallType(p.admin))
	}
	return all
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
