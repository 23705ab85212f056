package cert

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Missing reports whether dir holds no part of an authority, so that [Own] would make one.
func Missing(dir string) bool {
	for _, name := range []string{caFile, caKeyFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil || !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	return true
}

// permitted returns those of the wanted names for which the authority may sign. If it may not
// sign for a name of this machine, permitted reports that; any other such name is an error. It
// also reports one of our own authorities that may sign for all names.
func (a *Authority) permitted(wanted names, hostname string) (names, error) {
	c := a.ca.cert
	if len(c.PermittedDNSDomains)+len(c.PermittedIPRanges) == 0 {
		if slices.Contains(c.Subject.Organization, organization) {
			a.report(fmt.Errorf("the certificate authority in %[1]s is of an earlier release and may sign for any host: who reads %[2]s can be any host to those who trust it; for one that may sign for this server alone, move %[1]s and %[2]s away, start with --new-ca, and hand the new %[1]s to the clients", a.File(), caKeyFile))
		}
		return wanted, nil
	}
	own, err := newNames(nil, hostname)
	if err != nil {
		return names{}, err
	}
	var n, left names
	for _, name := range wanted.dns {
		if a.ca.signsName(name) {
			n.dns = append(n.dns, name)
		} else {
			left.dns = append(left.dns, name)
		}
	}
	for _, ip := range wanted.ips {
		if a.ca.signsIP(ip) {
			n.ips = append(n.ips, ip)
		} else {
			left.ips = append(left.ips, ip)
		}
	}
	if more := left.without(own); more != "" {
		return names{}, fmt.Errorf("%s may not sign for %s (but for %s): leave that out, or move %s and %s away, start with --new-ca, and hand the new %s to the clients",
			a.File(), more, a.ca.signsFor(), caFile, caKeyFile, caFile)
	}
	if text := left.without(names{}); text != "" {
		a.report(fmt.Errorf("the certificate is not for %s, as this machine is called: %s was made for others (%s)", text, a.File(), a.ca.signsFor()))
	}
	return n, nil
}

// signsName reports whether the authority may sign for a host name, which may begin with "*.". A
// constraint permits its own name and all names below it. With a dot in front, which some
// authorities write, it permits only the names below it.
func (c ca) signsName(name string) bool {
	name = strings.TrimPrefix(name, "*.")
	return len(c.cert.PermittedDNSDomains) == 0 || slices.ContainsFunc(c.cert.PermittedDNSDomains, func(domain string) bool {
		domain = strings.ToLower(domain)
		return domain == "" || name == domain || strings.HasSuffix(name, "."+strings.TrimPrefix(domain, "."))
	})
}

func (c ca) signsIP(ip net.IP) bool {
	return len(c.cert.PermittedIPRanges) == 0 || slices.ContainsFunc(c.cert.PermittedIPRanges, func(r *net.IPNet) bool { return r.Contains(ip) })
}

// signsFor lists the names and addresses for which the authority may sign.
func (c ca) signsFor() string {
	all := slices.Clone(c.cert.PermittedDNSDomains)
	for _, r := range c.cert.PermittedIPRanges {
		if ones, bits := r.Mask.Size(); ones == bits {
			all = append(all, r.IP.String())
		} else {
			all = append(all, r.String())
		}
	}
	return strings.Join(all, ", ")
}

// domains returns the name constraints that let an authority sign for the names in n.
func (n names) domains() []string {
	var out []string
	for _, name := range n.dns {
		if name = strings.TrimPrefix(name, "*."); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// ranges returns the name constraints for the addresses in n, one range for each address.
func (n names) ranges() []*net.IPNet {
	var out []*net.IPNet
	for _, ip := range n.ips {
		out = append(out, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
	}
	return out
}

// without returns the names and addresses of n that are not in m, as a list for messages.
func (n names) without(m names) string {
	var out []string
	for _, name := range n.dns {
		if !slices.Contains(m.dns, name) {
			out = append(out, name)
		}
	}
	for _, ip := range n.ips {
		if !slices.ContainsFunc(m.ips, ip.Equal) {
			out = append(out, ip.String())
		}
	}
	return strings.Join(out, ", ")
}
