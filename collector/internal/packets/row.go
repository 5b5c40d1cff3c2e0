// SPDX-License-Identifier: Apache-2.0

package packets

import (
	"fmt"
	"net"
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Row describes a packet in a table. What cannot be decoded is "".
type Row struct {
	From, To string // address with port
	Proto    string // TCP, UDP, ARP …
	Flags    string // of TCP: SYN ACK
	First    string // the first bytes of the payload, as text: other bytes are dots
	Payload  int    // bytes of the payload that the file has
}

// shownBytes is how many bytes of a payload are shown.
const shownBytes = 48

// Describe decodes a packet.
func (p *Packet) Describe() Row {
	var r Row
	if p.Link > 255 { // the library counts link types in 8 bits
		r.First, r.Payload = printable(p.Data), len(p.Data)
		return r
	}
	d := gopacket.NewPacket(p.Data, layers.LinkType(p.Link), gopacket.DecodeOptions{NoCopy: true})
	for _, l := range d.Layers() { // of tunnels, the innermost packet is the last
		r.layer(l)
	}
	if n := d.NetworkLayer(); r.From == "" && n != nil {
		flow := n.NetworkFlow()
		r.From, r.To = flow.Src().String(), flow.Dst().String()
	}
	if app := d.ApplicationLayer(); app != nil {
		r.First, r.Payload = printable(app.LayerContents()), len(app.LayerContents())
	}
	return r
}

// layer takes what the table shows from one layer.
func (r *Row) layer(l gopacket.Layer) {
	ports := func(proto string, from, to int) {
		r.Proto, r.From, r.To = proto, join(r.From, from), join(r.To, to)
	}
	switch l := l.(type) {
	case *layers.Ethernet:
		r.From, r.To, r.Proto = l.SrcMAC.String(), l.DstMAC.String(), l.EthernetType.String()
	case *layers.ARP:
		r.Proto = "ARP"
		if len(l.SourceProtAddress) == net.IPv4len && len(l.DstProtAddress) == net.IPv4len {
			r.From, r.To = net.IP(l.SourceProtAddress).String(), net.IP(l.DstProtAddress).String()
		}
	case *layers.IPv4:
		r.From, r.To, r.Proto = l.SrcIP.String(), l.DstIP.String(), l.Protocol.String()
	case *layers.IPv6:
		r.From, r.To, r.Proto = l.SrcIP.String(), l.DstIP.String(), l.NextHeader.String()
	case *layers.TCP:
		ports("TCP", int(l.SrcPort), int(l.DstPort))
		r.Flags = flags(l)
	case *layers.UDP:
		ports("UDP", int(l.SrcPort), int(l.DstPort))
	}
}

func join(addr string, port int) string { return net.JoinHostPort(addr, fmt.Sprint(port)) }

func flags(t *layers.TCP) string {
	var set []string
	for _, f := range []struct {
		is   bool
		name string
	}{{t.SYN, "SYN"}, {t.FIN, "FIN"}, {t.RST, "RST"}, {t.PSH, "PSH"}, {t.ACK, "ACK"}, {t.URG, "URG"}} {
		if f.is {
			set = append(set, f.name)
		}
	}
	return strings.Join(set, " ")
}

// printable returns the first bytes as ASCII.
func printable(b []byte) string {
	out := make([]byte, 0, shownBytes)
	for _, c := range b[:min(len(b), shownBytes)] {
		if c < ' ' || c > '~' {
			c = '.'
		}
		out = append(out, c)
	}
	return string(out)
}
