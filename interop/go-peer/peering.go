package main

import (
	"slices"
)

// The codes that end a session, from 1 on (peering.md §7).
var peeringCodes = []Code{"message_too_large", "message_malformed", "message_unknown", "name_malformed", "limit_routes",
	"limit_bytes", "limit_origins", "limit_rate", "peer_removed"}

// The messages of cp/v1 (peering.md §2).
type (
	Update struct {
		Withdrawn []Routes
		Announced *Announced
	}
	Announced struct {
		Origin     string
		Attributes []byte
		Services   []string
		Healthy    bool
	}
	Routes struct {
		Origin   string
		Services []string
	}
	EndOfRib struct{ Refresh int64 }
	Refresh  struct{ Number int64 }
	Health   struct{ Unhealthy, Healthy []Routes }
)

func (u Update) cbor() Map {
	m := Map{int64(0): 1}
	if len(u.Withdrawn) > 0 {
		m[int64(1)] = routesValue(u.Withdrawn)
	}
	if a := u.Announced; a != nil {
		m[int64(2)] = []any{a.Origin, a.Attributes, list(a.Services)}
		if !a.Healthy {
			m[int64(3)] = true
		}
	}
	return m
}

func (e EndOfRib) cbor() Map { return Map{int64(0): 2, int64(1): e.Refresh} }
func (r Refresh) cbor() Map  { return Map{int64(0): 3, int64(1): r.Number} }

func (h Health) cbor() Map {
	m := Map{int64(0): 4}
	if len(h.Unhealthy) > 0 {
		m[int64(1)] = routesValue(h.Unhealthy)
	}
	if len(h.Healthy) > 0 {
		m[int64(2)] = routesValue(h.Healthy)
	}
	return m
}

func routesValue(routes []Routes) []any {
	out := []any{}
	for _, r := range routes {
		out = append(out, []any{r.Origin, list(r.Services)})
	}
	return out
}

const malformed = Code("message_malformed")

// parsePeering does the steps of peering.md §2. The message is nil if it is to be ignored.
func parsePeering(b []byte) (any, error) {
	limits := Limits{Bytes: 65024, Depth: 5, Items: 8192}
	if len(b) > limits.Bytes {
		return nil, Code("message_too_large")
	}
	v, err := decode(b, limits)
	m, isMap := v.(Map)
	if err != nil || !isMap {
		return nil, malformed
	}
	kind, ok := m[int64(0)].(int64)
	switch {
	case !ok || kind < 0:
		return nil, malformed
	case kind >= 64:
		return nil, nil
	case kind < 1 || kind > 4:
		return nil, Code("message_unknown")
	}
	r := reader{m: m}
	if r.keys(0, map[int64]int64{1: 3, 2: 1, 3: 1, 4: 2}[kind], false); r.bad {
		return nil, malformed
	}
	switch kind {
	case 1:
		return readUpdate(m)
	case 2:
		e := EndOfRib{r.int(1, 0, maxInt)}
		return e, r.fault(malformed)
	case 3:
		n := Refresh{r.int(1, 1, maxInt)}
		return n, r.fault(malformed)
	}
	unhealthy, err := readRoutes(m, 1)
	if err != nil {
		return nil, err
	}
	healthy, err := readRoutes(m, 2)
	return Health{unhealthy, healthy}, err
}

func (r *reader) fault(c Code) error {
	if r.bad {
		return c
	}
	return nil
}

func readUpdate(m Map) (any, error) {
	withdrawn, err := readRoutes(m, 1)
	if err != nil {
		return nil, err
	}
	u := Update{Withdrawn: withdrawn}
	if v, has := m[int64(2)]; has {
		parts, _ := v.([]any)
		if len(parts) != 3 {
			return nil, malformed
		}
		a := &Announced{Healthy: true}
		if a.Origin, err = readName(parts[0]); err != nil {
			return nil, err
		}
		var ok bool
		if a.Attributes, ok = parts[1].([]byte); !ok {
			return nil, malformed
		}
		if a.Services, err = readNames(parts[2]); err != nil {
			return nil, err
		}
		u.Announced = a
	}
	if v, has := m[int64(3)]; has {
		if v != true || u.Announced == nil {
			return nil, malformed
		}
		u.Announced.Healthy = false
	}
	return u, nil
}

func readRoutes(m Map, key int64) ([]Routes, error) {
	out := []Routes{}
	v, has := m[key]
	if !has {
		return out, nil
	}
	l, _ := v.([]any)
	if len(l) < 1 || len(l) > 256 {
		return nil, malformed
	}
	for _, e := range l {
		pair, _ := e.([]any)
		if len(pair) != 2 {
			return nil, malformed
		}
		origin, err := readName(pair[0])
		if err != nil {
			return nil, err
		}
		names, err := readNames(pair[1])
		if err != nil {
			return nil, err
		}
		out = append(out, Routes{origin, names})
	}
	return out, nil
}

func readNames(v any) ([]string, error) {
	l, _ := v.([]any)
	if len(l) < 1 || len(l) > 4096 {
		return nil, malformed
	}
	var out []string
	for _, e := range l {
		name, err := readName(e)
		if err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, nil
}

func readName(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", malformed
	}
	if !isName(s) {
		return "", Code("name_malformed")
	}
	return s, nil
}

// Attributes of a route (peering.md §3).
type Attributes struct {
	Organisation, Protocol   string
	NextHop                  NextHop
	NodePath, OrgPath        []string
	LocalPref, Metric        int64
	NoExport                 bool
	Expiry                   *int64
	Labels                   map[string]string
	SchemaDigest, OriginFact []byte
}

// NextHop is the Envoy that requests go to.
type NextHop struct {
	Host     string
	Port     int64
	SNI      string
	SpiffeID string
}

var protocols = []string{"graphql", "http", "grpc", "tcp"}

func (a *Attributes) cbor() Map {
	h := a.NextHop
	m := Map{int64(1): a.Organisation, int64(2): a.Protocol, int64(3): []any{h.Host, h.Port, h.SNI, h.SpiffeID}, int64(4): list(a.NodePath)}
	if len(a.OrgPath) > 0 {
		m[int64(5)] = list(a.OrgPath)
	}
	if a.LocalPref != 100 {
		m[int64(6)] = a.LocalPref
	}
	if a.Metric != 0 {
		m[int64(7)] = a.Metric
	}
	if a.NoExport {
		m[int64(8)] = true
	}
	if a.Expiry != nil {
		m[int64(9)] = *a.Expiry
	}
	if len(a.Labels) > 0 {
		labels := Map{}
		for k, v := range a.Labels {
			labels[k] = v
		}
		m[int64(10)] = labels
	}
	if a.SchemaDigest != nil {
		m[int64(11)] = a.SchemaDigest
	}
	if a.OriginFact != nil {
		m[int64(12)] = a.OriginFact
	}
	return m
}

// parseAttributes: peering.md §3; every fault is attributes_malformed.
func parseAttributes(b []byte) (*Attributes, error) {
	v, err := decode(b, Limits{Bytes: 4096, Depth: 3, Items: 512})
	m, isMap := v.(Map)
	if err != nil || !isMap {
		return nil, Code("attributes_malformed")
	}
	r := &reader{m: m}
	a := &Attributes{
		Organisation: r.text(1, isName),
		Protocol:     r.text(2, func(s string) bool { return slices.Contains(protocols, s) }),
		NodePath:     r.path(4), LocalPref: 100, OrgPath: []string{}, Labels: map[string]string{},
	}
	if hop := r.list(3, 4, 4); !r.bad {
		h := reader{m: Map{int64(0): hop[0], int64(1): hop[1], int64(2): hop[2], int64(3): hop[3]}}
		a.NextHop = NextHop{h.text(0, hostForm.MatchString), h.int(1, 1, 65535), h.text(2, isName), h.text(3, isSpiffeID)}
		r.bad = h.bad
	}
	if r.has(5) {
		a.OrgPath = r.path(5)
	}
	if r.has(6) {
		a.LocalPref = r.int(6, 0, 1<<32-1)
		r.bad = r.bad || a.LocalPref == 100
	}
	if r.has(7) {
		a.Metric = r.int(7, 1, 1<<32-1)
	}
	if r.has(8) {
		a.NoExport = true
		r.bad = r.bad || m[int64(8)] != true
	}
	if r.has(9) {
		expiry := r.int(9, 1, maxInt)
		a.Expiry = &expiry
	}
	if r.has(10) {
		labels, ok := m[int64(10)].(Map)
		r.bad = r.bad || !ok || len(labels) < 1 || len(labels) > 16
		for k, v := range labels {
			label, ok1 := k.(string)
			value, ok2 := v.(string)
			r.bad = r.bad || !ok1 || !ok2 || !tagForm.MatchString(label) || !valueForm.MatchString(value)
			a.Labels[label] = value
		}
	}
	if r.has(11) {
		a.SchemaDigest = r.bytes(11, 32, 32)
	}
	if r.has(12) {
		a.OriginFact = r.bytes(12, 1, 64)
	}
	for k := range m {
		n, ok := k.(int64)
		r.bad = r.bad || !ok || n < 1 || n > 12 && n < 64
	}
	return a, r.fault("attributes_malformed")
}

func isSpiffeID(s string) bool { _, ok := parseSpiffeID(s); return ok }

func (r *reader) path(key int64) []string {
	p := elements(r, key, 1, 64, isName)
	for i, name := range p {
		r.bad = r.bad || slices.Contains(p[:i], name)
	}
	return p
}
