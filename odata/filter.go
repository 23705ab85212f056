package odata

import "github.com/trunklog/trunklog/call"

// ParseFilter reads the value of $filter.
func ParseFilter(s string) (call.Expr, error) {
	return nil, errorf("$filter", "Invalid filter clause: filters are not possible.")
}

// FormatFilter writes x as the value of $filter.
func FormatFilter(x call.Expr) (string, error) {
	return "", errorf("$filter", "Invalid filter clause: filters are not possible.")
}
