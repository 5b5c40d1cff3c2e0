// SPDX-License-Identifier: Apache-2.0

// Package extract copies the packets of sessions and devices from captures into a new one. It decodes and reassembles as the
// engine does, so it copies what the records of sessions count.
package extract

import (
	"bytes"
	"net/netip"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Selection is what is extracted: the packets within a time that belong to one of the sessions, or that an address or a MAC of the device sent or
// received. With peers, of the latter only those to or from a peer.
type Selection struct {
	From, To int64 // capture clock, nanoseconds; 0: no bound
	Sessions map[session.CommunityHash]bool
	Addrs    map[packet.Addr]bool
	MACs     map[packet.MAC]bool
	Peers    map[packet.Addr]bool
}

// Session adds a session.
func (s *Selection) Session(id session.CommunityHash) {
	if s.Sessions == nil {
		s.Sessions = map[session.CommunityHash]bool{}
	}
	s.Sessions[id] = true
}

// Addr adds an address of the device.
func (s *Selection) Addr(a netip.Addr) {
	if s.Addrs == nil {
		s.Addrs = map[packet.Addr]bool{}
	}
	s.Addrs[packet.AddrOf(a)] = true
}

// MAC adds a MAC of the device.
func (s *Selection) MAC(m packet.MAC) {
	if s.MACs == nil {
		s.MACs = map[packet.MAC]bool{}
	}
	s.MACs[m] = true
}

// OfAlert returns the selection for an alert: its sessions during the event, or if it names none the packets between device and peer.
func OfAlert(a *schemas.Alert) *Selection {
	s := &Selection{From: int64(a.Time.EventStart), To: int64(a.Time.EventEnd)}
	ids := a.RelatedSessions
	if a.Session != nil {
		ids = append([]string{a.Session.CommunityID}, ids...)
		s.From, s.To = min(s.From, int64(a.Session.Start)), max(s.To, int64(a.Session.End))
	}
	for _, id := range ids {
		if h, ok := session.ParseCommunityID(id); ok {
			s.Session(h)
		}
	}
	if len(s.Sessions) > 0 {
		return s
	}
	if a.Device.IP.IsValid() {
		s.Addr(a.Device.IP)
	} else if m := packet.MAC(a.Device.MAC); !m.IsZero() {
		s.MAC(m)
	}
	if a.Peer != nil && a.Peer.IP.IsValid() {
		s.Peers = map[packet.Addr]bool{packet.AddrOf(a.Peer.IP): true}
	}
	return s
}

// Empty reports whether nothing can be selected.
func (s *Selection) Empty() bool { return len(s.Sessions)+len(s.Addrs)+len(s.MACs) == 0 }

// during reports whether a time is selected.
func (s *Selection) during(t int64) bool {
	return (s.From == 0 || t >= s.From) && (s.To == 0 || t <= s.To)
}

// member is what decides whether a packet is selected, its time apart.
type member struct {
	ids    [2]session.CommunityHash // the first numIDs
	addrs  [2]packet.Addr           // without their scope
	macs   [2]packet.MAC
	numIDs int
	hasIP  bool // addrs are set
	hasMAC bool
}

// memberOf returns the member for a packet.
func memberOf(p *packet.Packet) (m member) {
	m.hasMAC, m.macs = p.HasMAC, [2]packet.MAC{p.SrcMAC, p.DstMAC}
	switch {
	case p.HasIP:
		m.hasIP, m.addrs = true, [2]packet.Addr{packet.AddrOf(p.Src.NetipOf(p.V6)), packet.AddrOf(p.Dst.NetipOf(p.V6))}
		m.numIDs = copy(m.ids[:], session.CommunityIDsOf(m.ids[:0], p))
	case p.Kind == packet.KindARP && len(p.Body) >= 28 && bytes.Equal(p.Body[:6], []byte{0, 1, 8, 0, 6, 4}): // IPv4 over Ethernet (RFC 826)
		m.hasIP, m.addrs = true, [2]packet.Addr{packet.AddrFrom4(p.Body[14:18]), packet.AddrFrom4(p.Body[24:28])}
	}
	return m
}

// match reports whether the packets of m are selected.
func (s *Selection) match(m *member) bool {
	for _, id := range m.ids[:m.numIDs] {
		if s.Sessions[id] {
			return true
		}
	}
	for i := range m.addrs {
		if (m.hasIP && s.Addrs[m.addrs[i]] || m.hasMAC && s.MACs[m.macs[i]]) && (len(s.Peers) == 0 || m.hasIP && s.Peers[m.addrs[1-i]]) {
			return true
		}
	}
	return false
}
