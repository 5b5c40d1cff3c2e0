// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// pkt is one decoded frame of a story.
type pkt struct {
	at       time.Time
	eth      *layers.Ethernet
	arp      *layers.ARP
	src, dst netip.Addr
	tcp      *layers.TCP
	udp      *layers.UDP
	icmp     *layers.ICMPv4
	payload  []byte
	wire     int // transport payload by the IP header
	cut      bool
}

func capture(t *testing.T, name string, seed uint64) []byte {
	t.Helper()
	files, err := render(name, seed)
	if err != nil {
		t.Fatal(err)
	}
	return files[0].data
}

// load decodes every frame with gopacket. It fails on a frame that cannot be decoded or is earlier than the previous one.
func load(t *testing.T, pcap []byte) []pkt {
	t.Helper()
	r, err := pcapgo.NewReader(bytes.NewReader(pcap))
	if err != nil {
		t.Fatal(err)
	}
	var out []pkt
	for i := 0; ; i++ {
		data, ci, err := r.ReadPacketData()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy)
		cut := ci.CaptureLength < ci.Length
		if e := p.ErrorLayer(); e != nil && !cut {
			t.Fatalf("frame %d: %v", i, e.Error())
		}
		if len(out) > 0 && ci.Timestamp.Before(out[len(out)-1].at) {
			t.Fatalf("frame %d is before the one in front of it", i)
		}
		out = append(out, view(p, ci.Timestamp, cut))
	}
}

func view(p gopacket.Packet, at time.Time, cut bool) pkt {
	k := pkt{at: at.UTC(), cut: cut, eth: p.LinkLayer().(*layers.Ethernet)}
	k.arp, _ = p.Layer(layers.LayerTypeARP).(*layers.ARP)
	ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if !ok {
		return k
	}
	k.src, _ = netip.AddrFromSlice(ip.SrcIP)
	k.dst, _ = netip.AddrFromSlice(ip.DstIP)
	k.icmp, _ = p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	k.udp, _ = p.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if k.tcp, ok = p.Layer(layers.LayerTypeTCP).(*layers.TCP); ok {
		k.payload = k.tcp.Payload
		k.wire = int(ip.Length) - int(ip.IHL)*4 - int(k.tcp.DataOffset)*4
	}
	return k
}

type flow struct {
	src, dst     netip.Addr
	sport, dport uint16
}

func (k pkt) flow() flow { return flow{k.src, k.dst, uint16(k.tcp.SrcPort), uint16(k.tcp.DstPort)} }

func (f flow) back() flow { return flow{f.dst, f.src, f.dport, f.sport} }

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }
