package auth

import (
	"fmt"
	"slices"
	"strings"
)

// The app roles.
const (
	// RoleRead lets a client read all records of its tenant. It is the name of Graph's permission,
	// and the default role of a new client.
	RoleRead = "CallRecords.Read.All"
	// RoleIngest lets a client deliver records of its own.
	RoleIngest = "CallRecords.Ingest"
	// RoleIngestGraph lets a client deliver records that it has read from Microsoft Graph; the
	// server believes these before all others. Neither role includes the other.
	RoleIngestGraph = "CallRecords.Ingest.Graph"
	// RoleReadPSTN is the older permission that [Config.PSTNRole] makes equal to RoleRead.
	RoleReadPSTN = "CallRecord-PstnCalls.Read.All"
)

// Roles returns the roles that an operator can give to a client here.
func (a *Authority) Roles() []string {
	roles := []string{RoleRead, RoleIngest, RoleIngestGraph}
	if a.pstn {
		roles = append(roles, RoleReadPSTN)
	}
	return roles
}

// checkRoles returns the roles without repeats, or the default if the list is empty. An unknown
// role is [ErrInvalid].
func (a *Authority) checkRoles(roles []string) ([]string, error) {
	if len(roles) == 0 {
		return []string{RoleRead}, nil
	}
	var out []string
	for _, r := range roles {
		if !slices.Contains(a.Roles(), r) {
			return nil, fmt.Errorf("auth: there is no role %q, only %s: %w", r, strings.Join(a.Roles(), ", "), ErrInvalid)
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out, nil
}

// allows reports whether one of the roles in has permits what one of the roles in need permits.
func (a *Authority) allows(has, need []string) bool {
	return slices.ContainsFunc(need, func(role string) bool {
		return slices.Contains(has, role) ||
			a.pstn && role == RoleRead && slices.Contains(has, RoleReadPSTN)
	})
}

// common returns the members of both lists, in the order of the first.
func common(roles, other []string) []string {
	var out []string
	for _, r := range roles {
		if slices.Contains(other, r) {
			out = append(out, r)
		}
	}
	return out
}
