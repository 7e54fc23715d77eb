package main

import (
	"net/netip"
	"regexp"
	"strings"
)

var (
	labelForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	tokenForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9./-]{0,62}[a-z0-9])?$`)
	tagForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$`)
	valueForm  = regexp.MustCompile(`^[ -~]{1,128}$`)
	hostForm   = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45})$`)
	spiffeForm = regexp.MustCompile(`^spiffe://([^/]+)/node/([a-z0-9-]+)/([a-z0-9-]+)$`)
)

// isName: evidence.md §1.1, peering.md §1.
func isName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if !labelForm.MatchString(label) {
			return false
		}
	}
	return true
}

// isToken: session.md §4.
func isToken(s string) bool { return tokenForm.MatchString(s) }

// belongs says whether a name is one label, a dot, and the domain (peering.md §1).
func belongs(name, domain string) bool { return isName(name) && domainOf(name) == domain }

// domainOf is a name without its first label and dot.
func domainOf(name string) string {
	_, domain, _ := strings.Cut(name, ".")
	return domain
}

// SpiffeID is that of a process of a node (session.md §2.1).
type SpiffeID struct{ Domain, Node, Process string }

func (id SpiffeID) name() string { return id.Node + "." + id.Domain }

func (id SpiffeID) String() string {
	return "spiffe://" + id.Domain + "/node/" + id.Node + "/" + id.Process
}

// parseSpiffeID: peering.md §3.
func parseSpiffeID(s string) (SpiffeID, bool) {
	m := spiffeForm.FindStringSubmatch(s)
	if len(s) > 512 || m == nil || !isName(m[1]) {
		return SpiffeID{}, false
	}
	return SpiffeID{m[1], m[2], m[3]}, true
}

// hostOf writes an address as peering.md §3 wants it: lower case, IPv6 in its short form.
func hostOf(s string) string {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.WithZone("").String()
	}
	return strings.ToLower(s)
}
