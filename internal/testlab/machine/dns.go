// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"stillwatch/internal/testlab/netns"
)

// zone has the names that the resolver knows.
func zone() map[string]netip.Addr {
	return map[string]netip.Addr{
		"mail.example.com.":       addr(netns.Mail),
		"www.example.com.":        addr(netns.Web),
		"update-cdn.example.com.": addr(netns.Controller),
		"nvr.example.net.":        netns.Address(netns.Recorder),
		"files.example.net.":      netns.Address(netns.Files),
	}
}

// services starts the DNS and DHCP servers.
func (m *machine) services() error { return errors.Join(m.resolver(), m.leases()) }

// resolver answers queries for addresses.
func (m *machine) resolver() error {
	c, err := net.ListenPacket("udp4", ":53")
	if err != nil {
		return err
	}
	context.AfterFunc(m.ctx, func() { _ = c.Close() })
	m.group.Go(func() error {
		names, buf := zone(), make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return m.ctx.Err()
			}
			if b := answer(names, buf[:n]); b != nil {
				_, _ = c.WriteTo(b, from) // who asked will ask again
			}
		}
	})
	return nil
}

// answer returns the answer to a query, nil if b is not a query.
func answer(names map[string]netip.Addr, question []byte) []byte {
	var q dnsmessage.Message
	if q.Unpack(question) != nil || len(q.Questions) != 1 || q.Response {
		return nil
	}
	a := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RecursionDesired: q.RecursionDesired, RecursionAvailable: true}, Questions: q.Questions}
	ip, known := names[q.Questions[0].Name.String()]
	switch {
	case !known:
		a.RCode = dnsmessage.RCodeNameError
	case q.Questions[0].Type == dnsmessage.TypeA:
		a.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.AResource{A: ip.As4()},
		}}
	}
	b, err := a.Pack()
	if err != nil {
		return nil
	}
	return b
}

// lookup asks the resolver of the office for an address, not the resolver of the real machine.
func lookup(ctx context.Context, name string) (netip.Addr, error) {
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", netip.AddrPortFrom(netns.Address(netns.DNS), 53).String())
	}}
	ips, err := r.LookupNetIP(ctx, "ip4", name+".")
	if err != nil {
		return netip.Addr{}, err
	}
	return ips[0].Unmap(), nil
}
