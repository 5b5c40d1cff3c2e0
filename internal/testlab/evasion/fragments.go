// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// piece is a fragment: bytes of the datagram from off.
type piece struct {
	off  int
	data []byte
	more bool
}

// fragments are the tricks of Ptacek and Newsham with IP fragments.
func fragments() []Case {
	const group = "IP fragments and headers"
	c := func(name, trick, missed string, build func(*site)) Case {
		return struck(group, name, trick, missed, build)
	}
	return []Case{
		c("frag-tiny", "The request comes in fragments of 8 bytes, the TCP header in the first three.", "", func(s *site) {
			s.fragmented(func(b []byte) []piece { return cut(b, 8) })
		}),
		c("frag-reversed", "The fragments of the request come in reverse order.", "", func(s *site) {
			s.fragmented(func(b []byte) []piece {
				ps := cut(b, 16)
				for i, j := 0, len(ps)-1; i < j; i, j = i+1, j-1 {
					ps[i], ps[j] = ps[j], ps[i]
				}
				return ps
			})
		}),
		c("frag-overlap-second", "Two fragments overlap: the first has the request, the second other data.", "", func(s *site) {
			s.fragmented(func(b []byte) []piece { return overlapping(b, b, []byte(decoy)) })
		}),
		c("frag-overlap-first", "The same, but the first has harmless data. The target keeps what comes last.",
			"Nothing in the packets shows which of the two the target keeps; the sensor keeps the first.", func(s *site) {
				s.fragmented(func(b []byte) []piece {
					tcp := len(b) - len(exploit)
					harmless := append(append([]byte{}, b[:tcp]...), decoy...)
					return overlapping(b, harmless, []byte(exploit))
				})
			}),
		c("frag-duplicate", "Each fragment of the request is sent twice.", "", func(s *site) {
			s.fragmented(func(b []byte) []piece {
				var ps []piece
				for _, p := range cut(b, 24) {
					ps = append(ps, p, p)
				}
				return ps
			})
		}),
		{Name: "frag-syn", Group: group, Rule: "D01", Device: "srv-legacy",
			Trick: "A silent server sends the SYNs of its sessions in fragments of 8 bytes.",
			build: func(s *site) {
				w := s.wire(s.start, s.legacy, 45018, s.attacker, 8443)
				eth, ip, t := w.layers(seg{from: client, flags: "S"})
				s.pieces(w.at, eth, ip, cut(serialize(t), 8))
				w.next[client]++
				w.add(seg{from: server, flags: "SA"}, seg{from: client, flags: "A"}, seg{from: client, flags: "PA", data: string(s.Bytes(500))}, seg{from: server, flags: "PA", data: string(s.Bytes(500))})
			}},
		{Name: "ip-options", Group: group, Rule: "D01", Device: "srv-legacy",
			Trick: "A silent server puts IP options (record route) before the TCP header of each packet.",
			build: func(s *site) {
				w := s.wire(s.start, s.legacy, 45019, s.attacker, 8443)
				for _, g := range []seg{{from: client, flags: "S"}, {from: server, flags: "SA"}, {from: client, flags: "A"}, {from: client, flags: "PA", data: "data"}} {
					eth, ip, t := w.layers(g)
					ip.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: 39, OptionData: make([]byte, 37)}}
					w.at = w.at.Add(20 * time.Millisecond)
					s.Raw(w.at, serialize(eth, ip, t, gopacket.Payload(g.data)))
					w.next[g.from] += uint32(len(g.data))
					if t.SYN {
						w.next[g.from]++
					}
				}
			}},
		{Name: "ip6-extension-headers", Group: group, Rule: "D01", Device: "srv-legacy",
			Trick: "A silent server puts hop-by-hop options, destination options and an atomic fragment header before the TCP header.",
			build: func(s *site) { s.extended() }},
	}
}

// fragmented adds a connection whose request comes in pieces.
func (s *site) fragmented(split func(tcp []byte) []piece) {
	w := s.web().open()
	eth, ip, t := w.layers(seg{from: client, flags: "PA"})
	b := serialize(t, gopacket.Payload(exploit))
	w.at = w.at.Add(10 * time.Millisecond)
	s.pieces(w.at, eth, ip, split(b))
	w.next[client] += uint32(len(exploit))
	w.answer()
}

// pieces adds fragments, 1 ms apart.
func (s *site) pieces(at time.Time, eth *layers.Ethernet, ip *layers.IPv4, ps []piece) {
	for i, p := range ps {
		h := *ip
		h.FragOffset = uint16(p.off / 8)
		if p.more {
			h.Flags = layers.IPv4MoreFragments
		}
		s.Raw(at.Add(time.Duration(i)*time.Millisecond), serialize(eth, &h, gopacket.Payload(p.data)))
	}
}

// cut returns a datagram in fragments of k bytes.
func cut(b []byte, k int) (ps []piece) {
	for off := 0; off < len(b); off += k {
		end := min(off+k, len(b))
		ps = append(ps, piece{off, b[off:end], end < len(b)})
	}
	return ps
}

// overlapping returns the fragments of first, of which the middle one is sent again with the bytes of another request, before the last.
func overlapping(real, first []byte, request []byte) []piece {
	tcp := len(real) - len(request)
	second := append(append([]byte{}, real[:tcp]...), request...)
	return []piece{{0, first[:24], true}, {24, first[24:64], true}, {24, second[24:64], true}, {64, real[64:], false}}
}

// extended adds a session over IPv6 with extension headers in front of TCP.
func (s *site) extended() {
	a, b := s.Host("", "2001:db8:20:10::17", "b8:ca:3a:00:00:17", 0), s.External("2001:db8:66::1", 0, 40*time.Millisecond)
	at := s.start
	send := func(from, to int, t *layers.TCP, data []byte) {
		hosts := [2]*struct{ ip, mac []byte }{{a.IP.AsSlice(), s.mac(a)}, {b.IP.AsSlice(), s.mac(b)}}
		eth := &layers.Ethernet{SrcMAC: hosts[from].mac, DstMAC: hosts[to].mac, EthernetType: layers.EthernetTypeIPv6}
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolIPv6HopByHop, SrcIP: hosts[from].ip, DstIP: hosts[to].ip}
		if err := t.SetNetworkLayerForChecksum(ip); err != nil {
			panic(err)
		}
		// Hop-by-hop and destination options, each a PadN of 6 bytes (RFC 8200 section 4.2), then a fragment header with offset 0 and no more.
		chain := []byte{60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 1, 2, 3, 4}
		at = at.Add(20 * time.Millisecond)
		s.Raw(at, serialize(eth, ip, gopacket.Payload(append(chain, serialize(t, gopacket.Payload(data))...))))
	}
	const cport, port = 45020, 8443
	send(0, 1, &layers.TCP{SrcPort: cport, DstPort: port, Seq: 100, SYN: true, Window: 29200}, nil)
	send(1, 0, &layers.TCP{SrcPort: port, DstPort: cport, Seq: 900, Ack: 101, SYN: true, ACK: true, Window: 29200}, nil)
	send(0, 1, &layers.TCP{SrcPort: cport, DstPort: port, Seq: 101, Ack: 901, ACK: true, PSH: true, Window: 29200}, s.Bytes(200))
	send(1, 0, &layers.TCP{SrcPort: port, DstPort: cport, Seq: 901, Ack: 301, ACK: true, PSH: true, Window: 29200}, s.Bytes(200))
}
