package main

import (
	"cmp"
	"slices"
	"time"
)

// importRule names the rule that keeps a path out, or is "" (peering.md §4.1, 1 to 9).
func importRule(node, peer, origin, service string, a *Attributes, now int64) Code {
	n, m, p, d := node, domainOf(node), peer, domainOf(peer)
	last := a.NodePath[len(a.NodePath)-1]
	foreign := func(nodes []string) bool {
		return slices.ContainsFunc(nodes, func(node string) bool { return !belongs(node, m) })
	}
	first, end := a.Organisation, a.Organisation
	if len(a.OrgPath) > 0 {
		first, end = a.OrgPath[0], a.OrgPath[len(a.OrgPath)-1]
	}
	id, _ := parseSpiffeID(a.NextHop.SpiffeID)
	switch {
	case a.NodePath[0] != p || !belongs(origin, a.Organisation):
		return "path_forged"
	case slices.Contains(a.NodePath, n):
		return "node_loop"
	case slices.Contains(a.OrgPath, m):
		return "organisation_loop"
	case d == m && len(a.OrgPath) == 0 && (a.Organisation != m || last != origin || foreign(a.NodePath)):
		return "path_forged"
	case d == m && len(a.OrgPath) > 0 && (len(a.NodePath) == 1 || !belongs(last, first) || end != a.Organisation ||
		a.Organisation == m || foreign(a.NodePath[:len(a.NodePath)-1])):
		return "path_forged"
	case d != m && (len(a.NodePath) > 1 || len(a.OrgPath) == 0 || first != d || end != a.Organisation):
		return "path_forged"
	case id.Domain != first && !(d == m && id.Domain == m):
		return "foreign_next_hop"
	case !belongs(service, a.Organisation):
		return "foreign_name"
	case a.Expiry != nil && *a.Expiry <= now:
		return "expired"
	}
	return ""
}

// export gives the attributes that node tells peer, or nil for nothing (peering.md §4.2). No policy.
func export(node string, hop NextHop, peer string, route *Attributes) *Attributes {
	m, d := domainOf(node), domainOf(peer)
	outside := d != m
	switch {
	case slices.Contains(route.NodePath, peer), len(route.NodePath) >= 64:
		return nil
	case outside && (slices.Contains(route.OrgPath, d) || route.Organisation == d || route.NoExport ||
		slices.Contains(route.OrgPath, m) || len(route.OrgPath) >= 64):
		return nil
	}
	out := *route
	out.NodePath = append([]string{node}, route.NodePath...)
	if outside {
		out.NodePath = []string{node}
		out.OrgPath = append([]string{m}, route.OrgPath...)
		out.NextHop = hop
		out.LocalPref = 100
	}
	return &out
}

// Path is one of those that are compared (peering.md §5).
type Path struct {
	Origin, Peer      string
	LocalPref, Metric int64
	Healthy           bool
	OrgPath, NodePath []string
}

// better compares two paths at node, below 0 if a is better, and says what told them apart.
func better(node string, a, b Path) (int, string) {
	truth := func(v bool) int {
		if v {
			return 0
		}
		return 1
	}
	own := func(p Path) int { return truth(domainOf(p.Peer) == domainOf(node)) }
	for _, c := range []struct {
		by     string
		result int
	}{
		{"higher localPref", cmp.Compare(b.LocalPref, a.LocalPref)},
		{"healthy", cmp.Compare(truth(a.Healthy), truth(b.Healthy))},
		{"shorter orgPath", cmp.Compare(len(a.OrgPath), len(b.OrgPath))},
		{"lower metric", cmp.Compare(a.Metric, b.Metric)},
		{"own organisation first", cmp.Compare(own(a), own(b))},
		{"shorter nodePath", cmp.Compare(len(a.NodePath), len(b.NodePath))},
		{"lower origin", cmp.Compare(a.Origin, b.Origin)},
		{"lower peer", cmp.Compare(a.Peer, b.Peer)},
	} {
		if c.result != 0 {
			return c.result, c.by
		}
	}
	return 0, ""
}

type routeKey struct{ origin, service string }

type heard struct {
	refused Code // why import keeps it out
	bytes   int64
	healthy bool
}

// adjRibIn holds what the peer told, within the limits of peering.md §6.4.
type adjRibIn struct {
	node, peer string
	routes     map[routeKey]*heard
	bytes      int64
	origins    map[string]int // paths of a service that import let in
	rate       *bucket
	emit       func(event string, members map[string]any)
}

func newAdjRibIn(node, peer string, emit func(string, map[string]any)) *adjRibIn {
	return &adjRibIn{node: node, peer: peer, routes: map[routeKey]*heard{}, origins: map[string]int{},
		rate: newBucket(4e6, 200*time.Second, time.Now()), emit: emit}
}

func (t *adjRibIn) spoken(n int) error {
	if !t.rate.take(float64(n+1), time.Now()) {
		return Code("limit_rate")
	}
	return nil
}

func count(routes []Routes) (n int) {
	for _, r := range routes {
		n += len(r.Services)
	}
	return n
}

// update: peering.md §2.1, first what is withdrawn.
func (t *adjRibIn) update(u Update) error {
	n := count(u.Withdrawn)
	if u.Announced != nil {
		n += len(u.Announced.Services)
	}
	if err := t.spoken(n); err != nil {
		return err
	}
	for _, r := range u.Withdrawn {
		for _, service := range r.Services {
			t.withdraw(routeKey{r.Origin, service}, "")
		}
	}
	if u.Announced == nil {
		return nil
	}
	a, err := parseAttributes(u.Announced.Attributes)
	for _, service := range u.Announced.Services {
		key := routeKey{u.Announced.Origin, service}
		if err != nil {
			t.withdraw(key, "attributes_malformed")
		} else if err := t.announce(key, a, u.Announced); err != nil {
			return err
		}
	}
	return nil
}

func (t *adjRibIn) drop(key routeKey) bool {
	r, ok := t.routes[key]
	if !ok {
		return false
	}
	delete(t.routes, key)
	t.bytes -= r.bytes
	if r.refused == "" {
		if t.origins[key.service]--; t.origins[key.service] == 0 {
			delete(t.origins, key.service)
		}
	}
	return true
}

func (t *adjRibIn) withdraw(key routeKey, why Code) {
	if t.drop(key) || why != "" {
		t.emit("withdrawn", map[string]any{"service": key.service, "origin": key.origin, "refused": why})
	}
}

func (t *adjRibIn) announce(key routeKey, a *Attributes, told *Announced) error {
	t.drop(key)
	r := &heard{bytes: int64(len(key.service) + len(told.Attributes)), healthy: told.Healthy}
	r.refused = importRule(t.node, t.peer, key.origin, key.service, a, time.Now().Unix())
	if r.refused == "" && domainOf(t.peer) != domainOf(t.node) {
		r.refused = "policy" // §4.1: without a rule, paths of other organisations are rejected
	}
	t.routes[key] = r
	t.bytes += r.bytes
	if r.refused == "" {
		t.origins[key.service]++
	}
	switch {
	case len(t.routes) > 1000000:
		return Code("limit_routes")
	case t.bytes > 536870912:
		return Code("limit_bytes")
	case t.origins[key.service] > 256:
		return Code("limit_origins")
	}
	t.emit("announced", map[string]any{"service": key.service, "origin": key.origin, "nextHop": a.NextHop.String(),
		"protocol": a.Protocol, "nodePath": a.NodePath, "healthy": r.healthy, "refused": r.refused})
	return nil
}

// health: peering.md §2.4; routes that were not announced are ignored.
func (t *adjRibIn) health(h Health) error {
	if err := t.spoken(count(h.Unhealthy) + count(h.Healthy)); err != nil {
		return err
	}
	for _, part := range []struct {
		routes  []Routes
		healthy bool
	}{{h.Unhealthy, false}, {h.Healthy, true}} {
		for _, r := range part.routes {
			for _, service := range r.Services {
				if route, ok := t.routes[routeKey{r.Origin, service}]; ok && route.healthy != part.healthy {
					route.healthy = part.healthy
					t.emit("health", map[string]any{"service": service, "origin": r.Origin, "healthy": part.healthy})
				}
			}
		}
	}
	return nil
}
