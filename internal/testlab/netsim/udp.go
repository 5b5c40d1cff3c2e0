// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"time"

	"github.com/google/gopacket"
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
		n.echo(t, client, server, layers.ICMPv4TypeEchoRequest, id, uint16(i+1), payload)
		at2 := t.Add(n.jitter(server.Delay))
		if answered {
			n.echo(at2, server, client, layers.ICMPv4TypeEchoReply, id, uint16(i+1), payload)
		}
	}
	return at.Add(time.Duration(max(count-1, 0)) * time.Second)
}

func (n *Net) echo(at time.Time, src, dst *Host, typ uint8, id, seq uint16, payload []byte) {
	l := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, 0), Id: id, Seq: seq}
	eth, ip := n.ip(src, dst, layers.IPProtocolICMPv4)
	n.put(at, 0, eth, ip.(gopacket.SerializableLayer), l, gopacket.Payload(payload))
}

func pingPattern() []byte {
	b := make([]byte, 40)
	for i := range b {
		b[i] = byte(0x10 + i)
	}
	return b
}
