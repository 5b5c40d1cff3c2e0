// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// inside opens a session inside a tunnel whose first packet goes from one outer address to another.
func (s *stage) inside(typ packet.TunnelType, from, to string, answered bool) {
	v := *s.view(17, "172.31.0.2", "172.31.0.1:5001")
	v.Tunnels = []packet.Tunnel{{Src: packet.AddrOf(netip.MustParseAddr(from)), Dst: packet.AddrOf(netip.MustParseAddr(to)), Type: typ, HasOuter: true}}
	s.event(detect.SessionOpened, &v, nil)
	if answered {
		v.State, v.Packets[1] = session.Established, 1
		s.event(detect.SessionState, &v, nil)
	}
}

func TestSessionsInsideTunnels(t *testing.T) {
	camera := func(s *stage) { s.with(host, device.Camera, device.Probable) }
	for _, c := range []struct {
		name     string
		before   func(*stage)
		typ      packet.TunnelType
		from, to string
		answered bool
		want     []string
	}{
		{"GRE of a silent device", nil, packet.TunnelGRE, silent, foreign, false, []string{"high tunnel 203.0.113.66/47 1"}},
		{"answered", nil, packet.TunnelGRE, silent, foreign, true, []string{"high tunnel 203.0.113.66/47 1"}},
		{"VXLAN", nil, packet.TunnelVXLAN, silent, foreign, false, []string{"high tunnel 203.0.113.66:4789/udp 1"}},
		{"begun from outside", nil, packet.TunnelIPIP, foreign, silent, false, nil},
		{"begun from outside, and answered", nil, packet.TunnelIPIP, foreign, silent, true, []string{"high tunnel 203.0.113.66/4 1"}},
		{"a mirror", nil, packet.TunnelERSPAN, silent, "10.20.1.9", true, nil},
		{"a tunnel below IP", nil, packet.TunnelPBB, silent, foreign, true, nil},
		{"a camera", camera, packet.TunnelGRE, host, foreign, true, []string{"medium tunnel 203.0.113.66/47 1"}},
		{"any host", nil, packet.TunnelGRE, host, foreign, true, nil},
		{"a router", func(s *stage) { s.with(host, device.NetworkGear, device.Identified) }, packet.TunnelGRE, host, foreign, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			s.query(17, silent, resolver)
			s.query(17, host, resolver)
			if c.before != nil {
				c.before(s)
			}
			s.inside(c.typ, c.from, c.to, c.answered)
			s.want(t, "D12", c.want...)
		})
	}
}

func TestTunnelsAllowedByInventory(t *testing.T) {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "site", Proto: "udp", Peer: contract.Peer{Prefix: netip.MustParsePrefix(foreign + "/32")}, Ports: [][2]uint16{{4789, 4789}}}}
	s := newStage(t, e)
	s.query(17, silent, resolver)
	s.inside(packet.TunnelVXLAN, silent, foreign, true)
	s.want(t, "D12")
	s.inside(packet.TunnelGRE, silent, foreign, true)
	s.want(t, "D12", "high tunnel 203.0.113.66/47 1")
}
