// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/net/dns/dnsmessage"

	"stillwatch/internal/testlab/netsim"
)

// covert are channels inside what a device may do anyway.
func covert() []Case {
	const group = "Allowed services and covert channels"
	return []Case{
		{Name: "dns-tunnel", Group: group, Device: "cam-01", Rule: "D19",
			Trick: "A camera sends data in names below one domain, through the resolver of the inventory.",
			build: func(s *site) {
				s.every(4*time.Second, 120, func(_ int, at time.Time) {
					s.Lookup(at, s.cam, s.dns, hex.EncodeToString(s.Bytes(24))+".t.example.org", "192.0.2.7")
				})
			}},
		{Name: "dns-beacon-names", Group: group, Device: "cam-01", Rule: "D19",
			Trick: "A camera looks up a new short name below one domain every eight minutes, through the resolver of the inventory.",
			build: func(s *site) {
				s.every(8*time.Minute, 150, func(i int, at time.Time) {
					s.Lookup(at, s.cam, s.dns, fmt.Sprintf("a%d.example.org", i), "192.0.2.7")
				})
			}},
		{Name: "dns-beacon-txt", Group: group, Device: "cam-01", Rule: "D19",
			Trick:  "A camera asks for the TXT record of one name every ten minutes, through the resolver of the inventory; orders come in the answers.",
			Missed: "Each lookup is ordinary and the name never changes. Few queries of one name do not differ from those of a program that reads its settings from DNS.",
			build: func(s *site) {
				s.every(10*time.Minute, 144, func(_ int, at time.Time) { s.txt(at, s.cam, "cfg.example.org", 120) })
			}},
		{Name: "dns-raw", Group: group, Device: "srv-legacy", Rule: "D10",
			Trick: "A silent server exchanges data that is no DNS with port 53 of the resolver of the inventory.",
			build: func(s *site) {
				s.every(time.Minute, 30, func(_ int, at time.Time) { s.Exchange(at, s.legacy, s.dns, 53, s.Bytes(90), s.Bytes(200)) })
			}},
		{Name: "ntp-beacon", Group: group, Device: "cam-01", Rule: "D10",
			Trick: "A camera puts data into the extension fields of NTP packets to the time server of the inventory, one every 8 s.",
			build: func(s *site) {
				s.every(8*time.Second, 900, func(_ int, at time.Time) { s.timePackets(at, s.cam, 400) })
			}},
		{Name: "ntp-slow", Group: group, Device: "cam-01", Rule: "D10",
			Trick:  "The same with the 64 s between packets that clients use.",
			Missed: "Size and rate stay within the budget of a time server, and extension fields are allowed (RFC 7822).",
			build: func(s *site) {
				s.every(64*time.Second, 600, func(_ int, at time.Time) { s.timePackets(at, s.cam, 64) })
			}},
	}
}

// sideChannels are channels beside those that a contract names: ICMP, link-local addresses, a name that hides another.
func sideChannels() []Case {
	const group = "Allowed services and covert channels"
	return []Case{
		{Name: "icmp-silent", Group: group, Device: "srv-legacy", Rule: "D01",
			Trick: "A silent server sends data in echo requests to an external host, one every ten minutes.",
			build: func(s *site) {
				s.every(10*time.Minute, 20, func(i int, at time.Time) { s.echo(at, s.legacy, s.attacker, i, s.Bytes(48), s.Bytes(64)) })
			}},
		{Name: "icmp-tunnel", Group: group, Device: "mac:00:1e:c9:00:00:22", Rule: "D23",
			Trick: "A workstation exchanges random data with an external host in echo requests and replies.",
			build: func(s *site) {
				s.every(time.Second, 300, func(i int, at time.Time) { s.echo(at, s.clerk, s.attacker, i, s.Bytes(700), s.Bytes(900)) })
			}},
		{Name: "icmp-replies", Group: group, Device: "srv-legacy", Rule: "D01",
			Trick:  "A silent server sends data in echo replies that nobody asked for.",
			Missed: "The mirror may have lost the requests, so a reply does not show that the device opened anything.",
			build: func(s *site) {
				s.every(time.Minute, 60, func(i int, at time.Time) {
					s.icmp(at, s.legacy, s.attacker, layers.ICMPv4TypeEchoReply, i, s.Bytes(120))
				})
			}},
		{Name: "link-local", Group: group, Device: "srv-legacy", Rule: "D01",
			Trick: "A silent server opens SSH to its neighbor by IPv6 link-local addresses, which no contract names.",
			build: func(s *site) {
				a := s.Host("srv-legacy", "fe80::baca:3aff:fe00:17", "b8:ca:3a:00:00:17", netsim.Linux)
				b := s.Host("srv-gate", "fe80::ae1f:6bff:fe00:21", "ac:1f:6b:00:00:21", netsim.Linux)
				s.DialSSH(s.start, a, b, 22, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Login("root", 0, true).Shell().Type(30, 900)
			}},
		{Name: "icmp6-link-local", Group: group, Device: "srv-legacy", Rule: "D01",
			Trick: "A silent server sends data to its neighbor in ICMPv6 echo requests between link-local addresses.",
			build: func(s *site) {
				a := s.Host("srv-legacy", "fe80::baca:3aff:fe00:17", "b8:ca:3a:00:00:17", netsim.Linux)
				b := s.Host("srv-gate", "fe80::ae1f:6bff:fe00:21", "ac:1f:6b:00:00:21", netsim.Linux)
				s.every(30*time.Second, 40, func(i int, at time.Time) {
					s.icmp6(at, a, b, layers.ICMPv6TypeEchoRequest, i, s.Bytes(90))
					s.icmp6(at.Add(time.Millisecond), b, a, layers.ICMPv6TypeEchoReply, i, s.Bytes(90))
				})
			}},
		{Name: "domain-fronting", Group: group, Device: "nvr", Rule: "D03",
			Trick:  "A recorder reaches its control server behind a content network: the name in the TLS hello is one that its contract allows.",
			Missed: "The true host is named inside TLS only. Address, name and fingerprint are those that the contract allows.",
			build: func(s *site) {
				s.Lookup(s.start.Add(-time.Second), s.nvr, s.dns, "img.cdn.example.net", s.other.IP.String())
				s.every(15*time.Minute, 40, func(_ int, at time.Time) {
					s.DialTLS(at, s.nvr, s.other, 443, netsim.TLSClient{SNI: "img.cdn.example.net"}, netsim.TLSServer{Version: 0x0304}).Records(netsim.Client, 700).Records(netsim.Server, 500).Close()
				})
			}},
	}
}

// txt adds a TXT query and an answer with k bytes.
func (s *site) txt(at time.Time, from *netsim.Host, name string, k int) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: uint16(s.IntN(65536)), RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	ask := must(m.Pack())
	m.Header.Response = true
	m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
		Body: &dnsmessage.TXTResource{TXT: []string{hex.EncodeToString(s.Bytes(k / 2))}}}}
	s.Exchange(at, from, s.dns, 53, ask, must(m.Pack()))
}

// timePackets adds an NTP request and its answer, each with k bytes in an extension field (RFC 7822).
func (s *site) timePackets(at time.Time, from *netsim.Host, k int) {
	field := append([]byte{0x20, 0x05, byte((k + 4) >> 8), byte(k + 4)}, s.Bytes(k)...)
	ask := append([]byte{0x23, 0, 6, 0xec}, make([]byte, 44)...)
	got := append([]byte{0x24, 2, 6, 0xe9}, make([]byte, 44)...)
	s.UDP(at, from, 123, s.ntp, 123, append(ask, field...))
	s.UDP(at.Add(20*time.Millisecond), s.ntp, 123, from, 123, append(got, field...))
}

// echo adds an echo request and its reply.
func (s *site) echo(at time.Time, a, b *netsim.Host, i int, ask, got []byte) {
	s.icmp(at, a, b, layers.ICMPv4TypeEchoRequest, i, ask)
	s.icmp(at.Add(b.Delay), b, a, layers.ICMPv4TypeEchoReply, i, got)
}

func (s *site) icmp(at time.Time, a, b *netsim.Host, typ uint8, i int, data []byte) {
	s.frame(at, a, b, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, 0), Id: 77, Seq: uint16(i)}, gopacket.Payload(data))
}

func (s *site) icmp6(at time.Time, a, b *netsim.Host, typ uint8, i int, data []byte) {
	echo := &layers.ICMPv6Echo{Identifier: 77, SeqNumber: uint16(i)}
	s.frame(at, a, b, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}, echo, gopacket.Payload(data))
}
