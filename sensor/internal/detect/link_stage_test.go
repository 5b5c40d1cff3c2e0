// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
)

var everybody = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// station returns a MAC without a vendor.
func station(n byte) packet.MAC { return packet.MAC{0x90, 0x01, 0x02, 0, 0, n} }

// link plays an ARP or Neighbor Discovery message.
func (s *stage) link(f dissect.Fact) {
	e := &detect.Event{Kind: detect.LinkFact, Time: s.c.Now, Fact: f}
	e.Initiator = s.c.Devices.Link(f, s.c.Now)
	s.c.Begin()
	detect.NewWatch(s.dets).Observe(e, &s.c)
}

// arp plays an ARP message of a station that says that it has an address.
func (s *stage) arp(request bool, mac packet.MAC, ip string, to packet.MAC, target string) {
	m := &dissect.ARPMessage{Request: request, SenderMAC: mac, SenderIP: netip.MustParseAddr(ip), TargetIP: netip.MustParseAddr(target), EtherSrc: mac, EtherDst: to}
	if !request {
		m.TargetMAC = to
	}
	m.Probe = request && m.SenderIP.IsUnspecified()
	m.Gratuitous = !m.Probe && m.SenderIP == m.TargetIP
	s.link(m)
}

// only returns a stage on which one rule runs, with parameters that set may change.
func only[P any](t *testing.T, rule string, set func(*P)) *stage {
	t.Helper()
	dets, err := detect.New(detect.Config{
		Enabled: func(r string) bool { return r == rule },
		Params:  func(_ string, into any) error { set(into.(*P)); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.dets = dets
	return s
}
