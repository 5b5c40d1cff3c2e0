// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"time"

	"github.com/google/gopacket/layers"
)

// UDP adds a datagram and returns the time after it.
func (n *Net) UDP(at time.Time, src *Host, sport uint16, dst *Host, dport uint16, payload []byte) time.Time {
	u := &layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
	n.transport(at, 0, src, dst, layers.IPProtocolUDP, u, payload)
	return at
}

// Multicast adds a datagram to a group or to 255.255.255.255.
func (n *Net) Multicast(at time.Time, src *Host, sport uint16, to string, dport uint16, payload []byte) time.Time {
	return n.UDP(at, src, sport, group(to), dport, payload)
}

// Exchange adds a datagram from an ephemeral port and, if answer is not nil, its answer. It returns the time of the last one.
func (n *Net) Exchange(at time.Time, client, server *Host, port uint16, ask, answer []byte) time.Time {
	cport := n.ephemeral(client.IP)
	n.UDP(at, client, cport, server, port, ask)
	if answer == nil {
		return at
	}
	return n.UDP(at.Add(n.jitter(server.Delay)), server, port, client, cport, answer)
}

// Ping adds count echo requests, one a second, with the payload of ping(8), and replies if answered is true.
func (n *Net) Ping(at time.Time, client, server *Host, count int, answered bool) time.Time {
	id := uint16(n.rng.Uint32())
	for i := range count {
		t := at.Add(time.Duration(i) * time.Second)
		payload := append(make([]byte, 16), pingPattern()...)
		n.Echo(t, client, server, false, id, uint16(i+1), payload)
		at2 := t.Add(n.jitter(server.Delay))
		if answered {
			n.Echo(at2, server, client, true, id, uint16(i+1), payload)
		}
	}
	return at.Add(time.Duration(max(count-1, 0)) * time.Second)
}

// Echo adds an echo request, or a reply, over ICMP or ICMPv6.
func (n *Net) Echo(at time.Time, src, dst *Host, reply bool, id, seq uint16, payload []byte) {
	if !src.IP.Is4() {
		typ := uint8(layers.ICMPv6TypeEchoRequest)
		if reply {
			typ = layers.ICMPv6TypeEchoReply
		}
		rest := append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), seq), payload...)
		n.transport(at, 0, src, dst, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}, rest)
		return
	}
	typ := uint8(layers.ICMPv4TypeEchoRequest)
	if reply {
		typ = layers.ICMPv4TypeEchoReply
	}
	l := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, 0), Id: id, Seq: seq}
	n.transport(at, 0, src, dst, layers.IPProtocolICMPv4, l, payload)
}

func pingPattern() []byte {
	b := make([]byte, 40)
	for i := range b {
		b[i] = byte(0x10 + i)
	}
	return b
}
