package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	n9   = "n9.acme.catalyst.internal"
	n1   = "n1.acme.catalyst.internal"
	acme = "acme.catalyst.internal"
)

// other is a listener in this process: a script that has the connection.
func other(t *testing.T, config *tls.Config, script func(t *testing.T, conn net.Conn)) (address string, done <-chan struct{}) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(8 * time.Second))
		if config != nil {
			secure := tls.Server(conn, config)
			if err := secure.Handshake(); err != nil {
				t.Log("listener:", err)
				return
			}
			conn = secure
		}
		script(t, conn)
	}()
	return l.Addr().String(), finished
}

// peer runs the command, and gives what it said and its exit code.
func peer(t *testing.T, address string, more ...string) (events []map[string]any, exit int) {
	t.Helper()
	var out, diag strings.Builder
	args := append([]string{"--dial", address, "--node", n9, "--domain", acme, "--announce", "orders." + acme,
		"--protocol", "http", "--next-hop", "192.0.2.9:10443"}, more...)
	exit = run(args, &out, &diag)
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var e map[string]any
		if json.Unmarshal([]byte(line), &e) == nil {
			events = append(events, e)
		}
	}
	t.Log(out.String(), diag.String())
	return
}

func last(events []map[string]any) map[string]any { return events[len(events)-1] }

func has(events []map[string]any, event, member, value string) bool {
	for _, e := range events {
		if e["event"] == event && (member == "" || e[member] == value) {
			return true
		}
	}
	return false
}

// answer opens a session as listener, with a hold time.
func answer(t *testing.T, conn net.Conn, hold int64, own *Open) (s *session) {
	own.HoldMs = hold
	own.Offers[0].Window = Amount{4, 2 << 20}
	s, f := establish(conn, listening(own), time.Now().Add(5*time.Second))
	if f != nil {
		t.Error("listener:", f)
	}
	return s
}

func (s *session) put(m interface{ cbor() Map }) { s.conn.Write(frame(encode(m.cbor()))) }

// get reads a message; KEEPALIVE is passed over.
func (s *session) get(t *testing.T) any {
	for {
		payload, err := readFrame(s.conn, s.own.MaxFrame)
		if err != nil {
			t.Error("listener:", err)
			return nil
		}
		msg, err := parseMessage(payload)
		if err != nil {
			t.Error(err)
		}
		if _, ok := msg.(Keepalive); !ok {
			return msg
		}
	}
}

func (s *session) cp(t *testing.T) any {
	p, ok := s.get(t).(Message)
	if !ok {
		t.Error("no message of cp")
		return nil
	}
	msg, err := parsePeering(p.Bytes)
	if err != nil {
		t.Error(err)
	}
	return msg
}

func offered(service string) Update {
	a := &Attributes{Organisation: acme, Protocol: "http", NodePath: []string{n1}, LocalPref: 100,
		NextHop: NextHop{"2001:db8::1", 10443, n1, "spiffe://" + acme + "/node/n1/envoy"}}
	return Update{Announced: &Announced{n1, encode(a.cbor()), []string{service + "." + acme}, true}}
}

// whole is a session in good order: what it hears, a REFRESH, credit in both directions, KEEPALIVE.
func whole(open *Open) func(t *testing.T, conn net.Conn) {
	return func(t *testing.T, conn net.Conn) {
		s := answer(t, conn, 1500, open)
		if s == nil {
			return
		}
		put := func(m interface{ cbor() Map }) { s.put(Message{"cp", encode(m.cbor())}) }
		wantSame(t, shown(s.cp(t)), shown(Update{Withdrawn: []Routes{}, Announced: offeredBy9()}))
		wantSame(t, shown(s.cp(t)), shown(EndOfRib{0}))
		put(offered("products"))
		put(offered("reviews"))
		put(EndOfRib{0})
		put(Update{Withdrawn: []Routes{{n1, []string{"reviews." + acme, "never." + acme}}}})
		put(Refresh{1})
		wantSame(t, shown(s.cp(t)), shown(Update{Withdrawn: []Routes{}, Announced: offeredBy9()}))
		wantSame(t, shown(s.cp(t)), shown(EndOfRib{1}))
		// The window of four is full: what follows waits for credit.
		for i := 0; i < 3; i++ {
			time.Sleep(300 * time.Millisecond)
			s.put(Keepalive{})
		}
		s.put(Credit{"cp", Amount{4, sizes}})
		wantSame(t, shown(s.cp(t)), shown(Update{Withdrawn: []Routes{{n9, []string{"orders." + acme}}}}))
		for i := 0; i < 300; i++ {
			put(EndOfRib{7})
		}
		if c, ok := s.get(t).(Credit); !ok || c.Taken.Messages < 256 {
			t.Errorf("%+v, and not CREDIT of a quarter", c)
		}
		for alive := true; alive; {
			s.put(Keepalive{})
			conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			payload, err := readFrame(conn, 1<<20)
			if err == nil {
				msg, _ := parseMessage(payload)
				if n, ok := msg.(Notification); ok {
					alive = false
					if n.Code != 1 {
						t.Error(n)
					}
				}
			} else if !timedOut(err) {
				t.Error(err)
				alive = false
			}
		}
	}
}

// sizes is that of the first four messages of the peer.
var sizes = func() int64 {
	u, e := encode(Update{Announced: offeredBy9()}.cbor()), encode(EndOfRib{0}.cbor())
	return int64(2 * (len(u) + len(e)))
}()

// offeredBy9 is the example of peering.md §8.
func offeredBy9() *Announced {
	attributes := mustHex("a4017661636d652e636174616c7973742e696e7465726e616c0264687474700384693139322e302e322e39" +
		"1928cb78196e392e61636d652e636174616c7973742e696e7465726e616c782d7370696666653a2f2f61636d652e636174616c7973742e" +
		"696e7465726e616c2f6e6f64652f6e392f656e766f79048178196e392e61636d652e636174616c7973742e696e7465726e616c")
	return &Announced{n9, attributes, []string{"orders." + acme}, true}
}

func mustHex(s string) (h Hex) {
	h.UnmarshalText([]byte(s))
	return
}

func inGoodOrder(t *testing.T, events []map[string]any, exit int) {
	t.Helper()
	if exit != 0 || !has(events, "established", "peer", n1) || !has(events, "announced", "service", "products."+acme) ||
		!has(events, "withdrawn", "service", "reviews."+acme) || has(events, "withdrawn", "service", "never."+acme) ||
		!has(events, "end_of_rib", "", "") || !has(events, "withdrew", "", "") || last(events)["code"] != "stopped" {
		t.Error(exit, events)
	}
}

func TestPlain(t *testing.T) {
	address, done := other(t, nil, whole(newOpen(n1, acme, make([]byte, 32))))
	events, exit := peer(t, address, "--plain", "--expect", n1, "--withdraw-after", "300ms", "--stay", "3s")
	<-done
	inGoodOrder(t, events, exit)
}

// TestRefused: what the other end does after its OPEN and ACCEPT (or before), and what it is told.
func TestRefused(t *testing.T) {
	cp := func(h string) Message { return Message{"cp", mustHex(h)} }
	for name, c := range map[string]struct {
		early, late func(s *session)
		hold        int64
		code        int64
		protocol    int64
	}{
		"an empty frame":         {late: func(s *session) { s.conn.Write(make([]byte, 4)) }, code: 6},
		"a frame too long":       {late: func(s *session) { s.conn.Write([]byte{0, 16, 0, 1}) }, code: 6},
		"an early frame longer":  {early: func(s *session) { s.conn.Write([]byte{0, 0, 64, 1}) }, code: 6},
		"no message":             {late: func(s *session) { s.conn.Write(frame([]byte{0xff})) }, code: 7},
		"OPEN once more":         {late: func(s *session) { s.put(s.own) }, code: 8},
		"another protocol":       {late: func(s *session) { s.put(Message{"tp", []byte{0}}) }, code: 8},
		"KEEPALIVE before OPEN":  {early: func(s *session) { s.put(Keepalive{}) }, code: 8},
		"a node not dialled":     {early: func(s *session) { o := *s.own; o.Node = "n2." + acme; s.put(&o) }, code: 11},
		"itself":                 {early: func(s *session) { o := *s.own; o.Node = n9; s.put(&o) }, code: 13},
		"no version":             {early: func(s *session) { o := *s.own; o.Versions = []int64{2}; s.put(&o) }, code: 9},
		"no protocol":            {early: func(s *session) { o := *s.own; o.Offers = []Offer{o.Offers[0]}; o.Offers[0].Name = "x"; s.put(&o) }, code: 10},
		"another transcript":     {early: func(s *session) { s.put(s.own); s.put(Accept{make([]byte, 32)}) }, code: 14},
		"CREDIT of nothing":      {late: func(s *session) { s.put(Credit{"cp", Amount{}}) }, code: 15},
		"17 KEEPALIVEs":          {late: func(s *session) { s.conn.Write(bytes.Repeat(frame([]byte{0xa1, 0, 3}), 17)) }, code: 16},
		"silence":                {late: func(s *session) {}, hold: 1000, code: 4},
		"cp: no message":         {late: func(s *session) { s.put(cp("00")) }, code: 20, protocol: 2},
		"cp: of an unknown type": {late: func(s *session) { s.put(cp("a10005")) }, code: 20, protocol: 3},
		"cp: too large":          {late: func(s *session) { s.put(Message{"cp", make([]byte, 65025)}) }, code: 20, protocol: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := newOpen(n1, acme, make([]byte, 32))
			address, done := other(t, nil, func(t *testing.T, conn net.Conn) {
				s := &session{conn: conn, own: open}
				if c.early != nil {
					if _, err := readFrame(conn, openingFrame); err != nil {
						t.Error(err)
					}
					c.early(s)
				} else {
					hold := max(c.hold, 5000)
					if c.hold > 0 {
						hold = c.hold
					}
					if s = answer(t, conn, hold, open); s == nil {
						return
					}
					c.late(s)
				}
				for {
					payload, err := readFrame(conn, 1<<20)
					if err != nil {
						t.Error(err)
						return
					}
					msg, _ := parseMessage(payload)
					if n, ok := msg.(Notification); ok {
						if n.Code != c.code || c.protocol > 0 && (n.Protocol != "cp" || n.ProtocolCode != c.protocol) {
							t.Errorf("%+v", n)
						}
						return
					}
				}
			})
			events, exit := peer(t, address, "--plain", "--expect", n1, "--stay", "4s")
			<-done
			if exit != 1 || last(events)["number"] != float64(c.code) {
				t.Error(exit, events)
			}
		})
	}
}

func TestEndedByOther(t *testing.T) {
	address, done := other(t, nil, func(t *testing.T, conn net.Conn) {
		if s := answer(t, conn, 5000, newOpen(n1, acme, make([]byte, 32))); s != nil {
			s.put(Notification{2, "back\u202esoon\n", "", -1, -1})
		}
	})
	events, exit := peer(t, address, "--plain", "--stay", "4s")
	<-done
	if exit != 1 || last(events)["code"] != "restarting" || last(events)["by"] != "peer" || last(events)["text"] != "back\ufffdsoon\ufffd" {
		t.Error(exit, events)
	}
}

// authority is a root of enrolment.md §1 with its issuing authority.
type authority struct {
	root, issuer       *x509.Certificate
	rootKey, issuerKey *ecdsa.PrivateKey
}

func certificate(t *testing.T, c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	c.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	c.NotBefore, c.BasicConstraintsValid = time.Now().Add(-time.Minute), true
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	made, _ := x509.ParseCertificate(der)
	return made
}

func newKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	k, _ := ecdsa.GenerateKey(curve, rand.Reader)
	return k
}

func newAuthority(t *testing.T, domain string) *authority {
	a := &authority{rootKey: newKey(elliptic.P384()), issuerKey: newKey(elliptic.P256())}
	use := x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, MaxPathLen: 1, KeyUsage: use}
	a.root = certificate(t, root, root, a.rootKey, a.rootKey)
	all4, all6 := &net.IPNet{IP: make(net.IP, 4), Mask: make(net.IPMask, 4)}, &net.IPNet{IP: make(net.IP, 16), Mask: make(net.IPMask, 16)}
	a.issuer = certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}, IsCA: true, MaxPathLenZero: true, KeyUsage: use,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"." + domain}, PermittedURIDomains: []string{domain},
		ExcludedIPRanges: []*net.IPNet{all4, all6}}, a.root, a.issuerKey, a.rootKey)
	return a
}

// leaf writes certificate and key of a process into a folder, and gives them.
func (a *authority) leaf(t *testing.T, node, process string, change func(*x509.Certificate)) (cert, key, roots string) {
	k := newKey(elliptic.P256())
	label, domain, _ := strings.Cut(node, ".")
	id, _ := url.Parse(SpiffeID{domain, label, process}.String())
	c := &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, URIs: []*url.URL{id}, DNSNames: []string{node},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(c)
	}
	made := certificate(t, c, a.issuer, k, a.issuerKey)
	der, _ := x509.MarshalPKCS8PrivateKey(k)
	write := func(kind string, blocks ...[]byte) string {
		var b []byte
		for _, block := range blocks {
			b = append(b, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: block})...)
		}
		f := filepath.Join(t.TempDir(), "f.pem")
		os.WriteFile(f, b, 0o600)
		return f
	}
	return write("CERTIFICATE", made.Raw, a.issuer.Raw), write("PRIVATE KEY", der), write("CERTIFICATE", a.root.Raw)
}

func TestTLS(t *testing.T) {
	a, foreign := newAuthority(t, acme), newAuthority(t, acme)
	cert, key, roots := a.leaf(t, n9, "orchestrator", nil)
	for name, c := range map[string]struct {
		by      *authority
		node    string
		process string
		change  func(*x509.Certificate)
		config  func(*tls.Config)
		ended   string
	}{
		"good":                          {},
		"of a foreign root":             {by: foreign, ended: "tls"},
		"of another node":               {node: "n2." + acme, ended: "identity_mismatch"},
		"of itself":                     {node: n9, ended: "self_connection"},
		"outside of name constraints":   {node: "n1.globex.catalyst.internal", ended: "tls"},
		"of another process":            {process: "envoy", ended: "not_admitted"},
		"not good for clients":          {change: func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }, ended: "tls"},
		"with two URIs":                 {change: func(c *x509.Certificate) { c.URIs = append(c.URIs, c.URIs[0]) }, ended: "tls"},
		"expired":                       {change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }, ended: "tls"},
		"that ends during the session":  {change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(3 * time.Second) }, ended: "certificate_expired"},
		"without ALPN":                  {config: func(c *tls.Config) { c.NextProtos = nil }, ended: "tls"},
		"with TLS 1.2":                  {config: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, ended: "tls"},
		"another key than its OPEN has": {config: func(*tls.Config) {}, ended: "identity_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			by, node, process := a, n1, "orchestrator"
			if c.by != nil {
				by = c.by
			}
			if c.node != "" {
				node = c.node
			}
			if c.process != "" {
				process = c.process
			}
			theirCert, theirKey, _ := by.leaf(t, node, process, c.change)
			chain, err := tls.LoadX509KeyPair(theirCert, theirKey)
			if err != nil {
				t.Fatal(err)
			}
			pool := x509.NewCertPool()
			pool.AddCert(a.root)
			theirs := &secrets{chain: chain, roots: pool, domain: acme}
			config := theirs.tlsConfig()
			open := newOpen(n1, acme, make([]byte, 32))
			if c.config != nil {
				c.config(config)
				config.VerifyConnection = nil
			} else {
				leaf, _ := x509.ParseCertificate(chain.Certificate[0])
				open.Thumbprint, _ = keyThumbprint(leaf)
			}
			script := whole(open)
			if c.ended != "" {
				script = func(t *testing.T, conn net.Conn) {
					s, _ := establish(conn, listening(open), time.Now().Add(5*time.Second))
					for s != nil {
						if _, err := readFrame(conn, 1<<20); err != nil {
							return
						}
					}
				}
			}
			address, done := other(t, config, script)
			events, exit := peer(t, address, "--cert", cert, "--key", key, "--roots", roots, "--expect", n1, "--withdraw-after", "300ms", "--stay", "3500ms")
			<-done
			if c.ended == "" {
				inGoodOrder(t, events, exit)
			} else if exit != 1 || last(events)["code"] != c.ended {
				t.Error(exit, events)
			}
		})
	}
}

func listening(own *Open) config { return config{own: own, admit: func(string) error { return nil }} }
