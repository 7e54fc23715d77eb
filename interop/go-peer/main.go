// Command peer is a small node: it opens a session (session.md), offers one service on it (peering.md §8), withdraws it,
// and shows what it hears.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
)

// service is what this peer offers; it is the handler of cp.
type service struct {
	out     io.Writer
	rib     *adjRibIn
	routes  Routes
	attrs   []byte
	offered bool // it is there, and not withdrawn
	queue   []queued
	refresh int64 // the last REFRESH without an answer
}

type queued struct {
	message []byte
	sent    func()
}

func (s *service) emit(event string, members map[string]any) {
	line := map[string]any{"event": event}
	for k, v := range members {
		if v != Code("") {
			line[k] = v
		}
	}
	b, _ := json.Marshal(line)
	fmt.Fprintf(s.out, "%s\n", b)
}

func (s *service) push(m interface{ cbor() Map }, sent func()) {
	s.queue = append(s.queue, queued{encode(m.cbor()), sent})
}

// tell queues all routes, and END_OF_RIB (peering.md §6.1, §2.3).
func (s *service) tell(number int64) {
	if s.offered {
		s.push(Update{Announced: &Announced{s.routes.Origin, s.attrs, s.routes.Services, true}}, nil)
	}
	s.push(EndOfRib{number}, nil)
}

// wake: it is time to withdraw.
func (s *service) wake() {
	s.offered = false
	s.push(Update{Withdrawn: []Routes{s.routes}}, func() {
		s.emit("withdrew", map[string]any{"service": s.routes.Services[0]})
	})
}

func (s *service) next() ([]byte, func()) {
	if len(s.queue) == 0 && s.refresh > 0 {
		s.tell(s.refresh)
		s.refresh = 0
	}
	if len(s.queue) == 0 {
		return nil, nil
	}
	first := s.queue[0]
	return first.message, func() {
		s.queue = s.queue[1:]
		if first.sent != nil {
			first.sent()
		}
	}
}

func (s *service) message(b []byte) *Fault {
	msg, err := parsePeering(b)
	if err == nil {
		switch m := msg.(type) {
		case Update:
			err = s.rib.update(m)
		case Health:
			err = s.rib.health(m)
		case EndOfRib:
			if err = s.rib.spoken(0); err == nil && m.Refresh == 0 { // §6.3: no REFRESH was sent
				s.emit("end_of_rib", nil)
			}
		case Refresh:
			err = s.rib.spoken(0)
			s.refresh = m.Number
		default: // of a later version
			err = s.rib.spoken(0)
		}
	}
	if err != nil {
		return refusePeering(err.(Code))
	}
	return nil
}

func (h NextHop) String() string { return net.JoinHostPort(h.Host, strconv.FormatInt(h.Port, 10)) }

type options struct {
	dial, node, domain, expect, cert, key, roots string
	announce, protocol, nextHop                  string
	plain                                        bool
	withdrawAfter, stay                          time.Duration
}

func parse(args []string) (*options, *Attributes, error) {
	var o options
	f := flag.NewFlagSet("peer", flag.ContinueOnError)
	f.StringVar(&o.dial, "dial", "", "`host:port` of the listener")
	f.StringVar(&o.node, "node", "", "`name` of this node")
	f.StringVar(&o.domain, "domain", "", "its organisation")
	f.StringVar(&o.expect, "expect", "", "`name` of the node that is dialled; any if it is left out")
	f.BoolVar(&o.plain, "plain", false, "TCP without TLS")
	f.StringVar(&o.cert, "cert", "", "`file` with the certificate of this node's orchestrator and its issuer")
	f.StringVar(&o.key, "key", "", "`file` with its key")
	f.StringVar(&o.roots, "roots", "", "`file` with the roots of the organisation")
	f.StringVar(&o.announce, "announce", "", "`name` of the service")
	f.StringVar(&o.protocol, "protocol", "http", "graphql, http, grpc or tcp")
	f.StringVar(&o.nextHop, "next-hop", "", "`host:port` of the service")
	f.DurationVar(&o.withdrawAfter, "withdraw-after", 2*time.Second, "from the beginning of the session")
	f.DurationVar(&o.stay, "stay", 5*time.Second, "from the beginning of the session")
	if err := f.Parse(args); err != nil {
		return nil, nil, err
	}
	host, port, err := net.SplitHostPort(o.nextHop)
	number, err2 := strconv.ParseInt(port, 10, 64)
	label, _, _ := strings.Cut(o.node, ".")
	envoy := SpiffeID{o.domain, label, "envoy"}
	a := &Attributes{Organisation: o.domain, Protocol: o.protocol, NodePath: []string{o.node}, LocalPref: 100,
		NextHop: NextHop{hostOf(host), number, o.node, envoy.String()}}
	switch {
	case f.NArg() > 0:
		err = fmt.Errorf("what is %q?", f.Arg(0))
	case !belongs(o.node, o.domain):
		err = fmt.Errorf("--node %q does not belong to --domain %q", o.node, o.domain)
	case !belongs(o.announce, o.domain):
		err = fmt.Errorf("--announce %q does not belong to --domain %q", o.announce, o.domain)
	case !slices.Contains(protocols, o.protocol):
		err = fmt.Errorf("--protocol %q", o.protocol)
	case err != nil || err2 != nil:
		err = fmt.Errorf("--next-hop %q", o.nextHop)
	case o.plain == (o.cert != "" || o.key != "" || o.roots != ""):
		err = fmt.Errorf("either --plain, or --cert, --key and --roots")
	default:
		_, err = parseAttributes(encode(a.cbor()))
	}
	return &o, a, err
}

func run(args []string, out, diag io.Writer) int {
	o, attributes, err := parse(args)
	if err != nil {
		fmt.Fprintln(diag, "peer:", err)
		return 1
	}
	var keys *secrets
	thumbprint := make([]byte, 32) // session.md §2.2
	if !o.plain {
		if keys, err = loadSecrets(o.cert, o.key, o.roots, o.node, o.domain); err != nil {
			fmt.Fprintln(diag, "peer:", err)
			return 1
		}
		thumbprint = keys.own.Thumbprint
	}
	s := &service{out: out, routes: Routes{o.node, []string{o.announce}}, attrs: encode(attributes.cbor()), offered: true}
	fault := s.session(o, keys, newOpen(o.node, o.domain, thumbprint), diag)
	ended := map[string]any{"code": fault.Code, "number": fault.Number, "text": fault.Text, "by": "self"}
	if fault.ByPeer {
		ended["by"] = "peer"
	}
	if fault.Protocol != "" {
		ended["protocol"] = fault.Protocol
	}
	if fault.Protocol != "" && fault.ProtocolCode >= 0 {
		ended["protocolCode"] = fault.ProtocolCode
	}
	s.emit("ended", ended)
	if fault.ByPeer || fault.Code != "stopped" {
		return 1
	}
	return 0
}

func (s *service) session(o *options, keys *secrets, own *Open, diag io.Writer) *Fault {
	deadline := time.Now().Add(10 * time.Second) // session.md §8
	c := &config{own: own, dialler: true, expected: o.expect, admit: func(string) error { return nil }}
	conn, fault := dial(o.dial, keys, c, deadline)
	if fault != nil {
		return fault
	}
	session, fault := establish(conn, *c, deadline)
	if fault != nil {
		return fault
	}
	peer := session.peer
	s.emit("established", map[string]any{"peer": peer.Node, "holdMs": session.agreed.HoldMs, "version": session.agreed.Version})
	if d := time.Since(time.UnixMilli(peer.Time)).Abs(); d > 5*time.Second { // §8
		fmt.Fprintln(diag, "peer: the clocks differ by", d.Round(time.Millisecond))
	}
	s.rib = newAdjRibIn(o.node, peer.Node, s.emit)
	s.tell(0)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, o.stay)
	defer cancel()
	return session.run("cp", s, time.After(o.withdrawAfter), ctx.Done())
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
