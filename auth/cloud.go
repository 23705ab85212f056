package auth

import (
	"fmt"
	"slices"
	"strings"
)

// A Cloud is one of Microsoft's clouds. The tokens of one are not valid in another.
type Cloud struct {
	Name      string
	Authority string // root of the token service
	Graph     string // root of Microsoft Graph
	// STS begins the iss of a v1 token; Authority begins that of a v2 token.
	STS string
}

// Clouds returns all clouds.
//
// Source: learn.microsoft.com, "National cloud deployments" of Microsoft Graph
// and "National clouds" of the Microsoft identity platform.
func Clouds() []Cloud {
	return []Cloud{
		{"global", "https://login.microsoftonline.com", "https://graph.microsoft.com", "https://sts.windows.net"},
		{"usgov-l4", "https://login.microsoftonline.us", "https://graph.microsoft.us", "https://sts.windows.net"},
		{"usgov-l5", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "https://sts.windows.net"},
		{"china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", "https://sts.chinacloudapi.cn"},
	}
}

// CloudNamed returns the cloud of that name; an empty name is "global".
func CloudNamed(name string) (Cloud, error) {
	clouds := Clouds()
	if name == "" {
		return clouds[0], nil
	}
	var names []string
	for _, c := range clouds {
		names = append(names, c.Name)
	}
	i := slices.Index(names, name)
	if i < 0 {
		return Cloud{}, fmt.Errorf("auth: there is no cloud %q, only %s: %w", name, strings.Join(names, ", "), ErrInvalid)
	}
	return clouds[i], nil
}

// OfMicrosoft reports whether a host, with or without a port, is the token service
// or the Graph of one of the clouds.
func OfMicrosoft(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ":443")
	if slices.Contains(olderHosts[:], host) {
		return true
	}
	root := "https://" + host
	return slices.ContainsFunc(Clouds(), func(c Cloud) bool { return c.Authority == root || c.Graph == root })
}

// olderHosts are the names by which older programs know the token services.
//
// Source: the answer of login.microsoftonline.com/common/discovery/instance, and
// learn.microsoft.com, "Microsoft Entra authentication and national clouds".
var olderHosts = [...]string{"login.windows.net", "login.microsoft.com", "sts.windows.net", "login.chinacloudapi.cn"}

// graphOf returns the host of the Graph that belongs to a token service, if this server answers for
// that Graph too. Otherwise it returns host, because our own root serves both.
func (a *Authority) graphOf(host string) string {
	for _, c := range Clouds() {
		if c.Authority == "https://"+host && a.known(c.Graph) {
			return strings.TrimPrefix(c.Graph, "https://")
		}
	}
	return host
}

// graphAudience reports whether aud is Microsoft Graph itself. Only Graph can verify the signature
// of such a token.
func graphAudience(aud string) bool {
	if aud = strings.TrimSuffix(aud, "/"); aud == "00000003-0000-0000-c000-000000000000" {
		return true
	}
	return slices.ContainsFunc(Clouds(), func(c Cloud) bool { return c.Graph == aud })
}
