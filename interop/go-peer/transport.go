package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

const alpn = "catalyst-session/1"

// keyThumbprint: session.md §2.1, 6.
func keyThumbprint(c *x509.Certificate) ([]byte, error) {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key is not one of P-256")
	}
	point, err := key.ECDH()
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	xy := point.Bytes()[1:] // after the 04 of an uncompressed point
	sum := sha256.Sum256([]byte(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64(xy[:32]), b64(xy[32:]))))
	return sum[:], nil
}

// identify reads who a leaf is of: session.md §2.1, 4 and 6.
func identify(leaf *x509.Certificate) (*Identity, error) {
	thumbprint, err := keyThumbprint(leaf)
	if err != nil {
		return nil, err
	}
	if len(leaf.URIs) != 1 {
		return nil, errors.New("not exactly one URI among the alternative names")
	}
	id, ok := parseSpiffeID(leaf.URIs[0].String())
	if !ok || !isName(id.name()) {
		return nil, errors.New("no SPIFFE id: " + leaf.URIs[0].String())
	}
	return &Identity{&id, thumbprint}, nil
}

// verify does session.md §2.1, 1 to 5, of a handshake. roots are those of domain alone.
func verify(state tls.ConnectionState, roots *x509.CertPool, domain string) (*Identity, error) {
	switch {
	case state.Version != tls.VersionTLS13 || state.DidResume:
		return nil, errors.New("not a new connection of TLS 1.3")
	case state.NegotiatedProtocol != alpn:
		return nil, fmt.Errorf("ALPN negotiated %q", state.NegotiatedProtocol)
	case len(state.PeerCertificates) == 0:
		return nil, errors.New("no certificate")
	}
	leaf, between := state.PeerCertificates[0], x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			return nil, err
		}
		if !slices.Contains(leaf.ExtKeyUsage, usage) {
			return nil, errors.New("the certificate is not good for both ends")
		}
	}
	id, err := identify(leaf)
	if err != nil {
		return nil, err
	}
	if id.ID.Domain != domain {
		return nil, fmt.Errorf("no root is trusted for %s", id.ID.Domain)
	}
	return id, nil
}

// secrets are the certificate of this end, and whom it trusts.
type secrets struct {
	chain  tls.Certificate
	own    *Identity
	roots  *x509.CertPool
	domain string // whose roots they are
}

func loadSecrets(cert, key, roots, node, domain string) (*secrets, error) {
	chain, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(chain.Certificate[0])
	if err != nil {
		return nil, err
	}
	own, err := identify(leaf)
	if err != nil {
		return nil, err
	}
	if own.ID.name() != node || own.ID.Domain != domain {
		return nil, fmt.Errorf("the certificate is of %s", own.ID)
	}
	pem, err := os.ReadFile(roots)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + roots)
	}
	return &secrets{chain, own, pool, domain}, nil
}

// tlsConfig serves both ends. Verifying is all in VerifyConnection: host names play no role.
func (s *secrets) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn}, SessionTicketsDisabled: true,
		InsecureSkipVerify: true, ClientAuth: tls.RequireAnyClientCert,
		Certificates:         []tls.Certificate{s.chain},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &s.chain, nil },
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := verify(state, s.roots, s.domain)
			return err
		},
	}
}

// admit is step 6 of session.md §5.2 for cp, with enrolment.md §2: who speaks it, and under which DNS names.
func admit(leaf *x509.Certificate, id *Identity) func(string) error {
	return func(protocol string) error {
		if id.ID.Process != "orchestrator" {
			return fmt.Errorf("process_unfit: %s does not speak %s", id.ID.Process, protocol)
		}
		other := slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return n != id.ID.name() })
		if other || len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0 {
			return errors.New("certificate_unnamed: other alternative names")
		}
		return nil
	}
}

// dial has the transport, as session.md §2 demands it, or a fault that nobody is told.
func dial(address string, s *secrets, c *config, deadline time.Time) (net.Conn, *Fault) {
	fault := func(code Code, err error) (net.Conn, *Fault) { return nil, &Fault{Code: code, Text: err.Error()} }
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", address)
	if err != nil {
		return fault("lost", err)
	}
	if s == nil {
		return conn, nil
	}
	conn.SetDeadline(deadline)
	secure := tls.Client(conn, s.tlsConfig())
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return fault("tls", err)
	}
	leaf := secure.ConnectionState().PeerCertificates[0]
	id, err := identify(leaf)
	switch { // §2.1, 7: without any byte of a session
	case err != nil:
	case id.ID.name() == c.own.Node:
		secure.Close()
		return fault("self_connection", errors.New(id.ID.String()))
	case c.expected != "" && id.ID.name() != c.expected:
		secure.Close()
		return fault("identity_mismatch", errors.New(id.ID.String()))
	}
	c.cert, c.expires, c.admit = id, leaf.NotAfter, admit(leaf, id)
	return secure, nil
}
