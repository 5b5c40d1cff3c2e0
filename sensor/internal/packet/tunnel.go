// SPDX-License-Identifier: Apache-2.0

package packet

var tunnelNames = [...]string{
	"none", "gre", "erspan", "vxlan", "geneve", "mpls", "pppoe", "gtpu", "ipip", "teredo", "tzsp", "pbb",
}

// String returns the name of t in records.
func (t TunnelType) String() string {
	if int(t) < len(tunnelNames) {
		return tunnelNames[t]
	}
	return "unknown"
}

// inner reads one encapsulation: p becomes the inner packet, if that has a network layer or is at least an Ethernet frame. Otherwise p remains
// the outer packet, with the verdict of the inner one.
func inner(p *Packet, t TunnelType, id uint32, hasID bool, et uint16, b []byte, wire, depth int) Verdict {
	return innerVLAN(p, t, id, hasID, 0, et, b, wire, depth)
}

// innerVLAN is inner for a header with the VLAN of the mirrored port, 0 if it has none.
func innerVLAN(p *Packet, t TunnelType, id uint32, hasID bool, vlan, et uint16, b []byte, wire, depth int) Verdict {
	if depth >= MaxDepth {
		return VerdictNesting
	}
	outer := *p
	p.addTunnel(t, id, hasID, vlan, et)
	p.resetNetwork()
	var v Verdict
	// Only an inner frame has the MACs of the inner stations. The outer MACs are those of the tunnel endpoints.
	if t != TunnelPPPoE {
		p.SrcMAC, p.DstMAC, p.HasMAC = MAC{}, MAC{}, false
	}
	if wire = max(wire, 0); et == etherBridged {
		v = ethernet(p, b, wire, depth+1)
	} else {
		v = etherPayload(p, et, b, wire, depth+1)
	}
	if p.HasIP || p.Kind == KindARP || p.Kind == KindNeighbor || v == VerdictNoNetwork && et == etherBridged {
		return v
	}
	*p = outer
	if v == VerdictNoNetwork && p.HasIP {
		return VerdictOK
	}
	return v
}

func (p *Packet) addTunnel(t TunnelType, id uint32, hasID bool, vlan, et uint16) {
	if p.NumTunnels == MaxTunnels {
		return
	}
	p.Tunnels[p.NumTunnels] = Tunnel{Src: p.Src, Dst: p.Dst, ID: id, VLAN: vlan, Type: t, HasID: hasID, Space: spaceOf(t, et), HasOuter: p.HasIP, V6: p.V6}
	p.NumTunnels++
}
