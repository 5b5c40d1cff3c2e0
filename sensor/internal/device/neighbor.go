// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Link records a message of ARP, Neighbor Discovery, LLDP or a protocol like it, and returns the device that sent it, nil if that is no device.
func (r *Registry) Link(f dissect.Fact, now int64) *Device {
	r.begin()
	var d *Device
	switch f := f.(type) {
	case *dissect.ARPMessage:
		d = r.arp(f, now)
	case *dissect.NDMessage:
		d = r.nd(f, now)
	case *dissect.NeighborMessage:
		d = r.neighbor(f, now)
	case *dissect.LinkAction:
		d = r.speaker(packet.MAC(f.EtherSrc), now)
	}
	if d != nil {
		r.settle(d)
		d.LastSeen, d.lastFrame = max(d.LastSeen, now), frameOf(f)
		r.touch(d, now-d.FirstSeen > keepTraffic)
	}
	return d
}

// neighbor weighs what a device tells its neighbors on the link. The chassis that LLDP names is the device, too: its ports have other MAC addresses.
func (r *Registry) neighbor(m *dissect.NeighborMessage, now int64) *Device {
	d := r.speaker(packet.MAC(m.EtherSrc), now)
	if d == nil {
		return nil
	}
	if m.Protocol == "sadp" {
		r.discovered(&m.DeviceInfo, d, now)
		return d
	}
	r.described(&m.DeviceInfo, evidence.Discovery, d, now)
	r.mudURL(d, m.MUDURL, now)
	return d
}

func (r *Registry) arp(m *dissect.ARPMessage, now int64) *Device {
	mac := packet.MAC(m.SenderMAC)
	// A sender in the message that is not the sender of the frame is proxied or forged: it binds nothing (RFC 826, D38).
	if packet.MAC(m.EtherSrc) != mac && !packet.MAC(m.EtherSrc).IsZero() {
		return r.speaker(packet.MAC(m.EtherSrc), now)
	}
	if m.Probe || !m.SenderIP.IsValid() || m.SenderIP.IsUnspecified() {
		return r.speaker(mac, now)
	}
	return r.strong(packet.AddrOf(m.SenderIP.Unmap()).In(m.Scope), mac, false, now)
}

// nd reads the binding in a message of RFC 4861: a solicitation or router advertisement binds its source, a neighbor advertisement its
// target. A router advertisement also names gateways and the prefixes of the link.
func (r *Registry) nd(m *dissect.NDMessage, now int64) *Device {
	mac := packet.MAC(m.SourceLink)
	a := m.Src
	switch m.Type {
	case 134:
		r.announce(m.Prefixes)
		r.noteGateway(m.Src)
	case 136:
		mac, a = packet.MAC(m.TargetLink), m.Target
	}
	if mac.IsZero() {
		mac = packet.MAC(m.EtherSrc)
	}
	if mac != packet.MAC(m.EtherSrc) || !a.IsValid() || a.IsUnspecified() {
		d := r.speaker(packet.MAC(m.EtherSrc), now)
		if m.Type == 135 && m.Src.IsUnspecified() { // duplicate address detection (RFC 4862 section 5.4)
			r.assume(m.Target, packet.MAC(m.EtherSrc), now)
		}
		return d
	}
	return r.strong(packet.AddrOf(a.Unmap()), mac, false, now)
}

// announce records prefixes that a router announces for the link, at most maxAnnounced. Anybody can announce a prefix, so it only means that
// a station that uses such an address holds it. It never makes the address internal for others.
func (r *Registry) announce(prefixes []netip.Prefix) {
	for _, p := range prefixes {
		if p.Bits() < 48 || !p.Addr().Is6() || r.announced >= maxAnnounced || r.onLink.Contains(p.Addr()) {
			continue
		}
		r.announced++
		r.onLink.Insert(p.Masked())
	}
}

const maxAnnounced = 16

// strong binds an address to a MAC as ARP, Neighbor Discovery or, with leased, DHCP says.
func (r *Registry) strong(a packet.Addr, mac packet.MAC, leased bool, now int64) *Device {
	l := r.linkOf(mac, now)
	if l == nil || !isHost(a) {
		return nil
	}
	b := r.bindings[a]
	switch {
	case b != nil && b.strong && b.mac == mac && (b.leased || !leased):
		b.last = max(b.last, now)
		return b.dev
	case b != nil && b.mac != mac && l.standsFor(a, b) && !leased:
		return b.dev
	case !leased && (b == nil || !b.spoke) && r.suspect(a):
		return r.byLink(mac, true, now)
	case b == nil:
		r.enterScope(a, mac)
		b = &binding{}
		b.at(mac)
	case b.mac != mac:
		r.leave(a, b)
		b.at(mac)
	}
	b.strong, b.leased, b.assumed, b.last = true, b.leased || leased, false, now
	r.weighAddr(a, b, l, now)
	return b.dev
}

// dhcp records what a client says about itself and the address that it gets (RFC 2131).
func (r *Registry) dhcp(v *session.View, m *dissect.DHCPMessage, now int64) {
	mac := packet.MAC(m.ClientMAC)
	switch m.Type {
	case "ack":
		r.noteGateway(m.Router)
		if m.YourIP.IsValid() && !m.YourIP.IsUnspecified() {
			r.learnSubnet(m.YourIP, m.SubnetBits)
			r.strong(packet.AddrOf(m.YourIP.Unmap()).In(v.Initiator.Addr.Scope()), mac, true, now)
		}
		return
	case "offer", "nak":
		return
	}
	l := r.linkOf(mac, now)
	if l == nil {
		return
	}
	l.self = true
	r.carriesClient(v, mac, packet.MAC(m.EtherSrc), now)
	d := r.station(l, now)
	d.addHostname(evidence.Clean(m.Hostname))
	r.observe(d, evidence.Hostname, m.Hostname, now)
	r.observe(d, evidence.VendorClass, m.VendorClass, now)
	r.enterprise(d, m.Vendor, now)
	r.mudURL(d, m.MUDURL, now)
	r.observe(d, evidence.ParameterList, paramList(m.ParamList), now)
	if d.addPrint(fingerprint.NPFDHCP(m)) {
		r.changed(d)
	}
}

// carriesClient records that a client asked through the MAC of another station: a repeater that puts its own MAC, or one made from the
// client's, into the frames that it passes on. A relay does not send from the client port.
func (r *Registry) carriesClient(v *session.View, client, through packet.MAC, now int64) {
	const clientPort = 68
	if v.Initiator.Port != clientPort || through == client {
		return
	}
	if l := r.linkOf(through, now); l != nil && !l.router && !l.proxy && !r.declaredMAC(l.mac) {
		l.proxy = true
		r.settleLink(l, now)
	}
}

// paramList returns option 55 as decimal numbers separated by commas.
func paramList(opts []byte) string {
	if len(opts) == 0 || len(opts) > 64 {
		return ""
	}
	var b strings.Builder
	for i, o := range opts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(o)))
	}
	return b.String()
}
