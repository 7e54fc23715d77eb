package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// The codes of a NOTIFICATION, from 1 on (session.md §4.6).
var sessionCodes = []Code{"stopped", "restarting", "collision", "hold_expired", "handshake_timeout", "frame_invalid",
	"message_malformed", "message_unexpected", "version_unsupported", "protocol_unsupported", "identity_mismatch",
	"not_admitted", "self_connection", "open_mismatch", "credit_exceeded", "rate_exceeded", "too_many_sessions",
	"not_reading", "certificate_expired", "protocol_error", "internal_error", "too_soon"}

// Identity is what a certificate says of the other end; ID is nil if it names nobody.
type Identity struct {
	ID         *SpiffeID
	Thumbprint []byte
}

// Agreement is what follows from two OPENs.
type Agreement struct {
	Version, HoldMs, MaxFrame int64
	Channels                  []*Channel
	Unavailable               []string // both name them, and they are left out
}

func (a *Agreement) channel(name string) *Channel {
	for _, c := range a.Channels {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// judge does steps 1 to 7 of session.md §5.2. cert is nil on a plain transport; admit says why not.
func judge(own, theirs *Open, dialler bool, cert *Identity, expected string, admit func(protocol string) error) (*Agreement, *Fault) {
	version := highest(own.Versions, theirs.Versions)
	if version == 0 {
		return nil, refuse("version_unsupported", fmt.Sprintf("versions %v here, %v there", own.Versions, theirs.Versions))
	}
	if theirs.Node == own.Node {
		return nil, refuse("self_connection", "")
	}
	if dialler && expected != "" && theirs.Node != expected {
		return nil, refuse("identity_mismatch", "dialled "+expected)
	}
	if cert != nil && (cert.ID == nil || cert.ID.name() != theirs.Node || cert.ID.Domain != theirs.Domain || !bytes.Equal(cert.Thumbprint, theirs.Thumbprint)) {
		return nil, refuse("identity_mismatch", "the certificate says otherwise")
	}
	if dialler && theirs.Purpose != own.Purpose {
		return nil, refuse("open_mismatch", "purpose")
	}
	admitted := map[string]bool{}
	var reason error
	for _, o := range own.Offers {
		err := admit(o.Name)
		admitted[o.Name] = err == nil
		if reason == nil {
			reason = err
		}
	}
	a := &Agreement{Version: version, HoldMs: min(own.HoldMs, theirs.HoldMs), MaxFrame: theirs.MaxFrame, Unavailable: []string{}}
	spoken := false
	for _, o := range own.Offers {
		spoken = spoken || admitted[o.Name]
		i := slices.IndexFunc(theirs.Offers, func(t Offer) bool { return t.Name == o.Name })
		if i < 0 {
			continue
		}
		t := theirs.Offers[i]
		if v := highest(o.Versions, t.Versions); v != 0 && admitted[o.Name] {
			a.Channels = append(a.Channels, &Channel{Name: o.Name, Version: v, SendWindow: t.Window, ReceiveWindow: o.Window})
		} else {
			a.Unavailable = append(a.Unavailable, o.Name)
		}
	}
	if !spoken {
		return nil, refuse("not_admitted", reason.Error())
	}
	if len(a.Channels) == 0 {
		return nil, refuse("protocol_unsupported", "")
	}
	return a, nil
}

// transcript: session.md §4.2, of the payloads of both OPENs.
func transcript(dialler, listener []byte) []byte {
	d, l := sha256.Sum256(dialler), sha256.Sum256(listener)
	t := sha256.Sum256(append(d[:], l[:]...))
	return t[:]
}

// rivalStays decides a collision for who was dialled (session.md §6); rivalIncarnation is nil while it is not known.
func rivalStays(own, peer string, incarnation []byte, rivalDialledByPeer bool, rivalIncarnation []byte) bool {
	switch {
	case rivalIncarnation != nil && !bytes.Equal(rivalIncarnation, incarnation):
		return false
	case rivalDialledByPeer:
		return false
	}
	return own > peer
}

// Channel is one protocol in a session, with the credit of both directions (session.md §7).
type Channel struct {
	Name                      string
	Version                   int64
	SendWindow, ReceiveWindow Amount

	sent, credited        Amount // as sender
	received, taken, told Amount // as receiver
}

func (a Amount) plus(n int) Amount { return Amount{a.Messages + 1, a.Bytes + int64(n)} }

func (a Amount) within(base, window Amount) bool {
	return a.Messages-base.Messages <= window.Messages && a.Bytes-base.Bytes <= window.Bytes
}

func (a Amount) quarter(base, window Amount) bool {
	return 4*(a.Messages-base.Messages) >= window.Messages || 4*(a.Bytes-base.Bytes) >= window.Bytes
}

// fits says whether a message of n bytes may be sent now.
func (c *Channel) fits(n int) bool { return c.sent.plus(n).within(c.credited, c.SendWindow) }

func (c *Channel) send(n int) { c.sent = c.sent.plus(n) }

// credit is a CREDIT that came.
func (c *Channel) credit(taken Amount) *Fault {
	if taken.Messages > c.sent.Messages || taken.Bytes > c.sent.Bytes || taken.Messages < c.credited.Messages ||
		taken.Bytes < c.credited.Bytes || !taken.quarter(c.credited, c.SendWindow) {
		return refuse("credit_exceeded", "CREDIT of "+c.Name)
	}
	c.credited = taken
	return nil
}

// receive is a MESSAGE of n bytes that came.
func (c *Channel) receive(n int) *Fault {
	c.received = c.received.plus(n)
	if !c.received.within(c.told, c.ReceiveWindow) {
		return refuse("credit_exceeded", "MESSAGE of "+c.Name)
	}
	return nil
}

// take: the reader took a message of n bytes.
func (c *Channel) take(n int) { c.taken = c.taken.plus(n) }

// due says whether a CREDIT is to be sent.
func (c *Channel) due() bool { return c.taken.quarter(c.told, c.ReceiveWindow) }

// bucket fills evenly, up to size in the time fill.
type bucket struct {
	size, level float64
	fill        time.Duration
	at          time.Time
}

func newBucket(size float64, fill time.Duration, now time.Time) *bucket {
	return &bucket{size, size, fill, now}
}

func (b *bucket) take(n float64, now time.Time) bool {
	b.level = min(b.size, b.level+b.size*float64(now.Sub(b.at))/float64(b.fill))
	b.at = now
	b.level -= n
	return b.level >= 0
}
