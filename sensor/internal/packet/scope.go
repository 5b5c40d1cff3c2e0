// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"fmt"
)

// Scope is the address space that a private address belongs to, if the same addresses occur in more than one: tenants of an overlay, sites
// that are mirrored through tunnels. It is part of an Addr, in bytes that are otherwise zero in the IPv4-mapped form, so that every table
// with an Addr in its key keeps the hosts of two address spaces apart. The zero Scope is that of all other addresses.
type Scope [10]byte

// scoped marks the second byte of an Addr with a Scope, which then begins with a zero byte: no IPv6 address of a host does (RFC 4291
// section 2.5.2 and later reserve ::/8).
const scoped = 0x80

// IsZero reports whether s is the scope of addresses that need none.
func (s Scope) IsZero() bool { return s == Scope{} }

// String returns the encapsulation that names the address space, as in "vxlan-100"; for a mirror with its sender.
func (s Scope) String() string {
	if s.IsZero() {
		return ""
	}
	t := TunnelType(s[1] &^ scoped)
	if t == scopeVLAN {
		return vlanName(be32(s[2:]))
	}
	if src := s[6:]; [4]byte(src) != [4]byte{} {
		return fmt.Sprintf("%s-%d-%d.%d.%d.%d", t, be32(s[2:]), src[0], src[1], src[2], src[3])
	}
	return fmt.Sprintf("%s-%d", t, be32(s[2:]))
}

// Scope returns the address space of a.
func (a Addr) Scope() (s Scope) {
	if a[0] == 0 && a[1]&scoped != 0 && a[10]&a[11] == 0xff {
		return Scope(a[:])
	}
	return Scope{}
}

// In returns a in an address space. Addresses that mean the same host everywhere do not change.
func (a Addr) In(s Scope) Addr {
	if a.reused() {
		copy(a[:], s[:])
	}
	return a
}

// reused reports whether more than one address space can use the address: IPv4 for private use (RFC 1918), shared (RFC 6598), link-local
// (RFC 3927), multicast, broadcast, and none.
func (a *Addr) reused() bool {
	if !a.Is4() {
		return false
	}
	switch b, c := a[12], a[13]; b {
	case 0, 10, 255:
		return true
	case 100:
		return c&0xc0 == 64
	case 169:
		return c == 254
	case 172:
		return c&0xf0 == 16
	case 192:
		return c == 168
	default:
		return b >= 224 && b < 240
	}
}

// private reports whether a is a reused address that a station can have.
func (a *Addr) private() bool { return a.reused() && a[12] != 0 && a[12] < 224 }

// Space is what the id of an encapsulation says about the address space of its packets.
type Space uint8

// The id names no address space; or it does, and the encapsulation carries Ethernet frames, or IP packets.
const (
	SpaceNone Space = iota
	SpaceFrames
	SpacePackets
)

// spaceOf returns the Space of an encapsulation of a type with the EtherType of its payload. The ids of MPLS, GTP-U, PPPoE and PPTP name one
// direction or one subscriber.
func spaceOf(t TunnelType, et uint16) Space {
	switch t {
	case TunnelGRE, TunnelVXLAN, TunnelGeneve, TunnelERSPAN, TunnelTZSP:
		switch et {
		case etherBridged:
			return SpaceFrames
		case etherIPv4:
			return SpacePackets
		}
	}
	return SpaceNone
}

// space returns the address space of the innermost encapsulation that names one, and whether its packets are frames of stations. The space of
// a mirror is named by its sender too.
func (p *Packet) space() (s Scope, frames, ok bool) {
	for i := int(p.NumTunnels) - 1; i >= 0; i-- {
		t := &p.Tunnels[i]
		if t.Space == SpaceNone {
			continue
		}
		s[1] = scoped | uint8(t.Type)
		binary.BigEndian.PutUint32(s[2:], t.ID)
		switch {
		case t.Type == TunnelGRE && t.Space == SpaceFrames && t.ID>>8 >= firstVSID:
			binary.BigEndian.PutUint32(s[2:], t.ID>>8)
		case t.Type == TunnelERSPAN || t.Type == TunnelTZSP:
			src := fold(binary.BigEndian.Uint64(t.Src[:8]), hashKey1) ^ binary.BigEndian.Uint64(t.Src[8:])
			binary.BigEndian.PutUint32(s[6:], uint32(src))
		}
		return s, t.Space == SpaceFrames, true
	}
	return s, false, false
}

// firstVSID is the first virtual subnet of NVGRE, whose key ends with 8 bits that differ by flow (RFC 7637 section 3.2).
const firstVSID = 0x1000

// ScopeStats counts since the start.
type ScopeStats struct {
	Spaces   uint64 // address spaces that are kept apart
	Refused  uint64 // address spaces that are not, because there are too many
	Replaced uint64 // stations that others replaced before their address was seen in a second space
}

// Bounds of a Scopes: stations is a power of two.
const (
	maxSpaces   = 1 << 12
	maxStations = 1 << 13
	stationKeep = 3600e9 // how long a station counts after its last packet, nanoseconds
)

// Scopes finds out which encapsulations carry an address space of their own. It is used by one goroutine, in the order of the packets.
//
// An encapsulation of IP packets without a link layer is an address space by its id. One of Ethernet frames often mirrors a network that
// others mirror too, or differs by direction (routing between the segments of an overlay). It becomes an address space of its own as soon as
// it carries a private address of one station that, in another encapsulation or without one, is the address of a different station.
type Scopes struct {
	apart    map[Scope]bool
	stations []station
	vlans    []vlanStation  // nil until a frame with a tag came
	tagged   *[1 << 12]bool // VLANs that are apart, for frames with one tag; nil: none
	counts   ScopeStats
}

// station is who has a private address: the sender of an ARP request, or of a packet that no router forwarded.
type station struct {
	space Scope
	mac   MAC
	addr  uint32
	last  int64
}

// NewScopes returns a Scopes that knows no station. All of its memory is allocated here.
func NewScopes() *Scopes {
	return &Scopes{apart: make(map[Scope]bool, maxSpaces), stations: make([]station, maxStations)}
}

// Stats returns the counts since the start.
func (x *Scopes) Stats() ScopeStats { return x.counts }

// Apply sets the scope of p and of its addresses, as Decode left them. It may be called again for the same packet.
func (x *Scopes) Apply(p *Packet) {
	if p.NumTunnels == 0 {
		x.applyVLAN(p)
		if p.Kind == KindARP || p.TCPFlags&SYN != 0 { // the other packets of a link are not decoded before they reach their shard
			x.conflict(p, Scope{})
		}
		return
	}
	s, frames, ok := p.space()
	if !ok || !p.Scope.IsZero() {
		return
	}
	if !x.apart[s] && (!frames && s != (Scope{1: s[1]}) || frames && x.conflict(p, s)) {
		x.separate(s)
	}
	if x.apart[s] {
		p.Scope, p.hasRare = s, true
		if p.V6 || !p.HasIP {
			return
		}
		p.Src, p.Dst = p.Src.In(s), p.Dst.In(s)
	}
}

func (x *Scopes) separate(s Scope) {
	if len(x.apart) >= maxSpaces {
		x.counts.Refused++
		return
	}
	x.apart[s] = true
	x.counts.Spaces++
}

// conflict records the station that sent p, and reports whether its address is that of another one in another space. A station without
// encapsulation makes the encapsulation of the other one an address space of its own.
func (x *Scopes) conflict(p *Packet, s Scope) bool {
	a, mac, ok := p.sender()
	if !ok {
		return false
	}
	v := be32(a[12:])
	e := &x.stations[fold(uint64(v)^hashKey1, hashKey2)%maxStations]
	switch {
	case e.mac.IsZero() || p.Time-e.last > stationKeep:
	case e.addr != v:
		x.counts.Replaced++
	case e.mac == mac: // one station, in several mirrors
		e.last = max(e.last, p.Time)
		return false
	case e.space != s && s.IsZero() && !x.apart[e.space]:
		x.separate(e.space)
	case e.space != s && !s.IsZero():
		return true
	}
	*e = station{space: s, mac: mac, addr: v, last: p.Time}
	return false
}

// sender returns the private address of the station that sent p and its MAC, if p shows that they belong together.
func (p *Packet) sender() (a Addr, mac MAC, ok bool) {
	switch {
	case p.Kind == KindARP && len(p.Body) >= 28 && p.Body[7] == 1: // a reply may be that of a proxy
		a, mac = AddrFrom4(p.Body[14:18]), MAC(p.Body[8:14])
		ok = mac == p.SrcMAC
	case p.HasIP && p.HasMAC && !p.V6:
		a, mac = p.Src, p.SrcMAC
		ok = p.TTL == 64 || p.TTL == 128 || p.TTL == 255
	}
	return a, mac, ok && !mac.IsZero() && !mac.IsGroup() && !virtualRouter(mac) && a.private()
}

// virtualRouter reports whether a MAC may be that of several routers: it belongs to VRRP (RFC 9568), HSRP or GLBP.
func virtualRouter(m MAC) bool {
	switch [3]byte(m[:3]) {
	case [3]byte{0x00, 0x00, 0x5e}, [3]byte{0x00, 0x05, 0x73}, [3]byte{0x00, 0x07, 0xb4}:
		return true
	case [3]byte{0x00, 0x00, 0x0c}:
		return m[3] == 0x07 && m[4] == 0xac || m[3] == 0x9f
	}
	return false
}
