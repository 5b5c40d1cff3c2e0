// SPDX-License-Identifier: Apache-2.0

package packet

import "testing"

// decodeCase is a frame and the expected packet.
type decodeCase struct {
	name    string
	link    LinkType
	frame   []byte
	verdict Verdict
	kind    Kind
	vlans   []uint16
	tunnels []Tunnel // Src and Dst are compared only if HasOuter
	check   func(p *Packet) bool
}

// decodeCases returns all cases. They are also the seeds of the fuzz test.
func decodeCases() (all []decodeCase) {
	all = append(all, linkCases()...)
	all = append(all, tunnelCases()...)
	all = append(all, networkCases()...)
	return append(all, verdictCases()...)
}

func TestDecode(t *testing.T) {
	for _, c := range decodeCases() {
		t.Run(c.name, func(t *testing.T) {
			var p Packet
			Decode(&p, c.link, c.frame, uint32(len(c.frame)))
			checkPacket(t, &p, c.frame)
			c.compare(t, &p)
		})
	}
}

func (c *decodeCase) compare(t *testing.T, p *Packet) {
	t.Helper()
	if p.Verdict != c.verdict || p.Kind != c.kind {
		t.Errorf("verdict %v, kind %d; want %v, %d", p.Verdict, p.Kind, c.verdict, c.kind)
	}
	if int(p.NumVLANs) != len(c.vlans) {
		t.Fatalf("%d VLANs: %v", p.NumVLANs, p.VLANs)
	}
	for i, v := range c.vlans {
		if p.VLANs[i] != v {
			t.Errorf("VLAN %d, want %d", p.VLANs[i], v)
		}
	}
	if int(p.NumTunnels) != len(c.tunnels) {
		t.Fatalf("%d tunnels: %+v", p.NumTunnels, p.Tunnels[:p.NumTunnels])
	}
	for i, want := range c.tunnels {
		got := p.Tunnels[i]
		if want.HasOuter && want.Src == (Addr{}) {
			got.Src, got.Dst = Addr{}, Addr{}
		}
		if !want.HasOuter {
			got.Src, got.Dst, want.Src, want.Dst = Addr{}, Addr{}, Addr{}, Addr{}
		}
		got.Space = SpaceNone // TestScopesKeepSitesApart
		if got != want {
			t.Errorf("tunnel %d is %+v, want %+v", i, got, want)
		}
	}
	if c.check != nil && !c.check(p) {
		t.Errorf("check does not hold: %+v", *p)
	}
}

// Every verdict has a case and its own name.
func TestEveryVerdictHasACase(t *testing.T) {
	var seen [NumVerdicts]bool
	for _, c := range decodeCases() {
		seen[c.verdict] = true
	}
	names := map[string]bool{}
	for v := range NumVerdicts {
		if !seen[v] {
			t.Errorf("no case for %v", Verdict(v))
		}
		name := Verdict(v).String()
		if name == "" || name == "unknown" || names[name] {
			t.Errorf("verdict %d is named %q", v, name)
		}
		names[name] = true
	}
	if Verdict(NumVerdicts).String() != "unknown" || FragDrop(NumFragDrops).String() != "unknown" {
		t.Error("a value out of range has a name")
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	cases := decodeCases()
	var p Packet
	n := testing.AllocsPerRun(10, func() {
		for i := range cases {
			Decode(&p, cases[i].link, cases[i].frame, uint32(len(cases[i].frame)))
			p.FlowHash()
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Decode does not panic for any snap length, and the lengths are correct if the headers were captured.
func TestDecodeAnySnapLength(t *testing.T) {
	for _, c := range decodeCases() {
		var whole, p Packet
		Decode(&whole, c.link, c.frame, uint32(len(c.frame)))
		for n := range c.frame {
			cutFrame := c.frame[:n:n]
			Decode(&p, c.link, cutFrame, uint32(len(c.frame)))
			checkPacket(t, &p, cutFrame)
			if !p.Truncated {
				t.Errorf("%s cut to %d is not marked", c.name, n)
			}
			same := p.NumTunnels == whole.NumTunnels && p.HasIP && whole.HasIP && p.Src == whole.Src && p.Kind == whole.Kind
			if same && p.Verdict == VerdictOK && whole.Verdict == VerdictOK && (p.IPBytes != whole.IPBytes || p.PayloadLen != whole.PayloadLen) {
				t.Errorf("%s cut to %d: %d and %d bytes, want %d and %d", c.name, n, p.IPBytes, p.PayloadLen, whole.IPBytes, whole.PayloadLen)
			}
		}
	}
}

// If the IP header has no length, that of the frame counts, up to a bound.
func TestForgedOriginalLengthIsBounded(t *testing.T) {
	var p Packet
	Decode(&p, LinkRaw, patchedZero(syn4, 2), 3_000_000_000)
	if p.IPBytes != maxFrame || !p.Truncated {
		t.Errorf("%d bytes", p.IPBytes)
	}
}

// An uncertain tunnel is decoded even if the snap length cut the inner transport header.
func TestTunnelWithCutTransportHeader(t *testing.T) {
	frame := udpFrame(portGTPU, gtpuFrame(0x30, 9, syn4))
	n := len(frame) - len(synSegment) + 13
	var p Packet
	Decode(&p, LinkEthernet, frame[:n], uint32(len(frame)))
	if p.NumTunnels != 1 || p.Verdict != VerdictShortTCP || p.DstPort != 80 || p.IPBytes != uint32(len(syn4)) {
		t.Errorf("%+v", p)
	}
}

func TestFlowHash(t *testing.T) {
	frames := [][]byte{
		ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1, 2, 0, nil, 0))),
		ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1, 3, 0, nil, 0))),
		ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(1, 2, nil))),
		ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(2, 2, nil))),
		ethFrame(etherIPv4, ip4From(hdr.src, [4]byte{198, 51, 100, 3}, protoTCP, tcpSegment(1, 2, 0, nil, 0))),
		ethFrame(etherIPv6, ip6(protoTCP, tcpSegment(1, 2, 0, nil, 0))),
		ethFrame(etherIPv4, ip4(89, nil)),
		ethFrame(0x88cc, nil),
		ethFrame(0x88cd, nil),
		ethBetween(macC, macB, 0x88cc, nil),
	}
	seen := map[uint64]int{}
	for i, f := range frames {
		var p Packet
		Decode(&p, LinkEthernet, f, uint32(len(f)))
		if j, ok := seen[p.FlowHash()]; ok {
			t.Errorf("frames %d and %d have the same hash", i, j)
		}
		seen[p.FlowHash()] = i
	}
	echo := icmpHash(t, 8)
	if echo != icmpHash(t, 0) {
		t.Error("echo and its reply differ")
	}
}

func icmpHash(t *testing.T, typ uint8) uint64 {
	t.Helper()
	f := ethFrame(etherIPv4, ip4(protoICMP, []byte{typ, 0, 0, 0, 0, 7, 0, 1}))
	var p Packet
	Decode(&p, LinkEthernet, f, uint32(len(f)))
	return p.FlowHash()
}

// Similar flows, such as those of a scan, fill buckets evenly by the low and the high bits.
func TestFlowHashSpread(t *testing.T) {
	const buckets, flows = 256, 256 * 100
	var low, high [buckets]int
	f := ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1, 2, 0, nil, 0)))
	var p Packet
	Decode(&p, LinkEthernet, f, uint32(len(f)))
	for i := range flows {
		p.Dst[15], p.Dst[14] = byte(i), byte(i>>8)
		p.SrcPort = uint16(40000 + i%1000)
		h := p.FlowHash()
		low[h%buckets]++
		high[h>>56]++
	}
	for i := range buckets {
		if low[i] < 50 || low[i] > 160 || high[i] < 50 || high[i] > 160 {
			t.Errorf("bucket %d has %d and %d of 100", i, low[i], high[i])
		}
	}
}
