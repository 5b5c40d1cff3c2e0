// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/netsim"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("evasion: %v", err))
	}
	return v
}

// serialize returns the bytes of layers, with lengths and checksums.
func serialize(ls ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		panic(fmt.Sprintf("evasion: %v", err))
	}
	return slices.Clone(buf.Bytes())
}

func (s *site) mac(h *netsim.Host) net.HardwareAddr {
	if h.External {
		return s.router.MAC
	}
	return h.MAC
}

// headers returns Ethernet and IP headers from a to b.
func (s *site) headers(a, b *netsim.Host, proto layers.IPProtocol) (*layers.Ethernet, gopacket.NetworkLayer) {
	eth := &layers.Ethernet{SrcMAC: s.mac(a), DstMAC: s.mac(b), EthernetType: layers.EthernetTypeIPv4}
	ttl := 64 - a.Hops
	if a.IP.Is4() {
		return eth, &layers.IPv4{Version: 4, IHL: 5, TTL: ttl, Id: uint16(s.IntN(65536)), Protocol: proto, SrcIP: a.IP.AsSlice(), DstIP: b.IP.AsSlice()}
	}
	eth.EthernetType = layers.EthernetTypeIPv6
	return eth, &layers.IPv6{Version: 6, HopLimit: ttl, NextHeader: proto, SrcIP: a.IP.AsSlice(), DstIP: b.IP.AsSlice()}
}

// frame adds an IP packet with the given layers.
func (s *site) frame(at time.Time, a, b *netsim.Host, proto layers.IPProtocol, ls ...gopacket.SerializableLayer) {
	eth, ip := s.headers(a, b, proto)
	if c, ok := ls[0].(interface {
		SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
	}); ok {
		if err := c.SetNetworkLayerForChecksum(ip); err != nil {
			panic(fmt.Sprintf("evasion: %v", err))
		}
	}
	s.Raw(at, serialize(append([]gopacket.SerializableLayer{eth, ip.(gopacket.SerializableLayer)}, ls...)...))
}

const (
	client = 0
	server = 1
)

// wire is a TCP connection over IPv4 whose segments are built one by one.
type wire struct {
	s    *site
	at   time.Time
	host [2]*netsim.Host
	port [2]uint16
	next [2]uint32 // sequence numbers

	stamps bool // both ends use timestamps (RFC 7323)
}

// seg is a segment. Its sequence number is off bytes beyond the next of the sender; stray segments do not move that.
type seg struct {
	from     int
	flags    string // letters of SYN, ACK, FIN, RST, PSH, URG: "SAFRPU"
	data     string
	off      int
	stray    bool
	ttl      uint8 // 0: that of the sender
	wrongSum bool
	urgent   uint16
	oldStamp bool // its timestamp is far in the past, so that the receiver drops it
}

// wire returns a connection without packets.
func (s *site) wire(at time.Time, c *netsim.Host, cport uint16, srv *netsim.Host, port uint16) *wire {
	return &wire{s: s, at: at, host: [2]*netsim.Host{c, srv}, port: [2]uint16{cport, port}, next: [2]uint32{uint32(s.IntN(1 << 30)), uint32(s.IntN(1 << 30))}}
}

// open adds the handshake.
func (w *wire) open() *wire {
	return w.add(seg{from: client, flags: "S"}, seg{from: server, flags: "SA"}, seg{from: client, flags: "A"})
}

// add appends segments, 5 ms apart.
func (w *wire) add(segs ...seg) *wire {
	for _, g := range segs {
		w.at = w.at.Add(5 * time.Millisecond)
		eth, ip, t := w.layers(g)
		b := serialize(eth, ip, t, gopacket.Payload(g.data))
		if g.wrongSum {
			b[14+20+16] ^= 0x55
		}
		w.s.Raw(w.at, b)
		if !g.stray {
			w.next[g.from] += uint32(len(g.data))
			if t.SYN || t.FIN {
				w.next[g.from]++
			}
		}
	}
	return w
}

func (w *wire) layers(g seg) (*layers.Ethernet, *layers.IPv4, *layers.TCP) {
	me, peer := g.from, 1-g.from
	eth, n := w.s.headers(w.host[me], w.host[peer], layers.IPProtocolTCP)
	ip := n.(*layers.IPv4)
	if g.ttl > 0 {
		ip.TTL = g.ttl
	}
	has := func(f rune) bool { return slices.Contains([]rune(g.flags), f) }
	t := &layers.TCP{SrcPort: layers.TCPPort(w.port[me]), DstPort: layers.TCPPort(w.port[peer]), Seq: w.next[me] + uint32(g.off), Window: 29200,
		SYN: has('S'), ACK: has('A'), FIN: has('F'), RST: has('R'), PSH: has('P'), URG: has('U'), Urgent: g.urgent}
	if t.ACK {
		t.Ack = w.next[peer]
	}
	if t.SYN {
		t.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 180}}}
	}
	if w.stamps {
		stamp := uint32(w.at.Unix())
		if g.oldStamp {
			stamp -= 1 << 20
		}
		data := binary.BigEndian.AppendUint32(nil, stamp)
		t.Options = append(t.Options, layers.TCPOption{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: binary.BigEndian.AppendUint32(data, uint32(w.at.Unix()))})
	}
	if err := t.SetNetworkLayerForChecksum(ip); err != nil {
		panic(fmt.Sprintf("evasion: %v", err))
	}
	return eth, ip, t
}

// answer adds the 200 of a web server and the end of the connection.
func (w *wire) answer() {
	w.add(seg{from: server, flags: "PA", data: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, seg{from: client, flags: "FA"},
		seg{from: server, flags: "FA"}, seg{from: client, flags: "A"})
}
