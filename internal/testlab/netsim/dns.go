// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Lookup adds an A query and its answer; without addresses the answer is NXDOMAIN.
func (n *Net) Lookup(at time.Time, client, resolver *Host, name string, addrs ...string) time.Time {
	id := uint16(n.rng.Uint32())
	q := dnsmessage.Question{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	ask := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	got := ask
	got.Header.Response, got.Header.RecursionAvailable = true, true
	if len(addrs) == 0 {
		got.Header.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addrs {
		got.Answers = append(got.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 300},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()}})
	}
	return n.Exchange(at, client, resolver, 53, packDNS(ask), packDNS(got))
}

func packDNS(m dnsmessage.Message) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(fmt.Sprintf("netsim: dns: %v", err))
	}
	return b
}

// MDNSAnnounce adds an unsolicited mDNS response (RFC 6762 section 8.3) that offers a service: PTR, SRV and TXT.
// Examples: service "_axis-video._tcp.local", instance without the service, host "axis-accc8e000001.local".
func (n *Net) MDNSAnnounce(at time.Time, h *Host, service, instance, host string, port uint16, txt ...string) time.Time {
	name := func(s string) dnsmessage.Name { return dnsmessage.MustNewName(s + ".") }
	head := func(s string, t dnsmessage.Type) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name(s), Type: t, Class: dnsmessage.ClassINET, TTL: 4500}
	}
	full := instance + "." + service
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}, Answers: []dnsmessage.Resource{
		{Header: head(service, dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: name(full)}},
		{Header: head(full, dnsmessage.TypeSRV), Body: &dnsmessage.SRVResource{Port: port, Target: name(host)}},
		{Header: head(host, dnsmessage.TypeA), Body: &dnsmessage.AResource{A: h.IP.As4()}},
	}}
	if len(txt) > 0 {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: head(full, dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: txt}})
	}
	return n.Multicast(at, h, 5353, "224.0.0.251", 5353, packDNS(m))
}
